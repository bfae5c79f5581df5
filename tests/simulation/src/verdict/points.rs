//! What people are told that they can go back to is there, whole as far as anybody knows, and the
//! newest.

use dilux_core::model::{Fate, Finding, Manifest};

use super::Facts;
use crate::memory::Content;
use crate::observer::{MANIFESTS, fate_of, finding_of};

/// Every database whose recovery point is another than its newest good backup.
pub(super) fn check(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    for subject in facts.subjects {
        let newest = newest_good(content, &subject.id);
        let wanted = newest
            .as_ref()
            .map_or("", |manifest| manifest.job_id.as_str());
        let mut states = content.rows("databasestates");
        let state = states.find(|(key, _)| key.row == subject.id);
        let told = state.map_or("", |(_, row)| row.text("backup_id"));
        if told != wanted {
            let id = &subject.id;
            found.push(format!(
                "I1: the recovery point of {id} is '{told}', its newest good backup '{wanted}'"
            ));
        }
    }
}

fn newest_good(content: &Content, database: &str) -> Option<Manifest> {
    let folder = format!("{MANIFESTS}{database}/");
    let containers = content.containers.values();
    let blobs = containers.flat_map(|container| &container.blobs);
    blobs
        .filter(|(name, _)| name.starts_with(&folder))
        .filter_map(|(_, blob)| Manifest::from_json(&blob.bytes).ok())
        .filter(|manifest| {
            let finding = finding_of(content, manifest);
            !matches!(finding, Some(Finding::Damaged { .. }))
        })
        .filter(|manifest| {
            let fate = fate_of(content, manifest);
            matches!(fate, Fate::Kept | Fate::Tombstoned(_))
        })
        .max_by_key(|manifest| manifest.started_at)
}
