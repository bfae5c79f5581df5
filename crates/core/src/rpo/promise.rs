//! What a policy promises: the longest time between two of its backups.

use jiff::{SignedDuration, Timestamp};

use crate::model::{BackupPolicy, HourlyInterval, PolicyZone, Tier, TierSchedule, Timing};
use crate::schedule::Slots;

/// Slots are looked at for so long: more than a year, so that a pause of months is seen.
const WINDOW: SignedDuration = SignedDuration::from_hours(24 * 400);

/// Slots that are looked at: two months of an hourly schedule.
const MOST_SLOTS: usize = 1500;

/// The longest time between two slots of a policy, whatever tiers they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise(Option<SignedDuration>);

impl Promise {
    /// What `policy` promises. Costs a walk over its slots when it has cron expressions or
    /// blackouts.
    pub fn of(policy: &BackupPolicy) -> Self {
        let is_plain = policy.timing.blackouts().is_empty()
            && !policy
                .rules
                .iter()
                .any(|rule| matches!(rule.schedule, TierSchedule::Cron { .. }));
        let shortest = policy
            .rules
            .iter()
            .map(|rule| interval(&rule.schedule))
            .min();
        Self(if is_plain {
            shortest
        } else {
            walked(policy).or(shortest)
        })
    }

    /// The longest time; `None` for a policy without an enabled tier.
    pub fn longest_gap(self) -> Option<SignedDuration> {
        self.0
    }
}

/// The longest time between two slots as a calendar shows them; the hour that clocks are set back
/// or forward is no part of a promise. `None` when there are no two slots.
fn walked(policy: &BackupPolicy) -> Option<SignedDuration> {
    let timing = Timing::in_zone(PolicyZone::default());
    let timing = timing
        .with_blackouts(policy.timing.blackouts().to_vec())
        .ok()?;
    let tiers = policy.rules.iter();
    let tiers: Vec<Slots<'_>> = tiers
        .map(|rule| Slots::new(&rule.schedule, &timing))
        .collect();
    // A leap year, so that no year is longer.
    let begin: Timestamp = "2028-01-01T00:00:00Z".parse().ok()?;
    let mut next: Vec<Option<Timestamp>> = tiers.iter().map(|tier| tier.after(begin)).collect();
    let mut last = next.iter().flatten().min().copied()?;
    let mut longest: Option<SignedDuration> = None;
    for _ in 0..MOST_SLOTS {
        for (tier, next) in tiers.iter().zip(&mut next) {
            if *next == Some(last) {
                *next = tier.after(last);
            }
        }
        let Some(slot) = next.iter().flatten().min().copied() else {
            break;
        };
        longest = longest.max(Some(slot.duration_since(last)));
        last = slot;
        if last.duration_since(begin) > WINDOW {
            break;
        }
    }
    longest
}

/// The longest time between two slots of a tier without cron expression; of one with it, a guess.
fn interval(schedule: &TierSchedule) -> SignedDuration {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    match schedule.tier() {
        Tier::Hourly => match schedule {
            TierSchedule::Hourly { every } => hours(*every),
            _ => SignedDuration::from_hours(1),
        },
        Tier::Daily => days(1),
        Tier::Weekly => days(7),
        Tier::Monthly => days(31),
        Tier::Yearly => days(366),
    }
}

fn hours(every: HourlyInterval) -> SignedDuration {
    SignedDuration::from_hours(i64::from(every.get()))
}
