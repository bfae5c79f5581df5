//! What the scheduler knows of each (database, tier): table `schedulestate`.

use std::sync::Arc;

use jiff::Timestamp;

use super::collection::list_rows;
use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::{DatabaseId, Tier};
use crate::storage::{
    Condition, EntityKey, Filter, Query, StorageResult, TableName, TableOperation, TableStore,
};

/// The last slot of a tier that was booked for a database. Nothing is inferred from history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleState {
    /// Database.
    pub database_id: DatabaseId,
    /// Tier.
    pub tier: Tier,
    /// The latest slot that a job was booked for.
    pub last_slot: Timestamp,
}

/// The schedule states.
#[derive(Debug, Clone)]
pub struct ScheduleStateRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl ScheduleStateRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    /// The states of one database.
    pub async fn of(&self, database: &DatabaseId) -> StorageResult<Vec<ScheduleState>> {
        let query = Query {
            filter: Some(Filter::partition(database.as_str())),
            ..Query::default()
        };
        let listing = list_rows::<ScheduleState>(&*self.tables, &self.table, query).await?;
        Ok(listing.items.into_iter().map(|state| state.value).collect())
    }

    /// Writes a state. Last writer wins: two schedulers that plan the same slot write the same.
    pub async fn put(&self, state: &ScheduleState) -> StorageResult<()> {
        let key = EntityKey::new(state.database_id.as_str(), state.row_key());
        let mut row = RowWriter::new(key);
        state.write(&mut row);
        let operation = TableOperation::Replace(row.finish(), Condition::None);
        self.tables.write(&self.table, operation).await.map(drop)
    }
}

impl Row for ScheduleState {
    fn row_key(&self) -> String {
        self.tier.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("database_id", self.database_id.as_str());
        row.instant("last_slot", self.last_slot);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            database_id: row.parsed("database_id")?,
            tier: row.key_parsed()?,
            last_slot: row.instant("last_slot")?,
        })
    }
}
