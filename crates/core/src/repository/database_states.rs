//! The state of each database's backups: table `databasestates`, partition `database`.

use super::collection::{Collection, Versioned};
use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::{DatabaseId, DatabaseState, RecoveryPoint};
use crate::storage::{StorageError, StorageErrorKind, StorageResult};

/// Attempts to change a row that others change too.
const RACES: usize = 16;

impl Collection<DatabaseState, DatabaseId> {
    /// Changes the state of a database, from nothing where it has none yet.
    pub async fn change(
        &self,
        id: &DatabaseId,
        change: impl Fn(&mut DatabaseState) + Send + Sync,
    ) -> StorageResult<DatabaseState> {
        for _ in 0..RACES {
            let present = self.get(id).await?;
            let mut state = match &present {
                Some(present) => present.value.clone(),
                None => DatabaseState::unknown(id.clone()),
            };
            change(&mut state);
            let written = match present {
                Some(Versioned { value, .. }) if value == state => return Ok(state),
                Some(present) => self.replace(state, &present.version).await,
                None => self.insert(state).await,
            };
            match written {
                Ok(stored) => return Ok(stored.value),
                Err(error)
                    if matches!(
                        error.kind(),
                        StorageErrorKind::PreconditionFailed
                            | StorageErrorKind::AlreadyExists
                            | StorageErrorKind::NotFound
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StorageError::new(
            StorageErrorKind::Unavailable,
            "change database state",
            "the row changes faster than it can be written",
        ))
    }
}

impl Row for DatabaseState {
    fn row_key(&self) -> String {
        self.database_id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        if let Some(point) = &self.recovery_point {
            row.text("backup_id", point.backup_id.as_str());
            row.instant("recovery_point", point.at);
        }
        row.small("failures", self.failures);
        row.optional_instant("failed_at", self.failed_at);
        row.optional_text("reason", self.reason.as_deref());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let recovery_point = match row.optional_parsed("backup_id")? {
            None => None,
            Some(backup_id) => Some(RecoveryPoint {
                backup_id,
                at: row.instant("recovery_point")?,
            }),
        };
        Ok(Self {
            database_id: row.key_parsed()?,
            recovery_point,
            failures: row.count("failures")?,
            failed_at: row.optional_instant("failed_at")?,
            reason: row.optional_text("reason")?.map(str::to_owned),
        })
    }
}
