//! What backups take up: in all, and by database, engine and type.

use std::collections::HashMap;

use dilux_core::model::{EngineId, EngineType, Tally};
use serde::Serialize;
use utoipa::ToSchema;

use super::size::{short_size, size};
use crate::app::StorageUse;

/// What backups take up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StorageStats {
    /// Stored bytes of all backups that are there.
    total_size_bytes: u64,
    /// The same for people.
    total_size_formatted: String,
    /// Backups that are there.
    total_backup_count: u64,
    /// Databases that have backups, largest first, also those that are registered no more.
    by_database: Vec<DatabaseShare>,
    /// Engines whose databases have backups, largest first.
    by_engine: Vec<EngineShare>,
    /// By type of database; all types are there.
    by_type: Types,
}

#[derive(Debug, Serialize, ToSchema)]
struct DatabaseShare {
    database_id: String,
    database_name: String,
    #[schema(example = "postgresql")]
    database_type: Option<&'static str>,
    /// `null` when the database is registered no more.
    engine_id: Option<String>,
    size_bytes: u64,
    backup_count: u64,
    size_formatted: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct EngineShare {
    engine_id: String,
    engine_name: String,
    #[schema(example = "postgresql")]
    engine_type: &'static str,
    size_bytes: u64,
    backup_count: u64,
    /// Its databases that have backups.
    database_count: u64,
    size_formatted: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Types {
    mysql: TypeShare,
    postgresql: TypeShare,
    sqlserver: TypeShare,
    /// A type of the Python product; always 0.
    azure_sql: TypeShare,
}

#[derive(Debug, Serialize, ToSchema)]
struct TypeShare {
    size_bytes: u64,
    size_formatted: String,
}

impl TypeShare {
    fn of(size_bytes: u64) -> Self {
        Self {
            size_bytes,
            size_formatted: size(size_bytes),
        }
    }
}

impl From<&StorageUse> for StorageStats {
    fn from(storage: &StorageUse) -> Self {
        let databases = &storage.databases;
        let of_type = |wanted: EngineType| {
            let of_it = databases.iter().filter(|it| it.engine_type == Some(wanted));
            TypeShare::of(of_it.map(|it| it.bytes).sum())
        };
        let total_size_bytes = databases.iter().map(|it| it.bytes).sum();
        Self {
            total_size_bytes,
            total_size_formatted: size(total_size_bytes),
            total_backup_count: databases.iter().map(|it| it.backups).sum(),
            by_database: databases
                .iter()
                .map(|it| DatabaseShare {
                    database_id: it.id.to_string(),
                    database_name: it.name.clone(),
                    database_type: it.engine_type.map(EngineType::as_str),
                    engine_id: it.engine_id.as_ref().map(ToString::to_string),
                    size_bytes: it.bytes,
                    backup_count: it.backups,
                    size_formatted: size(it.bytes),
                })
                .collect(),
            by_engine: shares_of_engines(storage),
            by_type: Types {
                mysql: of_type(EngineType::MySql),
                postgresql: of_type(EngineType::PostgreSql),
                sqlserver: of_type(EngineType::SqlServer),
                azure_sql: TypeShare::of(0),
            },
        }
    }
}

fn shares_of_engines(storage: &StorageUse) -> Vec<EngineShare> {
    let mut sums: HashMap<&EngineId, (u64, u64, u64)> = HashMap::new();
    for database in &storage.databases {
        if let Some(id) = &database.engine_id {
            let (bytes, backups, databases) = sums.entry(id).or_default();
            *bytes += database.bytes;
            *backups += database.backups;
            *databases += 1;
        }
    }
    let share = |(id, (size_bytes, backup_count, database_count)): (&EngineId, _)| {
        let engine = storage.engines.get(id)?;
        Some(EngineShare {
            engine_id: id.to_string(),
            engine_name: engine.name.to_string(),
            engine_type: engine.engine_type.as_str(),
            size_bytes,
            backup_count,
            database_count,
            size_formatted: size(size_bytes),
        })
    };
    let mut shares: Vec<EngineShare> = sums.into_iter().filter_map(share).collect();
    shares.sort_by(|one, other| {
        (other.size_bytes, &one.engine_id).cmp(&(one.size_bytes, &other.engine_id))
    });
    shares
}
/// The history of one database in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupStats {
    /// Lines of the history, however they ended, without those of deleted backups.
    count: u64,
    /// Stored bytes of these.
    total_size_bytes: u64,
    /// The same for people.
    #[schema(example = "1.7 GB")]
    total_size_formatted: String,
}

impl From<&Tally> for BackupStats {
    fn from(tally: &Tally) -> Self {
        Self {
            count: tally.standing,
            total_size_bytes: tally.standing_bytes,
            total_size_formatted: short_size(tally.standing_bytes),
        }
    }
}
