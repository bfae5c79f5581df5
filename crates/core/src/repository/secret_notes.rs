//! Names of secrets that a change is at, or was when it was cut off: table `secretnotes`, partition
//! `secret`, one row per name.

use std::sync::Arc;

use jiff::Timestamp;

use super::collection::Version;
use super::row::{RowError, RowReader, RowWriter};
use super::rows::Rows;
use crate::custody::{SecretNote, SecretOwner};
use crate::secret::SecretName;
use crate::storage::{
    Condition, EntityKey, Filter, Query, StorageErrorKind, StorageResult, TableName,
    TableOperation, TableStore,
};

const PARTITION: &str = "secret";
const ENGINE: &str = "engine";
const DATABASE: &str = "database";

/// A note as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The note.
    pub note: SecretNote,
    /// Its version.
    pub version: Version,
    /// When it was last written, by the store's clock.
    pub at: Timestamp,
}

/// All notes.
#[derive(Debug, Default)]
pub struct NotedSecrets {
    /// The good rows.
    pub items: Vec<Noted>,
    /// How many others there are.
    pub damaged: u64,
}

/// The notes.
#[derive(Debug, Clone)]
pub struct SecretNoteRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl SecretNoteRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    fn key(name: &SecretName) -> EntityKey {
        EntityKey::new(PARTITION, name.as_str())
    }

    /// Writes notes, all or none of them; one that is there becomes as young as the others.
    pub async fn put(&self, notes: &[SecretNote]) -> StorageResult<()> {
        let writes = notes.iter().map(|note| {
            let mut row = RowWriter::new(Self::key(&note.name));
            let (kind, id) = match &note.owner {
                SecretOwner::Engine(id) => (ENGINE, id.as_str()),
                SecretOwner::Database(id) => (DATABASE, id.as_str()),
            };
            row.text("owner_kind", kind);
            row.text("owner_id", id);
            TableOperation::Replace(row.finish(), Condition::None)
        });
        let writes = writes.collect();
        self.tables.write_batch(&self.table, writes).await.map(drop)
    }

    /// Takes a note away; one that is gone counts as taken away.
    pub async fn forget(&self, name: &SecretName) -> StorageResult<()> {
        self.delete(name, Condition::Exists).await
    }

    /// The same, unless it was written again since it was read.
    pub async fn forget_read(&self, noted: &Noted) -> StorageResult<()> {
        let condition = Condition::Matches(noted.version.clone());
        match self.delete(&noted.note.name, condition).await {
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => Ok(()),
            outcome => outcome,
        }
    }

    async fn delete(&self, name: &SecretName, condition: Condition) -> StorageResult<()> {
        let delete = TableOperation::Delete(Self::key(name), condition);
        match self.tables.write(&self.table, delete).await {
            Err(error) if error.kind() != StorageErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads all.
    pub async fn list(&self) -> StorageResult<NotedSecrets> {
        let query = Query {
            filter: Some(Filter::partition(PARTITION)),
            ..Query::default()
        };
        let mut rows = Rows::new(&*self.tables, &self.table, query);
        let mut all = NotedSecrets::default();
        while let Some(row) = rows.next().await? {
            match read(&RowReader(&row.entity)) {
                Ok(note) => all.items.push(Noted {
                    note,
                    version: row.etag,
                    at: row.timestamp,
                }),
                Err(error) => {
                    tracing::warn!(%error, row = %row.entity.key.row, "the note of a secret cannot be decoded");
                    all.damaged += 1;
                }
            }
        }
        Ok(all)
    }
}

fn read(row: &RowReader<'_>) -> Result<SecretNote, RowError> {
    let fault = |property: &str, reason: String| RowError {
        property: property.to_owned(),
        reason,
    };
    let owner = match row.text("owner_kind")? {
        ENGINE => SecretOwner::Engine(row.parsed("owner_id")?),
        DATABASE => SecretOwner::Database(row.parsed("owner_id")?),
        _ => return Err(fault("owner_kind", "names no kind of owner".to_owned())),
    };
    let name =
        SecretName::new(row.row_key()).map_err(|error| fault("RowKey", error.to_string()))?;
    Ok(SecretNote { name, owner })
}
