//! What each tier is known to have when the planner looks: its state, after edits and clocks that
//! were set back.

use dilux_core::model::Tier;
use dilux_core::schedule::{SlotOutcome, TierState};
use jiff::{SignedDuration, Timestamp};

use crate::schedule_oracle::life::{Life, Look};

/// How far ahead of what may be booked a clock must have been to be disbelieved.
const TOLERANCE: SignedDuration = SignedDuration::from_hours(1);

/// The states as the decision has to see them.
#[derive(Debug, Default)]
pub(super) struct Owed {
    states: Vec<TierState>,
    left_behind: Vec<(Tier, Timestamp)>,
}

impl Owed {
    pub(super) fn of(life: &Life, look: &Look<'_>) -> Self {
        let mut owed = Self::default();
        for before in look.before {
            let mut state = before.clone();
            owed.change_schedule(life, look, &mut state);
            set_clock_back(life, look, &mut state);
            owed.states.push(state);
        }
        owed
    }

    /// The state of a tier, if it has one.
    pub(super) fn state(&self, tier: Tier) -> Option<&TierState> {
        self.states.iter().find(|state| state.tier == tier)
    }

    /// All states.
    pub(super) fn states(&self) -> &[TierState] {
        &self.states
    }

    /// The first slot that an old schedule of a tier owed and nobody decided.
    pub(super) fn left_behind(&self, tier: Tier) -> Option<Timestamp> {
        let mut all = self.left_behind.iter();
        all.find(|(known, _)| *known == tier).map(|(_, slot)| *slot)
    }

    /// Whether the job of a tier's last slot has failed.
    pub(super) fn has_failed(&self, tier: Tier) -> bool {
        self.state(tier).is_some_and(|state| {
            let is_last = state
                .job
                .as_ref()
                .is_some_and(|job| job.slot == state.last_slot);
            state.outcome == SlotOutcome::Failed && is_last
        })
    }

    /// After an edit of its schedule a tier owes no new slot from before, but the newest when its
    /// period has no backup.
    fn change_schedule(&mut self, life: &Life, look: &Look<'_>, state: &mut TierState) {
        let (tier, at) = (state.tier, life.edited_at.min(look.now));
        let Some(old) = life.calendar.left_behind(tier) else {
            return;
        };
        let left = old.and_then(|old| old.first_after(state.last_slot));
        let newest = life.calendar.newest(tier, at);
        let mut kept = None;
        if let Some(newest) = newest.filter(|newest| *newest > state.last_slot) {
            let previous = life
                .calendar
                .newest(tier, newest - SignedDuration::from_secs(1));
            let has_backup = previous.is_some() && state.satisfied_slot > previous;
            let is_open = state.outcome == SlotOutcome::Booked;
            let mut decided = Some(newest);
            if let Some(job) = state.job.as_mut().filter(|_| is_open) {
                job.slot = newest;
                kept = Some(newest);
            } else if !has_backup && !is_too_old(life, look, newest) {
                decided = previous;
                kept = Some(newest);
            }
            state.last_slot = state.last_slot.max(decided.unwrap_or(state.last_slot));
        }
        if let Some(left) = left.filter(|left| *left <= at && Some(*left) != kept) {
            self.left_behind.push((tier, left));
        }
    }
}

/// Whether a state was written by a clock that was ahead.
fn is_beyond(look: &Look<'_>, state: &TierState) -> bool {
    state.last_slot.duration_since(look.horizon) > TOLERANCE
}

/// Whether the policy does not want a slot to be caught up any more.
pub(super) fn is_too_old(life: &Life, look: &Look<'_>, slot: Timestamp) -> bool {
    let limit = life.case.rules.policy.timing.catch_up();
    limit.is_some_and(|hours| {
        let limit = SignedDuration::from_hours(i64::from(hours.get()));
        look.now.duration_since(slot) > limit
    })
}

/// A state from the future is taken back to the present: the tier goes on with its next slot.
fn set_clock_back(life: &Life, look: &Look<'_>, state: &mut TierState) {
    if !is_beyond(look, state) {
        return;
    }
    if let Some(newest) = life.calendar.newest(state.tier, look.now) {
        state.last_slot = newest;
        state.job = None;
        state.era += 1;
    }
}
