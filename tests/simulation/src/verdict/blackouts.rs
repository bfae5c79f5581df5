//! No backup of the scheduler is begun in a blackout, however late or often it was tried.

use dilux_core::model::{Manifest, Trigger};
use dilux_core::schedule::opened;
use jiff::SignedDuration;

use super::Facts;
use crate::memory::Content;
use crate::observer::MANIFESTS;

/// From a worker's look at the policy to the start of its dump, while the store answers slowly.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(15);

/// Every backup that was begun well inside of a blackout.
pub(super) fn check(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    let blobs = content.containers.values();
    let blobs = blobs.flat_map(|container| &container.blobs);
    let manifests = blobs
        .filter(|(name, _)| name.starts_with(MANIFESTS))
        .filter_map(|(_, blob)| Manifest::from_json(&blob.bytes).ok());
    for manifest in manifests.filter(|manifest| manifest.trigger == Trigger::Scheduler) {
        let id = manifest.database_id.as_str();
        let Some(subject) = facts.subjects.iter().find(|subject| subject.id == id) else {
            continue;
        };
        let timing = &subject.policy.timing;
        let looked_at = manifest.started_at - ON_ITS_WAY;
        let end = opened(timing, looked_at);
        if looked_at < end && manifest.started_at < end {
            found.push(format!(
                "I11: backup {} was begun at {}, in a blackout until {end}",
                manifest.job_id, manifest.started_at
            ));
        }
    }
}
