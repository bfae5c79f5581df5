//! When a backup may go: naive rules, asked at the very moment at which it does.

use std::collections::BTreeMap;

use dilux_core::model::{Fate, Finding, Manifest, Tier};
use jiff::{SignedDuration, Timestamp};

use super::{MANIFESTS, finding_of};
use crate::memory::{Content, Row};

/// How far the clocks of two processes are apart, at most.
const SKEW: SignedDuration = SignedDuration::from_secs(10);

/// How long ago a decision may be that is announced: its process may have been stopped meanwhile.
const LATEST: SignedDuration = SignedDuration::from_hours(3);

/// What people want to be kept.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Newest backups of each enabled tier, by database.
    pub(crate) keeps: BTreeMap<String, Vec<(Tier, u32)>>,
    /// Time between announcement and deletion.
    pub(crate) grace: SignedDuration,
}

impl Wishes {
    /// Why the backup of `manifest` should not have gone; it is in `content` no more.
    pub(super) fn objection(
        &self,
        content: &Content,
        manifest: &Manifest,
        now: Timestamp,
    ) -> Option<String> {
        let database = manifest.database_id.as_str();
        match fate_of(content, manifest) {
            Fate::Deleting(_) | Fate::Deleted(_) => {}
            fate => return Some(format!("its fate is {}", fate.as_str())),
        }
        let newer = newer(content, manifest, now);
        if newer.is_empty() {
            return Some("it was the newest of its database".to_owned());
        }
        let is_verified = |one: &Manifest| {
            let finding = finding_of(content, one);
            matches!(finding, Some(Finding::Verified { .. }))
        };
        if is_verified(manifest) && !newer.iter().any(is_verified) {
            return Some("it was the newest that was verified".to_owned());
        }
        let wanted = self.keeps.get(database).map_or(&[][..], Vec::as_slice);
        let mut enabled = wanted
            .iter()
            .filter(|(tier, _)| manifest.tiers.contains(tier))
            .peekable();
        if enabled.peek().is_none() {
            return Some("it is in no tier, and young".to_owned());
        }
        enabled.find_map(|(tier, keep)| {
            let in_tier = || newer.iter().filter(|one| one.tiers.contains(tier));
            // Of two of one slot the newer one is wanted.
            let is_doubled =
                manifest.slot.is_some() && in_tier().any(|one| one.slot == manifest.slot);
            let count = in_tier().count();
            let is_wanted = count < *keep as usize && !is_doubled;
            is_wanted.then(|| format!("{keep} {tier} backups are wanted, {count} are newer"))
        })
    }

    /// Why a change of fate is wrong.
    pub(super) fn objection_to_fate(
        &self,
        before: &Fate,
        after: &Fate,
        now: Timestamp,
    ) -> Option<String> {
        match (before, after) {
            (Fate::Kept, Fate::Tombstoned(tombstone)) => {
                let notice = tombstone.deletes_after.duration_since(now);
                let is_short = notice + LATEST < self.grace;
                is_short.then(|| format!("it is announced {notice} before it goes"))
            }
            (Fate::Tombstoned(tombstone), Fate::Deleting(_)) => {
                let early = tombstone.deletes_after.duration_since(now);
                (early > SKEW).then(|| format!("it goes {early} early"))
            }
            (Fate::Tombstoned(_), Fate::Kept) | (Fate::Deleting(_), Fate::Deleted(_)) => None,
            _ if before.as_str() == after.as_str() => None,
            _ => {
                let (was, is) = (before.as_str(), after.as_str());
                Some(format!("its fate went from {was} to {is}"))
            }
        }
    }
}

/// The newer backups of the same database whose data is there, and not known for long to be
/// damaged.
fn newer(content: &Content, gone: &Manifest, now: Timestamp) -> Vec<Manifest> {
    let is_known_damaged = |other: &Manifest| match finding_of(content, other) {
        Some(Finding::Damaged { at, .. }) => now.duration_since(at) > LATEST,
        _ => false,
    };
    let folder = format!("{MANIFESTS}{}/", gone.database_id);
    let containers = content.containers.values();
    let blobs = containers.flat_map(|container| &container.blobs);
    blobs
        .filter(|(name, _)| name.starts_with(&folder))
        .filter_map(|(_, blob)| Manifest::from_json(&blob.bytes).ok())
        .filter(|other| other.started_at >= gone.started_at && other.job_id != gone.job_id)
        .filter(|other| {
            content
                .blob(&other.data.container, &other.data.blob)
                .is_some()
        })
        .filter(|other| !is_known_damaged(other))
        .collect()
}

/// The fate of a backup.
pub(crate) fn fate_of(content: &Content, manifest: &Manifest) -> Fate {
    let (database, job) = (manifest.database_id.as_str(), manifest.job_id.as_str());
    let mut states = content.rows("retentionstate");
    let state = states.find(|(key, _)| key.partition == database && key.row == job);
    fate(state.map(|(_, row)| row))
}

/// The fate in a row of `retentionstate`; a backup that nobody touched is kept.
pub(super) fn fate(row: Option<&Row>) -> Fate {
    row.and_then(|row| serde_json::from_str(row.text("fate_json")).ok())
        .unwrap_or_default()
}
