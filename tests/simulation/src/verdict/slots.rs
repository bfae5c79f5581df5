//! I2 and I3 for slots: each slot of each tier has one backup, or a job that failed, or a reason
//! why it has none.

use std::collections::BTreeMap;

use dilux_core::model::{Tier, Work};
use dilux_core::schedule::Slots;
use jiff::Timestamp;

use super::Facts;
use crate::memory::{Content, Row};
use crate::world::Subject;

/// The jobs of each slot, each with its state.
type Served<'a> = BTreeMap<(Tier, Timestamp), Vec<(&'a str, &'a str)>>;

/// Every slot that has two backups, or nothing at all.
pub(super) fn check(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    for subject in facts.subjects {
        let served = served(content, subject);
        for ((tier, slot), jobs) in &served {
            let completed = jobs.iter().filter(|(_, state)| *state == "completed");
            let names: Vec<&str> = completed.map(|(id, _)| *id).collect();
            if names.len() > 1 {
                let names = names.join(" and ");
                let id = &subject.id;
                found.push(format!("I2: {id} {tier} slot {slot} is served by {names}"));
            }
        }
        if subject.is_toggled {
            continue;
        }
        for rule in &subject.policy.rules {
            let tier = rule.schedule.tier();
            let slots = Slots::new(&rule.schedule, &subject.policy.timing);
            for slot in slots.between(facts.began_at, facts.planned_until) {
                let has_job = served.contains_key(&(tier, slot));
                if !has_job && !is_recorded(content, subject, tier, slot) {
                    found.push(format!("I3: {} {tier} slot {slot} is skipped", subject.id));
                }
            }
        }
    }
}

fn served<'a>(content: &'a Content, subject: &Subject) -> Served<'a> {
    let mut served = Served::new();
    let jobs = content.rows("jobs");
    let is_withdrawn = |job: &Row| job.text("state") == "missed" && job.number("epoch") == 0;
    let jobs = jobs.filter(|(key, job)| key.partition == subject.id && !is_withdrawn(job));
    for (key, job) in jobs {
        for slot in slots_of(job, subject) {
            let by = (key.row.as_str(), job.text("state"));
            served.entry(slot).or_default().push(by);
        }
    }
    served
}

/// The slots that a job was booked for, tier by tier.
fn slots_of(job: &Row, subject: &Subject) -> Vec<(Tier, Timestamp)> {
    let Ok(Work::Backup(work)) = serde_json::from_str::<Work>(job.text("work")) else {
        return Vec::new();
    };
    let Some(at) = work.slot else {
        return Vec::new();
    };
    work.tiers
        .iter()
        .filter_map(|tier| {
            let rule = subject.policy.rule(*tier)?;
            let slots = Slots::new(&rule.schedule, &subject.policy.timing);
            Some((*tier, slots.latest(at)?))
        })
        .collect()
}

/// Whether the slot is recorded as given up, with a reason.
fn is_recorded(content: &Content, subject: &Subject, tier: Tier, slot: Timestamp) -> bool {
    let instant = |row: &Row, name| row.text(name).parse::<Timestamp>().ok();
    content.rows("schedulemisses").any(|(key, miss)| {
        key.partition == subject.id
            && miss.text("tier") == tier.as_str()
            && instant(miss, "first_slot").is_some_and(|first| first <= slot)
            && instant(miss, "last_slot").is_some_and(|last| slot <= last)
            && !miss.text("reason").is_empty()
    })
}
