//! Whose turn it is: table `turns`, partition `turn`, one row per thing that is done in turns.

use std::sync::Arc;

use jiff::Timestamp;

use super::collection::Version;
use super::settle::write_settled;
use crate::storage::{
    Condition, Entity, EntityKey, StorageError, StorageErrorKind, StorageResult, TableName,
    TableOperation, TableStore, Value,
};

const HOLDER: &str = "holder";

/// A turn as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTurn {
    /// Who has it; `None` when it is free.
    pub holder: Option<String>,
    /// Since when, or when that was last said, by the store's clock.
    pub at: Timestamp,
    /// The version.
    pub version: Version,
}

/// The turns.
#[derive(Debug, Clone)]
pub struct TurnRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl TurnRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    fn key(what: &str) -> EntityKey {
        EntityKey::new("turn", what)
    }

    /// Whose turn it is; `None` when it was never anybody's.
    pub async fn get(&self, what: &str) -> StorageResult<Option<StoredTurn>> {
        let row = self.tables.get(&self.table, &Self::key(what)).await?;
        Ok(row.map(|row| {
            let holder = match row.entity.properties.get(HOLDER) {
                Some(Value::String(holder)) if !holder.is_empty() => Some(holder.clone()),
                _ => None,
            };
            StoredTurn {
                holder,
                at: row.timestamp,
                version: row.etag,
            }
        }))
    }

    /// Gives the turn to `holder`, or to nobody, in the version that was read; `None` when somebody
    /// was faster. A holder's name is never used for another turn.
    pub async fn give(
        &self,
        what: &str,
        holder: Option<&str>,
        version: Option<&Version>,
    ) -> StorageResult<Option<Version>> {
        let holder = Value::String(holder.unwrap_or_default().to_owned());
        let entity = Entity::new(Self::key(what)).with(HOLDER, holder);
        let operation = match version {
            Some(version) => TableOperation::Replace(entity, Condition::Matches(version.clone())),
            None => TableOperation::Insert(entity),
        };
        match write_settled(&*self.tables, &self.table, operation).await {
            Ok(Some(version)) => Ok(Some(version)),
            Ok(None) => Err(StorageError::new(
                StorageErrorKind::Internal,
                "give turn",
                "the store gave no version",
            )),
            Err(error) if is_lost(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_lost(error: &StorageError) -> bool {
    matches!(
        error.kind(),
        StorageErrorKind::AlreadyExists
            | StorageErrorKind::PreconditionFailed
            | StorageErrorKind::NotFound
    )
}
