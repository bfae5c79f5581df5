//! What all tiers of a policy share of their timing: zone, blackouts, jitter, catch-up.

use super::{CatchUpHours, DayOfWeek, InvalidPolicy, JitterMinutes, PolicyZone, TimeOfDay};

/// Most blackouts of a policy.
const MOST_BLACKOUTS: usize = 20;

const MINUTES_OF_DAY: usize = 24 * 60;

/// A time of the day in which no scheduled backup may start, on some days of the week. Ends on the
/// next day when `until` is not later than `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blackout {
    days: Vec<DayOfWeek>,
    from: TimeOfDay,
    until: TimeOfDay,
}

impl Blackout {
    /// A blackout on `days` (the days on which it begins; none means every day).
    pub fn new(mut days: Vec<DayOfWeek>, from: TimeOfDay, until: TimeOfDay) -> Self {
        days.sort_unstable();
        days.dedup();
        Self { days, from, until }
    }

    /// Days of the week on which it begins; none means every day.
    pub fn days(&self) -> &[DayOfWeek] {
        &self.days
    }

    /// When it begins.
    pub fn from(&self) -> TimeOfDay {
        self.from
    }

    /// When it ends.
    pub fn until(&self) -> TimeOfDay {
        self.until
    }

    /// Whether it ends on the day after it began.
    pub fn ends_on_the_next_day(&self) -> bool {
        self.until <= self.from
    }

    /// Whether it begins on this day: 0 = Sunday … 6 = Saturday.
    pub fn begins_on(&self, day: u32) -> bool {
        self.days.is_empty() || self.days.iter().any(|wanted| wanted.get() == day)
    }
}

/// The timing that all tiers of a policy share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timing {
    zone: PolicyZone,
    blackouts: Vec<Blackout>,
    jitter: Option<JitterMinutes>,
    catch_up: Option<CatchUpHours>,
}

impl Timing {
    /// The timing of a policy in `zone` without blackouts, jitter and limit on catching up.
    pub fn in_zone(zone: PolicyZone) -> Self {
        Self {
            zone,
            ..Self::default()
        }
    }

    /// With these blackouts, which must leave at least an hour of the week free.
    pub fn with_blackouts(mut self, blackouts: Vec<Blackout>) -> Result<Self, InvalidPolicy> {
        if blackouts.len() > MOST_BLACKOUTS {
            return Err(InvalidPolicy(format!(
                "must be at most {MOST_BLACKOUTS} windows"
            )));
        }
        if !blackouts.is_empty() && free_minutes(&blackouts) < 60 {
            return Err(InvalidPolicy(
                "must leave at least an hour of the week free, or no backup could start".to_owned(),
            ));
        }
        self.blackouts = blackouts;
        Ok(self)
    }

    /// With starts spread over so many minutes.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Option<JitterMinutes>) -> Self {
        self.jitter = jitter.filter(|jitter| jitter.get() > 0);
        self
    }

    /// With a limit on how late a missed slot is still run.
    #[must_use]
    pub fn with_catch_up(mut self, catch_up: Option<CatchUpHours>) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// The time zone of all its times.
    pub fn zone(&self) -> &PolicyZone {
        &self.zone
    }

    /// The blackouts.
    pub fn blackouts(&self) -> &[Blackout] {
        &self.blackouts
    }

    /// Minutes over which starts are spread; `None` when they are not.
    pub fn jitter(&self) -> Option<JitterMinutes> {
        self.jitter
    }

    /// How late a missed slot is still run; `None` means until the next slot of its tier.
    pub fn catch_up(&self) -> Option<CatchUpHours> {
        self.catch_up
    }
}

/// Minutes of a week without daylight saving that no blackout covers.
fn free_minutes(blackouts: &[Blackout]) -> usize {
    let minute = |time: TimeOfDay| {
        usize::try_from(time.hour()).unwrap_or(0) * 60 + usize::try_from(time.minute()).unwrap_or(0)
    };
    let mut week = vec![true; 7 * MINUTES_OF_DAY];
    for (day, number) in (0..7_u32).enumerate() {
        for blackout in blackouts.iter().filter(|window| window.begins_on(number)) {
            let from = day * MINUTES_OF_DAY + minute(blackout.from);
            let overnight = usize::from(blackout.ends_on_the_next_day()) * MINUTES_OF_DAY;
            let until = day * MINUTES_OF_DAY + minute(blackout.until) + overnight;
            for at in from..until {
                week[at % (7 * MINUTES_OF_DAY)] = false;
            }
        }
    }
    week.into_iter().filter(|is_free| *is_free).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[i64], from: &str, until: &str) -> Blackout {
        let days = days.iter().map(|day| DayOfWeek::new(*day).unwrap());
        Blackout::new(
            days.collect(),
            from.parse().unwrap(),
            until.parse().unwrap(),
        )
    }

    #[test]
    fn blackouts_that_leave_no_hour_of_the_week_are_refused() {
        let timing = Timing::default();
        let always = vec![window(&[], "08:00", "08:00")];
        assert!(timing.clone().with_blackouts(always).is_err());
        let night_and_day = vec![window(&[], "00:00", "12:00"), window(&[], "12:00", "00:00")];
        assert!(timing.clone().with_blackouts(night_and_day).is_err());
        let almost = vec![window(&[], "00:30", "00:29")];
        assert!(timing.clone().with_blackouts(almost).is_err());
        let but_for_sunday = vec![window(&[1, 2, 3, 4, 5, 6], "08:00", "18:00")];
        assert!(timing.with_blackouts(but_for_sunday).is_ok());
    }
}
