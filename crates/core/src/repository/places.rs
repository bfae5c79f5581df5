//! The places of running jobs: one row of table `places`, changed by compare-and-swap.

use std::sync::Arc;

use super::collection::Version;
use crate::dispatch::Places;
use crate::storage::{
    Condition, Entity, EntityKey, StorageResult, TableName, TableOperation, TableStore, Value,
};

/// The row of the places.
#[derive(Debug, Clone)]
pub struct PlaceRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl PlaceRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    fn key() -> EntityKey {
        EntityKey::new("places", "all")
    }

    /// The places with their version: none taken, and no version, while there is no row; no places,
    /// but a version, when the row cannot be decoded.
    pub async fn load(&self) -> StorageResult<(Option<Places>, Option<Version>)> {
        let Some(row) = self.tables.get(&self.table, &Self::key()).await? else {
            return Ok((Some(Places::default()), None));
        };
        let text = |name| match row.entity.properties.get(name) {
            Some(Value::String(text)) => text.as_str(),
            _ => "",
        };
        match Places::from_texts(text("taken"), text("line")) {
            Ok(places) => Ok((Some(places), Some(row.etag))),
            Err(error) => {
                tracing::error!(%error, "row of the places cannot be decoded");
                Ok((None, Some(row.etag)))
            }
        }
    }

    /// Writes the places in the version that was read; `PreconditionFailed` or `AlreadyExists`
    /// when somebody was faster.
    pub async fn store(&self, places: &Places, version: Option<&Version>) -> StorageResult<()> {
        let (taken, line) = places.to_texts();
        let entity = Entity::new(Self::key())
            .with("taken", Value::String(taken))
            .with("line", Value::String(line));
        let operation = match version {
            Some(version) => TableOperation::Replace(entity, Condition::Matches(version.clone())),
            None => TableOperation::Insert(entity),
        };
        self.tables.write(&self.table, operation).await.map(drop)
    }
}
