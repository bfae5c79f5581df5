//! The reconciler of tallies: counts every history anew and mends what is wrong. Tallies change
//! with the lines that they count, so that only damage, a store older than tallies, or a crash
//! before the copy was written gives it anything to do.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::installation::Installation;
use crate::model::DatabaseId;
use crate::repository::Recount;

/// What a run of the reconciler did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecountReport {
    /// Databases whose history was counted.
    pub databases: u64,
    /// Those whose tally, or its copy, was wrong.
    pub mended: Vec<DatabaseId>,
    /// Those whose history could not be counted.
    pub failed: u64,
}

impl Installation {
    /// Counts the history of every database that is registered or has a tally, until `stop`.
    pub async fn recount_tallies(&self, stop: &CancellationToken) -> Result<RecountReport> {
        let repositories = &self.repositories;
        let mut ids = BTreeSet::new();
        let databases = repositories.databases.list().await?;
        ids.extend(databases.items.into_iter().map(|it| it.value.id));
        let tallies = repositories.backups.tallies.list().await?;
        ids.extend(tallies.items.into_iter().map(|it| it.value.database_id));
        // A tally that cannot be read is one to be mended.
        let damaged = tallies.damaged.into_iter();
        ids.extend(damaged.filter_map(|row| row.key.row.parse::<DatabaseId>().ok()));
        let mut report = RecountReport::default();
        for id in ids {
            if stop.is_cancelled() {
                break;
            }
            report.databases += 1;
            match repositories.backups.recount(&id).await {
                Ok(Recount::Right) => {}
                Ok(Recount::Mended) => {
                    tracing::warn!(database.id = %id, "tally did not match the history; mended");
                    report.mended.push(id);
                }
                Err(error) => {
                    tracing::warn!(%error, database.id = %id, "history could not be counted");
                    report.failed += 1;
                }
            }
        }
        Ok(report)
    }
}
