//! What an engine answered: its databases, and whether it let us in.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::FoundDatabase;

/// A database found on a server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiscoveredDatabase {
    /// Name on the server.
    #[schema(example = "orders_db")]
    name: String,
    /// Whether it is registered.
    exists: bool,
    /// Id under which it is registered.
    existing_id: Option<String>,
    /// Whether it belongs to the server itself.
    is_system: bool,
    /// The same as `is_system`.
    system: bool,
    /// Whether it is registered but was not found on the server.
    missing: bool,
}

impl From<&FoundDatabase> for DiscoveredDatabase {
    fn from(found: &FoundDatabase) -> Self {
        Self {
            name: found.name.to_string(),
            exists: found.registered_as.is_some(),
            existing_id: found.registered_as.as_ref().map(ToString::to_string),
            is_system: found.is_system,
            system: found.is_system,
            missing: found.is_missing,
        }
    }
}

/// What a discovery found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiscoveredDatabases {
    /// The databases, by name; registered ones that were not found come last.
    pub(crate) databases: Vec<DiscoveredDatabase>,
    /// The engine.
    pub(crate) engine_id: String,
    /// Its label.
    pub(crate) engine_name: String,
    /// Why backups of them are not made; absent where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// Outcome of a connection test of an engine. A failed test is an answer, not an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineTest {
    /// Whether it answered and let us in.
    pub(crate) success: bool,
    /// What happened, for a person. Where no backups are made of the type, it says so.
    #[schema(example = "Connection successful")]
    pub(crate) message: String,
    /// Milliseconds until the outcome.
    pub(crate) latency_ms: f64,
    /// Kind of failure.
    pub(crate) error_type: Option<String>,
    /// What the server says it is.
    pub(crate) server_version: Option<String>,
}

/// A job that the removal of an engine would cancel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelledJob {
    /// Id.
    id: String,
    /// `backup`, `restore` or `verify`.
    kind: &'static str,
    /// `pending`, `running` or `retrying`.
    state: &'static str,
    /// Database that it belongs to.
    database_id: String,
}

/// A database that would go with its engine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemovedDatabase {
    /// Id.
    id: String,
    /// Label.
    name: String,
    /// Name on the server.
    database_name: String,
}

/// What the removal of an engine would take with it. Backups stay, unless they are to go too.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemovalPreview {
    /// The engine.
    engine_id: String,
    /// Its label.
    engine_name: String,
    /// Whether `delete_databases=true` is needed.
    needs_delete_databases: bool,
    /// Its databases, which go only when that is asked for.
    databases: Vec<RemovedDatabase>,
    /// Jobs that would be cancelled.
    jobs: Vec<CancelledJob>,
    /// Their backups, which go only when `delete_backups` is sent too.
    backup_count: u64,
    /// Stored bytes of those.
    backup_bytes: u64,
}

impl From<&crate::app::RemovalPreview> for RemovalPreview {
    fn from(preview: &crate::app::RemovalPreview) -> Self {
        let databases = preview.databases.iter().map(|view| {
            let database = &view.database.value;
            RemovedDatabase {
                id: database.id.to_string(),
                name: database.label.to_string(),
                database_name: database.database_name.to_string(),
            }
        });
        let jobs = preview.jobs.iter().map(|job| CancelledJob {
            id: job.id.to_string(),
            kind: job.work.kind(),
            state: job.state.as_str(),
            database_id: job.database_id.to_string(),
        });
        Self {
            engine_id: preview.engine.id.to_string(),
            engine_name: preview.engine.name.to_string(),
            needs_delete_databases: !preview.databases.is_empty(),
            databases: databases.collect(),
            jobs: jobs.collect(),
            backup_count: preview.backup_count,
            backup_bytes: preview.backup_bytes,
        }
    }
}
