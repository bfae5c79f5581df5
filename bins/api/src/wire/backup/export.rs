//! The history as a file.

use super::Backup;
use crate::wire::export::Exported;

impl Exported for Backup {
    const FILE: &'static str = "backups";

    const COLUMNS: &'static [&'static str] = &[
        "id",
        "job_id",
        "database_id",
        "database_name",
        "database_type",
        "engine_id",
        "engine_name",
        "status",
        "state",
        "started_at",
        "completed_at",
        "duration_seconds",
        "container",
        "blob_name",
        "blob_url",
        "file_size_bytes",
        "size",
        "plain_size_bytes",
        "sha256",
        "file_format",
        "error_message",
        "error_details",
        "error_kind",
        "retry_count",
        "triggered_by",
        "tier",
        "tiers",
        "created_at",
        "retention.pinned",
        "retention.held",
        "retention.labels",
        "retention.verified_at",
        "retention.verification_failed_at",
        "retention.deletes_after",
        "retention.deleted_at",
        "retention.reason",
        "retention.text",
    ];
}
