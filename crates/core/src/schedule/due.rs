//! The due planner: which tiers of a database owe a backup now, served by one dump.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::latest_slot;
use crate::model::{BackupPolicy, Tier};

/// A backup that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The latest of the slots that it serves; names the job.
    pub slot: Timestamp,
    /// The tiers that it serves, shortest first, each with its slot.
    pub tiers: Vec<(Tier, Timestamp)>,
    /// Why, for people.
    pub reason: String,
}

/// What a policy owes a database at `now`, given the last slot that was booked per tier. One dump
/// serves every tier that is due; a database without any state owes one initial backup.
pub fn due(
    policy: &BackupPolicy,
    zone: &TimeZone,
    booked: &[(Tier, Timestamp)],
    now: Timestamp,
) -> Option<Due> {
    let last = |tier: Tier| {
        booked
            .iter()
            .find(|(known, _)| *known == tier)
            .map(|(_, slot)| *slot)
    };
    let tiers: Vec<(Tier, Timestamp)> = policy
        .rules
        .iter()
        .filter_map(|rule| {
            let tier = rule.schedule.tier();
            let slot = latest_slot(rule.schedule, zone, now)?;
            last(tier)
                .is_none_or(|last| last < slot)
                .then_some((tier, slot))
        })
        .collect();
    let slot = tiers.iter().map(|(_, slot)| *slot).max()?;
    let names: Vec<String> = tiers
        .iter()
        .map(|(tier, slot)| format!("{tier} slot {slot}"))
        .collect();
    let reason = if booked.is_empty() {
        "initial backup of a new database".to_owned()
    } else {
        format!("due: {}", names.join(", "))
    };
    Some(Due {
        slot,
        tiers,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::system_policies;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn critical() -> BackupPolicy {
        system_policies(at("2026-01-01T00:00:00Z"))
            .unwrap()
            .remove(0)
    }

    #[test]
    fn a_new_database_owes_one_backup_that_serves_all_tiers() {
        let owed = due(&critical(), &TimeZone::UTC, &[], at("2026-03-04T10:07:00Z")).unwrap();
        assert_eq!(owed.slot, at("2026-03-04T10:00:00Z"));
        assert_eq!(owed.tiers.len(), 5);
    }

    #[test]
    fn booked_slots_are_not_owed_again() {
        let now = at("2026-03-04T10:07:00Z");
        let booked = due(&critical(), &TimeZone::UTC, &[], now).unwrap().tiers;
        assert_eq!(due(&critical(), &TimeZone::UTC, &booked, now), None);
        let later = due(
            &critical(),
            &TimeZone::UTC,
            &booked,
            at("2026-03-05T02:00:00Z"),
        )
        .unwrap();
        let tiers: Vec<Tier> = later.tiers.iter().map(|(tier, _)| *tier).collect();
        assert_eq!(tiers, [Tier::Hourly, Tier::Daily]);
    }
}
