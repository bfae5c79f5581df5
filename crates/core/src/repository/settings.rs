//! Settings: table `settings`, partition `settings`, the one row `app`.

use std::sync::Arc;

use super::collection::{Version, Versioned, decode, versioned};
use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{AppSettings, Compression};
use crate::storage::{Condition, EntityKey, StorageResult, TableName, TableOperation, TableStore};

const ROW: &str = "app";

/// The settings row.
#[derive(Debug, Clone)]
pub struct SettingsRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl SettingsRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(crate) fn table(&self) -> &TableName {
        &self.table
    }

    /// The settings, `None` while nobody has changed them.
    pub async fn get(&self) -> StorageResult<Option<Versioned<AppSettings>>> {
        let key = EntityKey::new("settings", ROW);
        self.tables
            .get(&self.table, &key)
            .await?
            .map(|row| decode(&row))
            .transpose()
    }

    /// Writes the settings in the version that was read, or for the first time.
    pub async fn put(
        &self,
        settings: AppSettings,
        version: Option<&Version>,
    ) -> StorageResult<Versioned<AppSettings>> {
        let mut row = RowWriter::new(EntityKey::new("settings", ROW));
        settings.write(&mut row);
        let operation = match version {
            None => TableOperation::Insert(row.finish()),
            Some(version) => {
                TableOperation::Replace(row.finish(), Condition::Matches(version.clone()))
            }
        };
        let version = self.tables.write(&self.table, operation).await?;
        versioned(settings, version)
    }
}

impl Row for AppSettings {
    fn row_key(&self) -> String {
        ROW.to_owned()
    }

    fn write(&self, row: &mut RowWriter) {
        row.flag("dark_mode", self.dark_mode);
        row.small("default_retention_days", self.default_retention_days);
        row.flag(
            "default_compression",
            self.default_compression != Compression::None,
        );
        row.text(
            "default_compression_method",
            self.default_compression.as_str(),
        );
        row.flag("access_requests_enabled", self.access_requests_enabled);
        row.optional_instant("updated_at", self.updated_at);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let days = row.optional_number("default_retention_days")?.unwrap_or(30);
        let default_retention_days = u32::try_from(days)
            .ok()
            .filter(|days| (1..=365).contains(days))
            .ok_or_else(|| RowError {
                property: "default_retention_days".to_owned(),
                reason: "must be between 1 and 365".to_owned(),
            })?;
        let absent = if row.flag("default_compression", true)? {
            Compression::Gzip
        } else {
            Compression::None
        };
        Ok(Self {
            dark_mode: row.flag("dark_mode", false)?,
            default_retention_days,
            default_compression: row
                .optional_parsed("default_compression_method")?
                .unwrap_or(absent),
            access_requests_enabled: row.flag("access_requests_enabled", true)?,
            updated_at: row.optional_instant("updated_at")?,
        })
    }
}
