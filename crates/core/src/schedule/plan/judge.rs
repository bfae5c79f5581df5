//! What each tier owes at this moment.

use jiff::{SignedDuration, Timestamp};

use super::Planner;
use crate::model::Tier;
use crate::schedule::pause::retry_at;
use crate::schedule::{TierOutlook, TierState};

/// How far a decided slot may lie behind the horizon before the clock must have been set back.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_hours(1);

const NOT_LOOKED: &str = "no scheduler looked in time: it was stopped, storage did not answer, or \
                          the database or the tier was disabled";

/// What a tier owes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Nothing,
    /// A backup for its newest slot.
    Due,
    /// Another job for its newest slot, whose job failed.
    Retry,
    /// The same, but not before a while; it goes along when something else is due.
    RetryLater,
}

impl Planner<'_> {
    /// Judges every tier, and settles the slots that no job will serve.
    pub(super) fn judge(&mut self) -> Vec<(Tier, Timestamp, Verdict)> {
        let outlook = self.situation.outlook;
        let mut verdicts = Vec::new();
        for tier in &outlook.tiers {
            if let Some(latest) = tier.latest {
                let (slot, verdict) = self.judge_tier(tier, latest);
                verdicts.push((tier.tier, slot, verdict));
            }
        }
        verdicts.retain(|(_, _, verdict)| *verdict != Verdict::Nothing);
        verdicts
    }

    fn judge_tier(&mut self, outlook: &TierOutlook, latest: Timestamp) -> (Timestamp, Verdict) {
        let tier = outlook.tier;
        let Some(state) = self.state(tier) else {
            return (latest, Verdict::Due);
        };
        let last = state.last_slot;
        if self.is_beyond_the_clock(last) {
            self.follow_the_clock_back(tier, last, latest);
            return (latest, Verdict::Nothing);
        }
        if last >= latest {
            if self.is_withdrawn(state) && self.limit_passed(last).is_none() {
                return (last, Verdict::Due);
            }
            return (last, self.judge_retry(state));
        }
        if let Some(hours) = self.limit_passed(latest) {
            let reason = format!("{NOT_LOOKED}; a backup is caught up within {hours} h only");
            self.miss_until(tier, latest, &reason);
            return (latest, Verdict::Nothing);
        }
        (latest, Verdict::Due)
    }

    /// A tier without an undecided slot. Its last one may be newer than the newest of the clock,
    /// when the schedule was changed after it.
    fn judge_retry(&self, state: &TierState) -> Verdict {
        let is_over = state.last_slot > self.now() || self.limit_passed(state.last_slot).is_some();
        match retry_at(state, self.now()).filter(|_| !is_over) {
            None => Verdict::Nothing,
            Some(at) if at <= self.now() => Verdict::Retry,
            Some(_) => Verdict::RetryLater,
        }
    }

    /// The policy's limit on catching up, when `slot` is older.
    pub(super) fn limit_passed(&self, slot: Timestamp) -> Option<u32> {
        let hours = self.situation.policy.timing.catch_up()?.get();
        let age = self.now().duration_since(slot);
        (age > SignedDuration::from_hours(i64::from(hours))).then_some(hours)
    }

    fn is_beyond_the_clock(&self, slot: Timestamp) -> bool {
        let horizon = self.situation.outlook.horizon;
        slot.duration_since(horizon) > CLOCK_TOLERANCE
    }

    /// A state from the future would stop its tier until then. Its last backup was made lately, by
    /// a clock that was ahead; so the tier goes on with its next slot.
    fn follow_the_clock_back(&mut self, tier: Tier, last: Timestamp, latest: Timestamp) {
        if let Some(state) = self.states.iter_mut().find(|state| state.tier == tier) {
            state.last_slot = latest;
            state.job = None;
            state.satisfied_slot = state.satisfied_slot.filter(|slot| *slot <= latest);
            state.satisfied_at = None;
            state.failed_at = None;
            state.failures = 0;
            state.era = state.era.saturating_add(1);
            state.reason = format!(
                "the clock was set back: the slot {last} had been decided already; the tier goes \
                 on with its next slot"
            );
        }
    }
}

/// Why slots before a booked one are given up.
pub(super) fn superseded(slot: Timestamp) -> String {
    format!("{NOT_LOOKED}, or the database's backups were failing; served by the slot {slot}")
}
