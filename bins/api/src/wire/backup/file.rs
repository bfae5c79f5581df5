//! The data of backups as files, on the wire.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::{BackupFile, BackupFiles};
use crate::input::{Filters, FromQuery};

/// Which files to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// What their names begin with, such as `mysql/`; all when absent.
    #[param(value_type = Option<String>)]
    pub(crate) prefix: String,
    /// Most files in the answer, 0–1000; 100 when absent.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 1000)]
    pub(crate) limit: usize,
}

impl FromQuery for FileQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let limit = filters.number("limit", 0..=1000).unwrap_or(100);
        let prefix = filters.text("prefix").unwrap_or_default().to_owned();
        if prefix.len() > 1024 || prefix.chars().any(char::is_control) {
            let reason = "must be at most 1024 bytes long, without control characters";
            filters.problem("prefix", reason);
        }
        Some(Self {
            prefix,
            limit: usize::try_from(limit).ok()?,
        })
    }
}

/// The data of a backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct File {
    /// Name of its blob.
    name: String,
    /// Bytes.
    size: u64,
    /// When its backup was begun.
    created_at: String,
    /// When it was written.
    last_modified: String,
    /// Content type.
    #[schema(example = "application/gzip")]
    content_type: String,
    /// Its backup.
    backup_id: String,
    /// Container that holds it.
    container: String,
}

impl From<&BackupFile> for File {
    fn from(file: &BackupFile) -> Self {
        let backup = &file.backup;
        Self {
            name: file.name.clone(),
            size: file.size,
            created_at: backup.started_at.unwrap_or(backup.created_at).to_string(),
            last_modified: file.last_modified.to_string(),
            content_type: file.content_type.clone(),
            backup_id: backup.id.to_string(),
            container: file.container.clone(),
        }
    }
}

/// Files by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileList {
    /// The files.
    files: Vec<File>,
    /// Files in this answer.
    count: usize,
    /// Whether more follow.
    has_more: bool,
}

impl From<&BackupFiles> for FileList {
    fn from(list: &BackupFiles) -> Self {
        Self {
            files: list.files.iter().map(File::from).collect(),
            count: list.files.len(),
            has_more: list.has_more,
        }
    }
}
