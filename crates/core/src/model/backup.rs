//! Backup: one line of history, from the start of the first attempt to the committed result.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::{
    BackupId, DatabaseId, EngineId, EngineType, InvalidName, Job, JobId, JobOwner, Label, Manifest,
    Tier, Trigger, Work,
};
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
    /// It was never tried, for a reason.
    Missed,
    /// It was completed, but its data or manifest is missing, truncated, or failed verification.
    Damaged,
    /// It was completed, and deleted later.
    Deleted,
}

impl BackupStatus {
    /// Every status, in the order of the documents.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Missed,
        Self::Damaged,
        Self::Deleted,
    ];

    /// Whether a backup was made, whatever became of it since.
    pub fn was_completed(self) -> bool {
        matches!(self, Self::Completed | Self::Damaged | Self::Deleted)
    }

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Missed => "missed",
            Self::Damaged => "damaged",
            Self::Deleted => "deleted",
        }
    }

    /// Whether a filter for `wanted` lets it pass: `failed` also finds what was missed.
    pub fn is_found_as(self, wanted: Self) -> bool {
        self == wanted || self.documented() == wanted
    }

    /// The status in the words of the Python product, whose clients know no `missed`: a slot
    /// without a backup is a failure to them. `damaged` and `deleted` stay: what it showed instead,
    /// `completed` with a dead link, would be a lie.
    #[must_use]
    pub fn documented(self) -> Self {
        match self {
            Self::Missed => Self::Failed,
            other => other,
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
                    "must be one of pending, in_progress, completed, failed, cancelled, missed, \
                     damaged, deleted"
                        .to_owned(),
                )
            })
    }
}

impl fmt::Display for BackupStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What the history line of a backup shows of its retention state, which alone decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct BackupMarks {
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// Whether it is held.
    pub is_held: bool,
    /// Free labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When it was last verified and found whole.
    pub verified_at: Option<Timestamp>,
    /// When a verification last found it damaged.
    pub verification_failed_at: Option<Timestamp>,
    /// Since when it is known to be damaged in the way that was last found.
    pub damaged_since: Option<Timestamp>,
    /// When it is deleted, unless somebody objects.
    pub deletes_after: Option<Timestamp>,
    /// When its deletion began.
    pub deleted_at: Option<Timestamp>,
    /// Why it is to go or is gone, for programs.
    pub reason: Option<String>,
    /// Why it is to go or is gone, or what is wrong with it: one sentence.
    pub sentence: Option<String>,
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
    /// What retention has to say.
    pub marks: BackupMarks,
    /// How often the job had been claimed when the line was written. A line of an earlier claim
    /// never takes the place of one of a later claim, however late it arrives.
    pub epoch: u64,
}

impl Backup {
    /// The owner of jobs that read this backup.
    pub fn job_owner(&self) -> JobOwner {
        JobOwner {
            database_id: self.database_id.clone(),
            database_label: self.database_label.clone(),
            engine_type: self.engine_type,
        }
    }

    /// Whether this line may take the place of `present`: what was made stays so, what was deleted
    /// too; then later claims win, and of one claim its end.
    pub fn supersedes(&self, present: &Self) -> bool {
        self.rank() >= present.rank()
    }

    fn rank(&self) -> (u8, u64, bool) {
        let (stage, is_over) = match self.status {
            BackupStatus::Pending | BackupStatus::InProgress => (0, false),
            BackupStatus::Failed | BackupStatus::Cancelled | BackupStatus::Missed => (0, true),
            BackupStatus::Completed | BackupStatus::Damaged => (1, true),
            BackupStatus::Deleted => (2, true),
        };
        (stage, self.epoch, is_over)
    }

    /// The line of a backup job, as far as its row alone can tell.
    pub fn of_job(job: &Job) -> Self {
        let tiers = match &job.work {
            Work::Backup(work) => work.tiers.clone(),
            Work::Restore(_) | Work::Verify(_) => Vec::new(),
        };
        Self {
            id: BackupId::from(&job.id),
            job_id: job.id.clone(),
            database_id: job.database_id.clone(),
            database_label: job.database_label.clone(),
            engine_id: None,
            engine_type: job.engine_type,
            status: job.backup_status(),
            created_at: job.created_at,
            started_at: job.started_at(),
            completed_at: job.ended_at(),
            container: None,
            blob_name: None,
            stored_bytes: None,
            plain_bytes: None,
            stored_sha256: None,
            format: None,
            failure: job.failure().cloned(),
            retry_count: job.attempts.saturating_sub(1),
            trigger: job.trigger,
            tiers,
            marks: BackupMarks::default(),
            epoch: job.epoch,
        }
    }

    /// The line of a committed backup. Its manifest tells all of it, so that the history can be
    /// written again from manifests alone and comes out the same.
    pub fn of_manifest(manifest: &Manifest) -> Self {
        let retry_count = u32::try_from(manifest.epoch.saturating_sub(1)).unwrap_or(u32::MAX);
        Self {
            id: BackupId::from(&manifest.job_id),
            job_id: manifest.job_id.clone(),
            database_id: manifest.database_id.clone(),
            database_label: manifest.database_label.clone(),
            engine_id: Some(manifest.engine_id.clone()),
            engine_type: manifest.engine_type,
            status: BackupStatus::Completed,
            created_at: manifest.job_created_at,
            started_at: Some(manifest.started_at),
            completed_at: Some(manifest.committed_at),
            container: Some(manifest.data.container.clone()),
            blob_name: Some(manifest.data.blob.clone()),
            stored_bytes: Some(manifest.data.stored_bytes),
            plain_bytes: Some(manifest.data.plain_bytes),
            stored_sha256: Some(manifest.data.stored_sha256.clone()),
            format: Some(manifest.data.format.clone()),
            failure: None,
            retry_count,
            trigger: manifest.trigger,
            tiers: manifest.tiers.clone(),
            marks: BackupMarks::default(),
            epoch: manifest.epoch,
        }
    }

    /// Seconds from start to end, when both are known.
    pub fn duration_seconds(&self) -> Option<f64> {
        let (start, end) = (self.started_at?, self.completed_at?);
        Some(end.duration_since(start).as_secs_f64())
    }
}
