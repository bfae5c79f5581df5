//! Backup: one line of history, from the start of the first attempt to the committed result.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::{BackupId, DatabaseId, EngineId, EngineType, InvalidName, JobId, Label, Tier, Trigger};
use crate::transfer::Failure;

/// State of a backup as users see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupStatus {
    /// Booked.
    Pending,
    /// Running.
    InProgress,
    /// Its manifest is there.
    Completed,
    /// It failed for good.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl BackupStatus {
    /// Every status, in the order of the documents.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for BackupStatus {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| {
                InvalidName(
                    "must be one of pending, in_progress, completed, failed, cancelled".to_owned(),
                )
            })
    }
}

impl fmt::Display for BackupStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A line of history. `id` and `created_at` are the job's and never change, so every attempt
/// writes the same row.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// Id.
    pub id: BackupId,
    /// Job that owed it.
    pub job_id: JobId,
    /// Database.
    pub database_id: DatabaseId,
    /// Label of the database at the time.
    pub database_label: Label,
    /// Engine.
    pub engine_id: Option<EngineId>,
    /// Type of the engine.
    pub engine_type: EngineType,
    /// State.
    pub status: BackupStatus,
    /// When the job was booked.
    pub created_at: Timestamp,
    /// Start of the last attempt.
    pub started_at: Option<Timestamp>,
    /// End.
    pub completed_at: Option<Timestamp>,
    /// Container of the data.
    pub container: Option<String>,
    /// Blob of the data.
    pub blob_name: Option<String>,
    /// Bytes as stored.
    pub stored_bytes: Option<u64>,
    /// Bytes as dumped.
    pub plain_bytes: Option<u64>,
    /// SHA-256 of the stored bytes.
    pub stored_sha256: Option<String>,
    /// `sql.gz`.
    pub format: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Attempts after the first.
    pub retry_count: u32,
    /// Who asked.
    pub trigger: Trigger,
    /// Tiers that it serves.
    pub tiers: Vec<Tier>,
}

impl Backup {
    /// Seconds from start to end, when both are known.
    pub fn duration_seconds(&self) -> Option<f64> {
        let (start, end) = (self.started_at?, self.completed_at?);
        Some(end.duration_since(start).as_secs_f64())
    }
}
