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
}

/// Outcome of a connection test of an engine. A failed test is an answer, not an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineTest {
    /// Whether it answered and let us in.
    pub(crate) success: bool,
    /// What happened, for a person.
    #[schema(example = "Connection successful")]
    pub(crate) message: String,
    /// Milliseconds until the outcome.
    pub(crate) latency_ms: f64,
    /// Kind of failure.
    pub(crate) error_type: Option<String>,
    /// What the server says it is.
    pub(crate) server_version: Option<String>,
}
