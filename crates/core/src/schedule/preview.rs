//! The coming runs of a policy.

use jiff::Timestamp;

use super::Slots;
use crate::model::{BackupPolicy, Tier};

/// A coming backup: an instant, and the tiers that it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When.
    pub slot: Timestamp,
    /// For which tiers, shortest first.
    pub tiers: Vec<Tier>,
}

/// The first `count` runs after `after`, oldest first. Tiers of the same instant share one.
pub fn next_runs(policy: &BackupPolicy, after: Timestamp, count: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut from = after;
    while runs.len() < count {
        let next = policy.rules.iter().filter_map(|rule| {
            let slot = Slots::new(&rule.schedule, &policy.timing).after(from)?;
            Some((slot, rule.schedule.tier()))
        });
        let next: Vec<(Timestamp, Tier)> = next.collect();
        let Some(slot) = next.iter().map(|(slot, _)| *slot).min() else {
            break;
        };
        let tiers = next.into_iter().filter(|(at, _)| *at == slot);
        runs.push(Run {
            slot,
            tiers: tiers.map(|(_, tier)| tier).collect(),
        });
        from = slot;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::system_policies;

    #[test]
    fn tiers_of_the_same_instant_share_a_run() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let critical = system_policies(Timestamp::UNIX_EPOCH).unwrap().remove(0);
        let runs = next_runs(&critical, at("2026-03-01T00:30:00Z"), 4);
        let found: Vec<(String, Vec<Tier>)> = runs
            .into_iter()
            .map(|run| (run.slot.to_string(), run.tiers))
            .collect();
        let hourly = vec![Tier::Hourly];
        assert_eq!(
            found,
            [
                ("2026-03-01T01:00:00Z".to_owned(), hourly.clone()),
                (
                    "2026-03-01T02:00:00Z".to_owned(),
                    vec![Tier::Hourly, Tier::Daily]
                ),
                (
                    "2026-03-01T03:00:00Z".to_owned(),
                    vec![Tier::Hourly, Tier::Weekly]
                ),
                (
                    "2026-03-01T04:00:00Z".to_owned(),
                    vec![Tier::Hourly, Tier::Monthly]
                ),
            ]
        );
    }
}
