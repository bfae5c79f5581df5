//! I1 for restores: what is said to be restored holds what its backup was made of.

use dilux_core::model::Work;

use super::{Facts, work_of};
use crate::memory::Content;

/// What is wrong with restores that were completed, and how many there are.
pub(super) fn check(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    for (key, job) in content.rows("jobs") {
        if job.text("state") != "completed" {
            continue;
        }
        let Some(Work::Restore(work)) = work_of(job) else {
            continue;
        };
        let subject = facts
            .subjects
            .iter()
            .find(|subject| subject.id == key.partition);
        let copy = facts.sources.copies.get(work.target_database.as_str());
        let objection = match (copy, subject) {
            (None, _) => Some("there is no such database".to_owned()),
            (Some(copy), _) if !copy.is_finished => Some("it is not complete".to_owned()),
            (Some(_), None) => Some("nobody knows its source".to_owned()),
            (Some(copy), Some(subject)) => facts.sources.objection(&copy.bytes, &subject.name),
        };
        if let Some(objection) = objection {
            found.push(format!(
                "I1: restore {} into {}: {objection}",
                key.row, work.target_database
            ));
        }
    }
}
