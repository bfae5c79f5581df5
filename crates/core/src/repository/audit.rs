//! Audit log: table `auditlogs` by day, newest first, each day a chain of sealed rows; the Python
//! product's rows by month beside it.

mod chain;
mod filter;
mod finding;
mod legacy;
mod numbering;
mod partition;
mod row;
mod seal;
mod unanswered;
mod verify;
mod walk;

use std::sync::Arc;

use tokio::sync::OnceCell;

pub use filter::AuditFilter;
pub use finding::{AuditCheckpoint, AuditFinding, AuditVerdict, InvalidCheckpoint};
pub use numbering::AuditPlace;

use super::collection::{DamagedRow, decode};
use super::row::RowWriter;
use super::timeline::{Cursor, Timeline};
use crate::model::AuditEntry;
use crate::random::SharedRandom;
use crate::secret::SecretStore;
use crate::storage::{StorageResult, TableName, TableStore};
use chain::Chains;
use legacy::Legacy;
use numbering::{Counts, Partitions};
use seal::KeyRing;
use walk::Walk;

/// The partition of what binds the days together. It sorts after all of them.
const LEDGER: &str = "~ledger";

/// The audit log.
#[derive(Debug, Clone)]
pub struct AuditRepository {
    tables: Arc<dyn TableStore>,
    by_day: Timeline,
    chains: Chains,
    legacy: Arc<OnceCell<Legacy>>,
    counts: Counts,
}

impl AuditRepository {
    /// The log in `tables`, sealed with a key that `secrets` keeps.
    pub(super) fn new(
        tables: Arc<dyn TableStore>,
        (secrets, random): (Arc<dyn SecretStore>, SharedRandom),
        (table, days): (TableName, TableName),
    ) -> Self {
        let keys = KeyRing::new(tables.clone(), table.clone(), secrets, random);
        let by_day = Timeline::new(tables.clone(), table, days);
        Self {
            chains: Chains::new(tables.clone(), by_day.clone(), keys),
            tables,
            by_day,
            legacy: Arc::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn tables(&self) -> [&TableName; 2] {
        [&self.by_day.table, &self.by_day.days]
    }

    /// Appends an entry, linked to the one before it. Appending it again changes nothing.
    pub async fn append(&self, entry: &AuditEntry) -> StorageResult<()> {
        let mut row = RowWriter::new(Timeline::key(entry.at, entry.id.as_str()));
        row::write(entry, &mut row);
        self.chains.append(row.finish()).await
    }

    /// Compares every row with its seal and its place in the chain, and the newest ones with
    /// `checkpoint`, an end of the log that somebody noted earlier. Writers may go on meanwhile.
    pub async fn verify(
        &self,
        checkpoint: Option<&AuditCheckpoint>,
    ) -> StorageResult<AuditVerdict> {
        verify::verify(&self.chains, checkpoint).await
    }

    /// The present end of the log; `None` while it is empty.
    pub async fn checkpoint(&self) -> StorageResult<Option<AuditCheckpoint>> {
        verify::checkpoint(&self.chains).await
    }

    /// Where the entries are that pass `filter` after the `skip` newest of them, for [`Self::walk`];
    /// `None` when only a walk can tell. Costs the same however long the log is, but for the first
    /// time on a day, when past days are counted.
    pub async fn place(
        &self,
        filter: &AuditFilter,
        skip: usize,
    ) -> StorageResult<Option<AuditPlace>> {
        let log = Partitions {
            tables: &*self.tables,
            log: &self.by_day,
            legacy: self.legacy().await?,
        };
        self.counts.place(&log, filter, skip).await
    }

    async fn legacy(&self) -> StorageResult<&Legacy> {
        self.legacy
            .get_or_try_init(|| Legacy::find(&*self.tables, &self.by_day))
            .await
    }

    /// Walks the entries that pass `filter`, newest first from after `from`, until `visit` answers
    /// `false`. Entries that are appended meanwhile are newer than those still to come, and so
    /// neither shift nor hide any. Answers the rows on the way that cannot be read.
    pub async fn walk(
        &self,
        from: Option<&Cursor>,
        filter: &AuditFilter,
        mut visit: impl FnMut(AuditEntry, Cursor) -> bool + Send,
    ) -> StorageResult<Vec<DamagedRow>> {
        let legacy = self.legacy().await?;
        let mut walk = Walk::open(&*self.tables, &self.by_day, legacy, (from, filter)).await?;
        let mut damaged = Vec::new();
        while let Some((row, cursor)) = walk.next().await? {
            match decode::<AuditEntry>(&row) {
                Ok(entry) if !filter.matches(&entry.value) => {}
                Ok(entry) => {
                    if !visit(entry.value, cursor) {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "audit entry cannot be decoded");
                    damaged.push(DamagedRow {
                        key: row.entity.key,
                        reason: error.to_string(),
                    });
                }
            }
        }
        Ok(damaged)
    }
}
