//! The newest report of the health monitor: table `healthreports`, the one row (`health`,
//! `latest`).

use std::sync::Arc;

use super::row::{RowReader, RowWriter};
use crate::health::HealthReport;
use crate::storage::{Condition, EntityKey, StorageResult, TableName, TableOperation, TableStore};

/// The row of the report.
#[derive(Debug, Clone)]
pub struct HealthRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl HealthRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    fn key() -> EntityKey {
        EntityKey::new("health", "latest")
    }

    /// The newest report; `None` when there is none, or none that can be read.
    pub async fn latest(&self) -> StorageResult<Option<HealthReport>> {
        let Some(row) = self.tables.get(&self.table, &Self::key()).await? else {
            return Ok(None);
        };
        match RowReader(&row.entity).json("report") {
            Ok(report) => Ok(Some(report)),
            Err(error) => {
                tracing::warn!(%error, "the health report cannot be decoded");
                Ok(None)
            }
        }
    }

    /// Keeps a report in place of the one before.
    pub async fn put(&self, report: &HealthReport) -> StorageResult<()> {
        let mut row = RowWriter::new(Self::key());
        row.instant("at", report.at);
        row.text("status", report.status.as_str());
        row.json("report", report);
        let operation = TableOperation::Replace(row.finish(), Condition::None);
        self.tables.write(&self.table, operation).await.map(drop)
    }
}
