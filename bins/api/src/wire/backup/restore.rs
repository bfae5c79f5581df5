//! Restores on the wire.

use dilux_core::model::{DatabaseName, EngineId, RestoreWork};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Started;
use crate::input::{Fields, FromFields};

/// A wish to restore a backup into a new database.
#[derive(Debug, ToSchema)]
pub(crate) struct RestoreWish {
    /// Name of the new database; `{name}_restored_{YYYYMMDD_HHMMSS}` when absent.
    #[schema(value_type = Option<String>, example = "orders_restored")]
    pub(crate) target_database: Option<DatabaseName>,
    /// Engine to restore onto; the backup's own when absent.
    #[schema(value_type = Option<String>)]
    pub(crate) engine_id: Option<EngineId>,
    /// Whether to compare the result with the live source; `true` when absent.
    #[schema(value_type = Option<bool>)]
    pub(crate) compare_with_source: bool,
}

impl FromFields for RestoreWish {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            target_database: fields.optional("target_database"),
            engine_id: fields.optional("engine_id"),
            compare_with_source: fields.optional("compare_with_source").unwrap_or(true),
        })
    }
}

/// A restore that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoreQueued {
    /// What happened.
    #[schema(example = "Restore job queued")]
    message: &'static str,
    /// The job to watch.
    job_id: String,
    /// Message that rings for a new job; `null` for one that was there.
    queue_message_id: Option<String>,
    /// The backup.
    backup_id: String,
    /// Engine that the backup is restored onto.
    target_engine_id: String,
    /// The new database.
    target_database: String,
}

impl RestoreQueued {
    /// The job of `started`, which does `work`.
    pub(crate) fn new(started: &Started, work: &RestoreWork) -> Self {
        let message = if started.is_new {
            "Restore job queued"
        } else {
            "This Idempotency-Key started this job before"
        };
        Self {
            message,
            job_id: started.job.id.to_string(),
            queue_message_id: started.message_id.clone(),
            backup_id: work.backup_id.to_string(),
            target_engine_id: work.target_engine.to_string(),
            target_database: work.target_database.to_string(),
        }
    }
}
