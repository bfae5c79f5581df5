//! What the clock says of a policy's tiers at one moment, the same for all its databases.

use jiff::Timestamp;

use super::{ScheduleMark, Slots, TierState};
use crate::model::{BackupPolicy, Tier};

/// The slots of a tier around now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierOutlook {
    /// Tier.
    pub tier: Tier,
    /// Its schedule.
    pub mark: ScheduleMark,
    /// The slot before `latest`.
    pub previous: Option<Timestamp>,
    /// The newest slot that is not in the future.
    pub latest: Option<Timestamp>,
    /// Slots after now up to the horizon, oldest first.
    pub ahead: Vec<Timestamp>,
    /// The first slot after the horizon.
    pub next: Option<Timestamp>,
}

/// The slots of a policy's tiers around now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Now.
    pub now: Timestamp,
    /// Until when slots are booked ahead.
    pub horizon: Timestamp,
    /// The enabled tiers, shortest first.
    pub tiers: Vec<TierOutlook>,
}

impl Outlook {
    /// What the clock says of `policy` at `now`.
    pub fn new(policy: &BackupPolicy, now: Timestamp, horizon: Timestamp) -> Self {
        let tiers = policy.rules.iter().map(|rule| {
            let slots = Slots::new(&rule.schedule, &policy.timing);
            let latest = slots.latest(now);
            let before = latest
                .and_then(|latest| latest.checked_sub(jiff::SignedDuration::from_secs(1)).ok());
            TierOutlook {
                tier: rule.schedule.tier(),
                mark: ScheduleMark::of(&rule.schedule, &policy.timing),
                previous: before.and_then(|before| slots.latest(before)),
                latest,
                ahead: slots.between(now, horizon).collect(),
                next: slots.after(horizon),
            }
        });
        Self {
            now,
            horizon,
            tiers: tiers.collect(),
        }
    }

    /// The outlook of a tier; `None` when it is disabled.
    pub fn tier(&self, tier: Tier) -> Option<&TierOutlook> {
        self.tiers.iter().find(|known| known.tier == tier)
    }

    /// Whether a tier was decided under another schedule than that of this outlook. A tier whose
    /// schedule was never noted counts as decided under this one.
    pub fn is_new_to(&self, state: &TierState) -> bool {
        let Some(known) = &state.mark else {
            return false;
        };
        match self.tier(state.tier) {
            Some(tier) => *known != tier.mark,
            None => *known != ScheduleMark::disabled(),
        }
    }
}
