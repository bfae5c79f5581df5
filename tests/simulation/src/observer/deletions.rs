//! When a backup may go: naive rules, asked at the very moment at which it does.

use std::collections::BTreeMap;

use dilux_core::model::{Fate, Manifest, Tier};
use jiff::{SignedDuration, Timestamp};

use super::MANIFESTS;
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
    pub(super) fn objection(&self, content: &Content, manifest: &Manifest) -> Option<String> {
        let (database, job) = (manifest.database_id.as_str(), manifest.job_id.as_str());
        let mut states = content.rows("retentionstate");
        let state = states.find(|(key, _)| key.partition == database && key.row == job);
        match state.map(|(_, row)| row.text("fate")) {
            Some("deleting" | "deleted") => {}
            fate => return Some(format!("its fate is {fate:?}")),
        }
        let newer = newer(content, manifest);
        if newer.is_empty() {
            return Some("it was the newest of its database".to_owned());
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
            let count = newer.iter().filter(|tiers| tiers.contains(tier)).count();
            let is_wanted = count < *keep as usize;
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

/// The tiers of each newer backup of the same database whose data is there.
fn newer(content: &Content, gone: &Manifest) -> Vec<Vec<Tier>> {
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
        .map(|other| other.tiers)
        .collect()
}

/// The fate in a row of `retentionstate`; a backup that nobody touched is kept.
pub(super) fn fate(row: Option<&Row>) -> Fate {
    row.and_then(|row| serde_json::from_str(row.text("fate_json")).ok())
        .unwrap_or_default()
}
