//! Slots: the instants at which a tier owes a backup.
//!
//! A slot is a wall clock time of the policy's zone. Where clocks skip it, it is the first valid
//! instant afterwards; where they show it twice, the first pass; where a blackout covers it, the
//! blackout's end. Slots that come to lie on the same instant are one slot.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use sha2::{Digest, Sha256};

use super::civil;
use crate::model::{DatabaseId, JitterMinutes, TierSchedule, Timing};

/// Longer than any change of any zone's clock.
const LONGEST_CHANGE: SignedDuration = SignedDuration::from_hours(26);

/// Blackouts that are joined to one at most: more than a week can hold.
const MOST_JOINED: usize = 1000;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The slots of one tier.
#[derive(Debug, Clone, Copy)]
pub struct Slots<'a> {
    schedule: &'a TierSchedule,
    timing: &'a Timing,
}

impl<'a> Slots<'a> {
    /// The slots of `schedule` under `timing`.
    pub fn new(schedule: &'a TierSchedule, timing: &'a Timing) -> Self {
        Self { schedule, timing }
    }

    /// The newest slot at or before `at`; `None` when there never was one.
    pub fn latest(&self, at: Timestamp) -> Option<Timestamp> {
        // Everything that a blackout covers at `at` waits for its end.
        let seen = match blackout_around(self.timing, at) {
            Some((start, _)) => start.checked_sub(SECOND).ok()?,
            None => at,
        };
        let zone = self.timing.zone().rules();
        let mut bound = latest_wall_clock(zone, seen)?;
        loop {
            let local = civil::at_or_before(self.schedule, bound)?;
            let slot = instant(zone, local)?;
            if slot <= seen {
                return Some(opened(self.timing, slot));
            }
            bound = local.checked_sub(1.minute()).ok()?;
        }
    }

    /// The first slot after `at`; `None` when there never will be one.
    pub fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let from = match blackout_around(self.timing, at) {
            Some((start, _)) => start.checked_sub(SECOND).ok()?,
            None => at,
        };
        let zone = self.timing.zone().rules();
        let mut bound = zone.to_datetime(from);
        loop {
            let local = civil::after(self.schedule, bound)?;
            let slot = opened(self.timing, instant(zone, local)?);
            if slot > at {
                return Some(slot);
            }
            bound = local;
        }
    }

    /// The slots after `after` up to and with `until`, oldest first.
    pub fn between(
        self,
        after: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + 'a {
        std::iter::successors(self.after(after), move |slot| self.after(*slot))
            .take_while(move |slot| *slot <= until)
    }
}

/// The first instant at or after `at` that no blackout covers.
pub fn opened(timing: &Timing, at: Timestamp) -> Timestamp {
    blackout_around(timing, at).map_or(at, |(_, end)| end)
}

/// How much later than its slots a database starts: the same for all its slots, and spread evenly
/// over databases.
pub(super) fn jitter(database: &DatabaseId, minutes: JitterMinutes) -> SignedDuration {
    let hash = Sha256::digest(database.as_str().as_bytes());
    let number = hash
        .iter()
        .take(4)
        .fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    SignedDuration::from_secs(i64::from(number % (minutes.get() * 60).max(1)))
}

/// The instant of a wall clock time: after a gap, at the first pass of a fold.
fn instant(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let AmbiguousOffset::Gap { before, .. } = ambiguous.offset() else {
        return ambiguous.earlier().ok();
    };
    let as_if = before.to_timestamp(local).ok()?.checked_add(SECOND).ok()?;
    zone.preceding(as_if)
        .next()
        .map(|change| change.timestamp())
}

/// The latest time that clocks have shown up to `at`: later than what they show when they were set
/// back shortly before.
fn latest_wall_clock(zone: &TimeZone, at: Timestamp) -> Option<DateTime> {
    let now = zone.to_datetime(at);
    let earlier = at.checked_sub(LONGEST_CHANGE).ok()?;
    match zone.to_offset(earlier) {
        offset if offset > zone.to_offset(at) => Some(offset.to_datetime(at)),
        _ => Some(now),
    }
}

/// Start and end of the blackouts that cover `at`, joined where they touch.
fn blackout_around(timing: &Timing, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (mut start, mut end) = one_blackout_around(timing, at)?;
    for _ in 0..MOST_JOINED {
        let earlier = start
            .checked_sub(SECOND)
            .ok()
            .and_then(|before| one_blackout_around(timing, before));
        let Some((before, _)) = earlier else { break };
        start = before;
    }
    for _ in 0..MOST_JOINED {
        let Some((_, later)) = one_blackout_around(timing, end) else {
            break;
        };
        end = later;
    }
    Some((start, end))
}

fn one_blackout_around(timing: &Timing, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    if timing.blackouts().is_empty() {
        return None;
    }
    let zone = timing.zone().rules();
    let today = zone.to_datetime(at).date();
    let days = [today.yesterday(), Ok(today), today.tomorrow()];
    days.into_iter().flatten().find_map(|day| {
        let number = u32::try_from(day.weekday().to_sunday_zero_offset()).ok()?;
        let windows = timing.blackouts().iter();
        windows
            .filter(|window| window.begins_on(number))
            .find_map(|window| {
                let last_day = if window.ends_on_the_next_day() {
                    day.tomorrow().ok()?
                } else {
                    day
                };
                let (from, until) = (window.from(), window.until());
                let start = instant(zone, day.at(from.hour(), from.minute(), 0, 0))?;
                let end = instant(zone, last_day.at(until.hour(), until.minute(), 0, 0))?;
                (start <= at && at < end).then_some((start, end))
            })
    })
}

#[cfg(test)]
mod tests;
