//! Which jobs there are to look at, by their ids alone: for somebody who looks again and again.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ACTIVE, JobRepository};
use crate::model::JobId;
use crate::repository::rows::Rows;
use crate::storage::{Filter, Query, StorageResult, StoredEntity, Value};

/// Ids of jobs. A job may be over although its entry is still there, or not be written yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedJobs {
    /// Those that are not over.
    pub active: BTreeSet<JobId>,
    /// Those that were booked lately, over or not.
    pub recent: BTreeSet<JobId>,
}

impl ListedJobs {
    /// Whether the job is among them.
    pub fn contains(&self, id: &JobId) -> bool {
        self.active.contains(id) || self.recent.contains(id)
    }
}

impl JobRepository {
    /// The jobs that are not over, and those booked at `since` or later, at `now`. Costs a query for
    /// the former and one a day for the latter, and as many rows as there are such jobs.
    pub async fn listed(&self, since: Timestamp, now: Timestamp) -> StorageResult<ListedJobs> {
        // First those that are not over: a job that ends in between is among the others, or was
        // listed before.
        let query = Query {
            filter: Some(Filter::partition(ACTIVE)),
            ..Query::default()
        };
        let mut rows = Rows::new(&*self.tables, &self.by_day.table, query);
        let mut listed = ListedJobs::default();
        while let Some(row) = rows.next().await? {
            listed.active.extend(row.entity.key.row.parse::<JobId>());
        }
        let recent = self.by_day.entries_since(since, now).await?;
        listed.recent = recent.iter().filter_map(job_id).collect();
        Ok(listed)
    }
}

fn job_id(row: &StoredEntity) -> Option<JobId> {
    match row.entity.properties.get("job_id") {
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    }
}
