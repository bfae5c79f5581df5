//! Verifications of backups on the wire.

use dilux_core::model::{BackupId, EngineId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Started;
use crate::input::{Fields, FromFields};

/// How to verify a backup.
#[derive(Debug, ToSchema)]
pub(crate) struct VerifyWish {
    /// Engine on which the backup is also restored, into a database that is dropped again. When
    /// absent its data is only read to the end and compared with its lengths and hashes.
    #[schema(value_type = Option<String>)]
    pub(crate) engine_id: Option<EngineId>,
}

impl FromFields for VerifyWish {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            engine_id: fields.optional("engine_id"),
        })
    }
}

/// A verification that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerificationQueued {
    /// What happened.
    #[schema(example = "Verification job queued")]
    message: &'static str,
    /// The job to watch.
    job_id: String,
    /// Message that rings for a new job; `null` for one that was there.
    queue_message_id: Option<String>,
    /// The backup.
    backup_id: String,
}

impl VerificationQueued {
    /// The job of `started`, which verifies `backup`.
    pub(crate) fn new(started: &Started, backup: &BackupId) -> Self {
        let message = match (started.is_new, started.job.is_terminal()) {
            (true, _) => "Verification job queued",
            (false, false) => "A verification of this backup waits or runs already",
            (false, true) => "This Idempotency-Key started this job, which is over",
        };
        Self {
            message,
            job_id: started.job.id.to_string(),
            queue_message_id: started.message_id.clone(),
            backup_id: backup.to_string(),
        }
    }
}
