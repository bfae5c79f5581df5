//! Deletions of backups on the wire.

use dilux_core::model::Backup;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::{BulkOutcome, Deleted};
use crate::input::{Fields, Filters, FromFields, FromQuery};

/// Most backups that one request deletes: their names fit into one entry of the audit log.
const BULK_LIMIT: usize = 200;

/// Longest name or id that is looked for.
const NAME_LIMIT: usize = 1024;

/// Which blob's backup to delete.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeletionQuery {
    /// Blob of a backup, as in `blob_name` of the list.
    pub(crate) blob_name: String,
}

impl FromQuery for DeletionQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            blob_name: filters.required("blob_name")?.to_owned(),
        })
    }
}

/// Which backups to delete.
#[derive(Debug)]
pub(crate) enum BulkDeletion {
    /// Those with these blobs.
    Blobs(Vec<String>),
    /// Those with these ids.
    Ids(Vec<String>),
}

impl BulkDeletion {
    /// The names or ids, each once, in the order in which they were sent.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let (Self::Blobs(names) | Self::Ids(names)) = self;
        names.iter().map(String::as_str)
    }
}

/// Which backups to delete, at most 200: one of the two lists.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct BulkDeletionBody {
    /// Blobs of backups.
    blob_names: Option<Vec<String>>,
    /// Ids of backups.
    backup_ids: Option<Vec<String>>,
}

impl FromFields for BulkDeletion {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (blobs, ids) = (fields.has("blob_names"), fields.has("backup_ids"));
        let name = if ids { "backup_ids" } else { "blob_names" };
        if blobs && ids {
            fields.problem(name, "contradicts blob_names; send one of them");
            return None;
        }
        let mut names: Vec<String> = Vec::new();
        for value in fields.values::<String>(name) {
            if value.len() > NAME_LIMIT {
                fields.problem(
                    name,
                    format!("must hold texts of at most {NAME_LIMIT} bytes"),
                );
                return None;
            }
            if !names.contains(&value) {
                names.push(value);
            }
        }
        if fields.list(name).is_empty() {
            fields.problem(name, "is required, and must hold at least one");
            None
        } else if names.len() > BULK_LIMIT {
            fields.problem(name, format!("must hold at most {BULK_LIMIT}"));
            None
        } else if ids {
            Some(Self::Ids(names))
        } else {
            Some(Self::Blobs(names))
        }
    }
}

/// A backup that is deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupDeleted {
    /// What happens.
    message: String,
    /// The backup.
    backup_id: String,
    /// Its blob; `null` for a line without data.
    blob_name: Option<String>,
    /// When its data goes, unless the deletion is taken back; `null` for a line without data.
    deletes_after: Option<String>,
}

impl From<&Backup> for BackupDeleted {
    fn from(backup: &Backup) -> Self {
        let deletes_after = backup.marks.deletes_after.map(|at| at.to_string());
        let named = backup.blob_name.as_deref().unwrap_or(backup.id.as_str());
        let until = deletes_after.as_deref().unwrap_or_default();
        Self {
            message: format!(
                "Backup '{named}' is deleted after {until}; until then this can be taken back"
            ),
            backup_id: backup.id.to_string(),
            blob_name: backup.blob_name.clone(),
            deletes_after,
        }
    }
}

impl From<&Deleted> for BackupDeleted {
    fn from(deleted: &Deleted) -> Self {
        match deleted {
            Deleted::Announced(backup) => Self::from(&**backup),
            Deleted::LineRemoved(id) => Self {
                message: format!("Backup record '{id}' deleted successfully"),
                backup_id: id.to_string(),
                blob_name: None,
                deletes_after: None,
            },
        }
    }
}

/// A backup that stays.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkError {
    /// As it was named: a blob or an id.
    blob_name: String,
    /// Why it stays.
    error: String,
}

/// What became of each.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkResults {
    /// Those that are deleted when their grace period is over.
    deleted: Vec<String>,
    /// Those that are no backup.
    not_found: Vec<String>,
    /// Those that stay.
    errors: Vec<BulkError>,
}

/// What became of a wish to delete several backups.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkDeleted {
    /// How many are deleted.
    #[schema(example = "Deleted 2 backup(s)")]
    message: String,
    /// How many are deleted.
    deleted_count: usize,
    /// How many are no backup.
    not_found_count: usize,
    /// How many stay.
    error_count: usize,
    /// Which.
    results: BulkResults,
}

impl From<BulkOutcome> for BulkDeleted {
    fn from(outcome: BulkOutcome) -> Self {
        let errors = outcome
            .errors
            .into_iter()
            .map(|(blob_name, error)| BulkError { blob_name, error });
        let results = BulkResults {
            deleted: outcome.deleted,
            not_found: outcome.not_found,
            errors: errors.collect(),
        };
        Self {
            message: format!("Deleted {} backup(s)", results.deleted.len()),
            deleted_count: results.deleted.len(),
            not_found_count: results.not_found.len(),
            error_count: results.errors.len(),
            results,
        }
    }
}

/// What became of the backups of databases that were removed with them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupsDeleted {
    /// Backups that go when their grace period is over.
    deleted_files: usize,
    /// Their lines, which stay in the history and say so then.
    deleted_records: usize,
    /// Those that stay, and why.
    errors: Vec<String>,
}

impl From<&crate::app::BackupsDeleted> for BackupsDeleted {
    fn from(deleted: &crate::app::BackupsDeleted) -> Self {
        Self {
            deleted_files: deleted.files,
            deleted_records: deleted.files,
            errors: deleted.errors.clone(),
        }
    }
}
