//! Data that decayed is never called whole by whoever began to look at it later.

use dilux_core::model::{Finding, Manifest, VerifyWork};
use jiff::Timestamp;

use super::manifest_of;
use crate::memory::{Content, Row};

/// Since when the data of a backup is not what was written; `None` while it is.
pub(crate) fn decayed_since(content: &Content, job: &str) -> Option<Timestamp> {
    let manifest = manifest_of(content, job)?;
    content.decayed.get(&manifest.data.blob).copied()
}

/// What is wrong with a verification that found nothing wrong and was claimed at `claimed_at`.
pub(super) fn objection_to_success(
    content: &Content,
    work: &VerifyWork,
    claimed_at: Timestamp,
) -> Option<String> {
    let id = work.backup_id.as_str();
    if manifest_of(content, id).is_none() {
        return Some(format!("backup {id} was deleted meanwhile"));
    }
    let since = decayed_since(content, id)?;
    (since < claimed_at).then(|| format!("the data of backup {id} decayed at {since}"))
}

/// What is wrong with a line of history that went from `was` to `is`.
pub(super) fn objection_to_status(
    content: &Content,
    job: &str,
    was: &str,
    is: &str,
) -> Option<&'static str> {
    let has_decayed = decayed_since(content, job).is_some();
    match (was, is) {
        ("completed", "damaged") if !has_decayed => Some("there is nothing wrong with it"),
        ("damaged", "completed") if has_decayed => Some("nobody mended it"),
        _ => None,
    }
}

/// What a row of `retentionstate` says was found of a backup.
pub(crate) fn finding(row: &Row) -> Option<Finding> {
    serde_json::from_str(row.text("finding")).ok()
}

/// What was found of a backup.
pub(crate) fn finding_of(content: &Content, manifest: &Manifest) -> Option<Finding> {
    let (database, job) = (manifest.database_id.as_str(), manifest.job_id.as_str());
    let mut states = content.rows("retentionstate");
    let state = states.find(|(key, _)| key.partition == database && key.row == job);
    finding(state?.1)
}
