//! Backups on the wire.

mod deletion;
mod download;
mod export;
mod file;
mod label;
mod list;
mod restore;
mod verification;

use std::collections::BTreeMap;

use dilux_core::model::{self, BackupMarks, BackupStatus, Manifest, Tier};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use deletion::{
    BackupDeleted, BackupsDeleted, BulkDeleted, BulkDeletion, BulkDeletionBody, DeletionQuery,
};
pub(crate) use download::{DownloadLink, DownloadQuery};
pub(crate) use file::{FileList, FileQuery};
pub(crate) use label::{Labels, LabelsBody};
pub(super) use list::read_cursor;
pub(crate) use list::{BackupList, BackupPageQuery, BackupSelection};
pub(crate) use restore::{
    NewRestore, NewRestoreBody, RestoreFilter, RestoreList, RestoreQueued, RestoreWish,
};
pub(crate) use verification::{VerificationQueued, VerifyWish};

use super::enum_text;
use crate::app::BackupView;
use crate::caller::Caller;

/// A line of the history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Backup {
    /// Id.
    id: String,
    /// Job that owed it.
    job_id: String,
    /// Database.
    database_id: String,
    /// Label of the database at the time.
    database_name: String,
    /// Type of its engine.
    #[schema(example = "postgresql")]
    database_type: String,
    /// Engine, while it is registered.
    engine_id: Option<String>,
    /// Its label.
    engine_name: Option<String>,
    /// `pending`, `in_progress`, `completed`, `failed` or `cancelled`.
    #[schema(example = "completed")]
    status: &'static str,
    /// The status, where a slot that was never tried is `missed` and not `failed`.
    #[schema(example = "completed")]
    state: &'static str,
    /// Start of the last attempt.
    started_at: Option<String>,
    /// End.
    completed_at: Option<String>,
    /// Seconds from start to end.
    duration_seconds: Option<f64>,
    /// Container of the data.
    container: Option<String>,
    /// Blob of the data.
    blob_name: Option<String>,
    /// Path at which this API gives the data.
    blob_url: Option<String>,
    /// Bytes as stored.
    file_size_bytes: Option<u64>,
    /// The same as `file_size_bytes`.
    size: Option<u64>,
    /// Bytes as dumped.
    plain_size_bytes: Option<u64>,
    /// SHA-256 of the stored bytes.
    sha256: Option<String>,
    /// `sql.gz`, `sql.zst` or `sql`.
    #[schema(example = "sql.gz")]
    file_format: Option<String>,
    /// Why it failed; for viewers in general words.
    error_message: Option<String>,
    /// The tool's last words; `null` for viewers.
    error_details: Option<String>,
    /// Kind of failure.
    error_kind: Option<String>,
    /// Attempts after the first.
    retry_count: u32,
    /// `manual` or `scheduler`.
    triggered_by: &'static str,
    /// The longest-lived tier that it serves.
    tier: Option<&'static str>,
    /// All tiers that it serves.
    tiers: Vec<&'static str>,
    /// When it was booked.
    created_at: String,
    /// What retention has to say about it.
    retention: Retention,
}

/// What retention has to say about a backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Retention {
    /// Kept until it is unpinned.
    pinned: bool,
    /// Kept until it is released.
    held: bool,
    /// Free labels.
    labels: BTreeMap<String, String>,
    /// When it was last verified and found whole.
    verified_at: Option<String>,
    /// When a verification found it damaged.
    verification_failed_at: Option<String>,
    /// When it is deleted, unless somebody objects.
    deletes_after: Option<String>,
    /// When it was deleted.
    deleted_at: Option<String>,
    /// Why it is to go or is gone, for programs.
    #[schema(example = "tier_full")]
    reason: Option<String>,
    /// Why it is to go or is gone, or what is wrong with it.
    text: Option<String>,
}

impl From<&BackupMarks> for Retention {
    fn from(marks: &BackupMarks) -> Self {
        let text = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
        Self {
            pinned: marks.is_pinned,
            held: marks.is_held,
            labels: marks.labels.clone(),
            verified_at: text(marks.verified_at),
            verification_failed_at: text(marks.verification_failed_at),
            deletes_after: text(marks.deletes_after),
            deleted_at: text(marks.deleted_at),
            reason: marks.reason.clone(),
            text: marks.sentence.clone(),
        }
    }
}

impl Backup {
    /// A line of the history as the caller may see it.
    pub(crate) fn new(view: &BackupView, caller: &Caller) -> Self {
        let backup = &view.backup;
        let failure = backup.failure.as_ref();
        let engine = view.engine.as_ref();
        let blob_url = backup
            .blob_name
            .as_ref()
            .filter(|_| backup.status != BackupStatus::Deleted)
            .map(|_| format!("/api/backups/{}/data", backup.id));
        Self {
            id: backup.id.to_string(),
            job_id: backup.job_id.to_string(),
            database_id: backup.database_id.to_string(),
            database_name: backup.database_label.to_string(),
            database_type: backup.engine_type.to_string(),
            engine_id: engine.map(|engine| engine.id.to_string()),
            engine_name: engine.map(|engine| engine.name.to_string()),
            status: backup.status.documented().as_str(),
            state: backup.status.as_str(),
            started_at: backup.started_at.map(|at| at.to_string()),
            completed_at: backup.completed_at.map(|at| at.to_string()),
            duration_seconds: backup.duration_seconds(),
            container: backup.container.clone(),
            blob_name: backup.blob_name.clone(),
            blob_url,
            file_size_bytes: backup.stored_bytes,
            size: backup.stored_bytes,
            plain_size_bytes: backup.plain_bytes,
            sha256: backup.stored_sha256.clone(),
            file_format: backup.format.clone(),
            error_message: failure.map(|it| super::failure::message(it.kind, &it.message, caller)),
            error_details: failure.and_then(|it| super::failure::detail(it, caller)),
            error_kind: failure.and_then(|failure| enum_text(&failure.kind)),
            retry_count: backup.retry_count,
            triggered_by: backup.trigger.as_str(),
            tier: backup.tiers.last().copied().map(Tier::as_str),
            tiers: backup.tiers.iter().copied().map(Tier::as_str).collect(),
            created_at: backup.created_at.to_string(),
            retention: Retention::from(&backup.marks),
        }
    }
}

/// What the manifest beside the data says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManifestFacts {
    /// Name of the database on its server.
    database_name: String,
    /// The server.
    #[schema(example = "postgresql 15.20")]
    server: String,
    /// The tool that dumped.
    #[schema(example = "pg_dump 15.20")]
    tool: String,
    /// SHA-256 of the dump before compression.
    plain_sha256: String,
    /// What a person should know about this backup, a sentence each; none for viewers.
    notes: Vec<String>,
    /// Warnings of the tool; none for viewers.
    warnings: String,
    /// When the data was committed.
    committed_at: String,
}

impl ManifestFacts {
    /// What the caller may see: notes and warnings may name accounts.
    pub(crate) fn new(manifest: &Manifest, caller: &Caller) -> Self {
        let (notes, warnings) = if caller.sees_accounts() {
            (manifest.notes.clone(), manifest.warnings.clone())
        } else {
            <_>::default()
        };
        Self {
            database_name: manifest.database_name.to_string(),
            server: format!("{} {}", manifest.server.flavour, manifest.server.version),
            tool: format!("{} {}", manifest.tool.name, manifest.tool.version),
            plain_sha256: manifest.data.plain_sha256.clone(),
            notes,
            warnings,
            committed_at: manifest.committed_at.to_string(),
        }
    }
}

/// One backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneBackup {
    /// The line of the history.
    pub(crate) backup: Backup,
    /// What the manifest says; `null` while there is none, and then there is nothing to restore.
    pub(crate) manifest: Option<ManifestFacts>,
}

/// What a backup is called for people.
pub(crate) fn describe(backup: &model::Backup) -> String {
    format!("{} ({})", backup.database_label, backup.created_at)
}
