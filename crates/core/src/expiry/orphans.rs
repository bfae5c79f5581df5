//! Data that no backup names: left by attempts that died between data and manifest, or by a
//! deletion that was cut off.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::holdings::{Data, Holdings};
use super::run::Run;
use super::{Expiry, refused_by};
use crate::error::Result;
use crate::model::{BackupId, Fate};
use crate::storage::{BlobEntry, BlobName, ContainerName, StorageErrorKind};

/// Metadata that every commit of ours leaves on its data.
const OUR_METADATA: [&str; 2] = ["epoch", "storedsha256"];

/// Hexadecimal digits that end the name of an attempt's data, before its format.
const SUFFIX_LENGTH: usize = 16;

impl Expiry {
    /// Removes data of ours that is old, named by no manifest, line or state, and not about to be:
    /// no job of its database is under way that is older than it.
    pub(super) async fn remove_orphans(
        &self,
        run: &mut Run,
        holdings: &Holdings,
        named: &HashSet<(String, String)>,
    ) -> Result<()> {
        let hours = i64::from(self.installation.settings.retention.orphan_hours);
        let oldest = run.now.saturating_sub(SignedDuration::from_hours(hours));
        let oldest = oldest.unwrap_or(Timestamp::MIN);
        let oldest_job = run.oldest_active.get(&holdings.database_id).copied();
        let suspects: Vec<&Data> = holdings
            .data
            .iter()
            .filter(|data| {
                let key = (
                    data.container.as_str().to_owned(),
                    data.entry.name.as_str().to_owned(),
                );
                let written = data.entry.last_modified;
                !named.contains(&key)
                    && written < oldest
                    && oldest_job.is_none_or(|booked| booked > written)
                    && is_attempt_name(data.entry.name.as_str())
            })
            .collect();
        if suspects.is_empty() {
            return Ok(());
        }
        let known: HashSet<&BackupId> = holdings.backups.iter().map(|one| &one.id).collect();
        for BlobEntry { name, .. } in self.manifest_blobs(&holdings.database_id).await? {
            if !known.iter().any(|id| is_manifest_of(&name, id)) {
                // A manifest appeared while we looked; whose data it names is seen next time.
                return Ok(());
            }
        }
        for data in suspects {
            if self
                .remove_orphan(&data.container, &data.entry.name)
                .await?
            {
                run.report.orphans += 1;
            }
        }
        Ok(())
    }

    async fn remove_orphan(&self, container: &ContainerName, name: &BlobName) -> Result<bool> {
        let blobs = &self.installation.storage.blobs;
        let refused = |error| refused_by(container, &self.installation.settings.container, error);
        let found = blobs.properties(container, name).await;
        let Some(properties) = found.map_err(refused)? else {
            return Ok(false);
        };
        if !OUR_METADATA
            .iter()
            .all(|key| properties.metadata.contains_key(*key))
        {
            return Ok(false);
        }
        match blobs.delete(container, name, Some(&properties.etag)).await {
            Ok(()) => {
                tracing::warn!(blob = %name, container = container.as_str(), bytes = properties.size, "removed data that no backup names");
                Ok(true)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    StorageErrorKind::NotFound
                        | StorageErrorKind::PreconditionFailed
                        | StorageErrorKind::Protected
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(refused(error)),
        }
    }
}

/// What is named by manifests, lines and states: containers and blobs.
pub(super) fn named(holdings: &Holdings) -> HashSet<(String, String)> {
    let by_manifests = holdings.backups.iter().map(|one| {
        let data = &one.manifest.data;
        (data.container.clone(), data.blob.clone())
    });
    let lines = holdings.backups.iter().filter_map(|one| one.line.as_ref());
    let by_lines = lines.chain(&holdings.loose_lines).filter_map(|line| {
        let (container, blob) = (line.container.clone()?, line.blob_name.clone()?);
        Some((container, blob))
    });
    let by_states = holdings
        .loose_states
        .iter()
        .filter_map(|state| match &state.value.fate {
            Fate::Deleting(deletion) => Some((deletion.container.clone(), deletion.blob.clone())),
            _ => None,
        });
    by_manifests.chain(by_lines).chain(by_states).collect()
}

fn is_manifest_of(name: &BlobName, id: &BackupId) -> bool {
    name.as_str()
        .strip_suffix(".json")
        .is_some_and(|stem| stem.ends_with(&format!("/{id}")))
}

/// Whether a blob is named as an attempt names its data,
/// `…/{YYYYMMDD_HHMMSS}-{epoch}-{16 hexadecimal digits}.{format}`. The Python product's are not.
fn is_attempt_name(name: &str) -> bool {
    let parse = || {
        let (_, file) = name.rsplit_once('/')?;
        let (stem, _) = file.split_once('.')?;
        let mut parts = stem.split('-');
        let (time, epoch, suffix) = (parts.next()?, parts.next()?, parts.next()?);
        let (day, second) = time.split_once('_')?;
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        Some(
            parts.next().is_none()
                && day.len() == 8
                && second.len() == 6
                && !epoch.is_empty()
                && [day, second, epoch].into_iter().all(are_digits)
                && suffix.len() == SUFFIX_LENGTH
                && suffix.bytes().all(|byte| byte.is_ascii_hexdigit()),
        )
    };
    parse().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_attempts_are_taken_for_ours() {
        assert!(is_attempt_name(
            "postgresql/db-1/20260301_020000-1-0123456789abcdef.sql.zst"
        ));
        for other in [
            "postgresql/db-1/20260301_020000.sql.gz",
            "postgresql/db-1/20260301_020000-1-0123456789abcde.sql",
            "postgresql/db-1/20260301_020000-x-0123456789abcdef.sql",
            "postgresql/db-1/20260301_020000-1-0123456789abcdef",
            "postgresql/db-1/20260301_020000-1-2-0123456789abcdef.sql",
            "db-1/2026/03/01/4d3c.bak",
            "20260301_020000-1-0123456789abcdef.sql",
        ] {
            assert!(!is_attempt_name(other), "{other}");
        }
    }
}
