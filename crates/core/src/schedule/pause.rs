//! Back-off of a database whose jobs fail: at most 30 attempts a day on a dead one.
//!
//! A job makes several quick attempts only when no other job of the database was booked within the
//! hour and none has failed since the last success; otherwise it makes one. So a dead database
//! sees at most 4 + 4 attempts of the jobs that were booked before the first failure was known (one
//! job of several attempts, four of one), one after 45 minutes, and then one every 70 minutes.

use jiff::{SignedDuration, Timestamp};

use super::{SlotOutcome, TierState};

/// After the first failure: short enough that the next hourly slot is tried in its time.
const FIRST: SignedDuration = SignedDuration::from_mins(45);

/// After every further failure.
const LATER: SignedDuration = SignedDuration::from_mins(70);

/// Longest wait before the same slot is tried again.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// Jobs booked closer than this get one attempt only.
const CLOSE: SignedDuration = SignedDuration::from_hours(1);

/// Whether the newest news of a database is a failure: when it was given up, and how many there
/// were in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) since: Timestamp,
    pub(super) failures: u32,
}

impl Failing {
    /// What the states say of it. News from the future was noted by a clock that was ahead, and
    /// says nothing.
    pub(super) fn of(states: &[TierState], now: Timestamp) -> Option<Self> {
        let is_past = |at: &Timestamp| *at <= now;
        let failed = states.iter().filter_map(|state| state.failed_at);
        let since = failed.filter(is_past).max()?;
        let succeeded = states.iter().filter_map(|state| state.satisfied_at);
        let success = succeeded.filter(is_past).max();
        let failures = states.iter().map(|state| state.failures).max()?;
        (failures > 0 && success.is_none_or(|success| success < since))
            .then_some(Self { since, failures })
    }

    /// When the next job may start at the earliest.
    pub(super) fn until(self, states: &[TierState], horizon: Timestamp) -> Timestamp {
        let open = states.iter().filter(|state| state.is_open());
        let booked = open
            .filter_map(|state| state.job.as_ref().map(|job| job.slot))
            .filter(|slot| *slot <= horizon);
        let last = booked.chain([self.since]).max().unwrap_or(self.since);
        let pause = if self.failures <= 1 { FIRST } else { LATER };
        last.saturating_add(pause).unwrap_or(Timestamp::MAX)
    }
}

/// When the slot whose job failed may be tried again; `None` when there is nothing to try again.
pub(super) fn retry_at(state: &TierState, now: Timestamp) -> Option<Timestamp> {
    let failed_at = state.failed_at?.min(now);
    let is_last = state.job.as_ref()?.slot == state.last_slot;
    if state.outcome != SlotOutcome::Failed || !is_last {
        return None;
    }
    let pause = match state.failures {
        0 | 1 => FIRST,
        failures => LATER
            .checked_mul(2_i32.saturating_pow(failures - 2))
            .unwrap_or(LONGEST)
            .min(LONGEST),
    };
    failed_at.checked_add(pause).ok()
}

/// How many attempts a job that starts at `start` may make; `None` leaves it to the setting.
pub(super) fn attempts(states: &[TierState], start: Timestamp, is_failing: bool) -> Option<u32> {
    let near = |slot: Timestamp| start.duration_since(slot).abs() < CLOSE;
    let is_close = states
        .iter()
        .any(|state| state.job.as_ref().is_some_and(|job| near(job.slot)));
    (is_close || is_failing).then_some(1)
}
