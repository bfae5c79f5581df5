//! Which jobs there are: by their ids alone, for somebody who looks again and again, and by pages.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::{ACTIVE, JobRepository};
use crate::model::{Job, JobId};
use crate::repository::rows::Rows;
use crate::repository::timeline::{Cursor, Stretch};
use crate::storage::{Filter, Query, StorageResult, StoredEntity, Value};

/// Rows of a page that are read at once.
const READS_AT_ONCE: usize = 8;

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

    /// Up to `most` jobs, newest first from after `from`, and where the next page starts.
    pub async fn newest(
        &self,
        from: Option<&Cursor>,
        most: usize,
    ) -> StorageResult<(Vec<Job>, Option<Cursor>)> {
        let mut ids = Vec::new();
        self.by_day
            .walk(Stretch::newest(most + 1).after(from), |row, cursor| {
                ids.extend(job_id(&row).map(|id| (id, cursor)));
                ids.len() <= most
            })
            .await?;
        let next = (ids.len() > most).then(|| ids.get(most - 1).map(|(_, cursor)| cursor.clone()));
        ids.truncate(most);
        let jobs = futures::stream::iter(ids)
            .map(async |(id, _)| self.get(&id).await)
            .buffered(READS_AT_ONCE)
            .try_filter_map(async |job| Ok(job.map(|job| job.value)))
            .try_collect()
            .await?;
        Ok((jobs, next.flatten()))
    }
}

fn job_id(row: &StoredEntity) -> Option<JobId> {
    match row.entity.properties.get("job_id") {
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    }
}
