//! A naive clock: walks through time minute by minute, reads the zone's wall clock, and notes when
//! it shows a time for the first time, or has skipped it. Whole days on which nothing is wished for
//! are left out, but for the days before one on which something is.

use dilux_core::model::{Blackout, PolicyZone, Timing};
use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::{Date, date};

const DAY: i64 = 24 * 60;
const MINUTES: usize = 24 * 60;

/// Minutes that no change of a clock exceeds, but for one that leaves out a day.
const LARGEST_CHANGE: i64 = 4 * 60;

/// Minutes walked ahead of a range: longer than a blackout and a change of a clock together.
const LEAD: i64 = 2 * DAY;

/// The same for what waits for a blackout's end: blackouts that touch may cover a week but for an
/// hour.
const WAITING_LEAD: i64 = 9 * DAY;

/// Longer than two years.
const LONGEST_REACH: i64 = 1000 * DAY;

/// When a tier wants a backup, in plain numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// Every so many hours from midnight.
    Hours(i64),
    /// At a minute of each day.
    Day(i64),
    /// On a day of the week, Sunday first, at a minute.
    Week(i64, i64),
    /// On a day of the month, at a minute.
    Month(i64, i64),
    /// In a month, on a day, at a minute.
    Year(i64, i64, i64),
    /// As a cron expression of these parts says.
    Cron(CronParts),
}

/// The parts of a cron expression; empty lists mean "every".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CronParts {
    pub(super) minute: i64,
    pub(super) hours: Vec<i64>,
    pub(super) days: Vec<i64>,
    pub(super) months: Vec<i64>,
    pub(super) weekdays: Vec<i64>,
}

impl Wish {
    /// Whether anything is wished for on a day of the wall clock, counted from 1970.
    fn is_on(&self, day: i64) -> bool {
        match self {
            Self::Hours(_) | Self::Day(_) => true,
            Self::Week(wanted, _) => weekday_of(day) == *wanted,
            Self::Month(wanted, _) => is_day_of_month(date_of(day), *wanted),
            Self::Year(month, wanted, _) => {
                let date = date_of(day);
                i64::from(date.month()) == *month && is_day_of_month(date, *wanted)
            }
            Self::Cron(parts) => parts.is_on(day),
        }
    }

    /// Days in which it is mostly wished for twice.
    fn two_periods(&self) -> i64 {
        match self {
            Self::Hours(_) | Self::Day(_) => 3,
            Self::Week(..) => 15,
            Self::Month(..) => 63,
            Self::Year(..) => 732,
            Self::Cron(parts) if !parts.months.is_empty() => 732,
            Self::Cron(parts) if parts.days.is_empty() && parts.weekdays.is_empty() => 3,
            Self::Cron(_) => 31,
        }
    }

    /// Whether it is wished for at a minute of such a day.
    fn is_at(&self, time: i64) -> bool {
        match self {
            Self::Hours(every) => time % 60 == 0 && (time / 60) % every == 0,
            Self::Day(at) | Self::Week(_, at) | Self::Month(_, at) | Self::Year(_, _, at) => {
                time == *at
            }
            Self::Cron(parts) => time % 60 == parts.minute && has(&parts.hours, time / 60),
        }
    }
}

impl CronParts {
    fn is_on(&self, day: i64) -> bool {
        let date = date_of(day);
        let in_month = self.days.contains(&i64::from(date.day()));
        let in_week = self.weekdays.contains(&weekday_of(day));
        let is_day = match (self.days.is_empty(), self.weekdays.is_empty()) {
            (true, true) => true,
            (false, true) => in_month,
            (true, false) => in_week,
            (false, false) => in_month || in_week,
        };
        is_day && has(&self.months, i64::from(date.month()))
    }
}

fn has(list: &[i64], number: i64) -> bool {
    list.is_empty() || list.contains(&number)
}

fn weekday_of(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

fn date_of(day: i64) -> Date {
    date(1970, 1, 1).saturating_add(day.days())
}

fn is_day_of_month(date: Date, wanted: i64) -> bool {
    i64::from(date.day()) == wanted.min(i64::from(date.days_in_month()))
}

/// The slots of a wish from one minute to another, and at least the newest two before, ascending.
pub(super) fn slots_since_the_last_two(
    timing: &Timing,
    wish: &Wish,
    (from, until): (i64, i64),
) -> Vec<i64> {
    let mut reach = wish.two_periods() * DAY;
    loop {
        let found = slots(timing, wish, (from - reach, until));
        let is_enough = found.iter().filter(|slot| **slot <= from).count() >= 2;
        if is_enough || reach > LONGEST_REACH {
            return found;
        }
        reach *= 4;
    }
}

/// The slots of a wish from one minute to another, ascending.
pub(super) fn slots(timing: &Timing, wish: &Wish, (from, until): (i64, i64)) -> Vec<i64> {
    let mut clock = Clock::new(timing.zone());
    let mut day = clock.wall(from).div_euclid(DAY) - 1;
    let last = clock.wall(until).div_euclid(DAY) + 1;
    let (mut found, mut minute) = (Vec::new(), from);
    while minute <= until {
        // The next day on which something may be wished for, and some hours before it.
        let Some(wanted) = (day..=last).find(|day| wish.is_on(*day)) else {
            break;
        };
        let near = clock.near(wanted * DAY) - LARGEST_CHANGE;
        let range = (near.max(minute), until);
        (minute, day) = walk(timing, wish, (wanted, range), &mut found);
    }
    found
}

/// Walks minute by minute, over `wanted` and until some days after it on which nothing is wished
/// for or waits. Gives the minute after the last one walked, and the day that it had come to.
fn walk(
    timing: &Timing,
    wish: &Wish,
    (wanted, (from, until)): (i64, (i64, i64)),
    found: &mut Vec<i64>,
) -> (i64, i64) {
    let (lead, most_idle) = if timing.blackouts().is_empty() {
        (DAY, 0)
    } else {
        (WAITING_LEAD, 8)
    };
    let wished: Vec<bool> = (0..DAY).map(|time| wish.is_at(time)).collect();
    let mut hands = Hands::new(timing, from - lead);
    let (mut is_on, mut waits) = (wish.is_on(hands.day), false);
    let mut idle_days = 0;
    for minute in from - lead..=until {
        let wall = hands.clock.wall(minute);
        while hands.latest < wall {
            if hands.advance() {
                is_on = wish.is_on(hands.day);
                let is_idle = hands.day > wanted && !is_on && !waits;
                idle_days = if is_idle { idle_days + 1 } else { 0 };
            }
            waits |= is_on && wished[hands.time];
        }
        if waits && !hands.is_dark() {
            waits = false;
            if minute >= from {
                found.push(minute);
            }
        }
        if idle_days > most_idle && minute >= from {
            return (minute + 1, hands.day);
        }
    }
    (until + 1, hands.day)
}

/// The minutes in a blackout from one minute to another.
#[derive(Debug, Default)]
pub(super) struct Darkness {
    from: i64,
    dark: Vec<bool>,
}

impl Darkness {
    /// Walks from `from` to `until`.
    pub(super) fn walk(timing: &Timing, (from, until): (i64, i64)) -> Self {
        let mut darkness = Self {
            from,
            dark: Vec::new(),
        };
        if timing.blackouts().is_empty() {
            return darkness;
        }
        let mut hands = Hands::new(timing, from - LEAD);
        for minute in from - LEAD..=until {
            let wall = hands.clock.wall(minute);
            while hands.latest < wall {
                hands.advance();
            }
            if minute >= from {
                darkness.dark.push(hands.is_dark());
            }
        }
        darkness
    }

    /// The first instant at or after `at` that is in no blackout, as far as was walked.
    pub(super) fn light(&self, at: Timestamp) -> Timestamp {
        let Ok(index) = usize::try_from(minute(at) - self.from) else {
            return at;
        };
        let dark = self.dark.iter().skip(index).take_while(|dark| **dark);
        match i64::try_from(dark.count()) {
            Ok(0) | Err(_) => at,
            Ok(minutes) => instant(minute(at) + minutes),
        }
    }
}

/// The hands of a zone's wall clock: the latest time that they have shown, and which blackouts hold.
struct Hands<'a> {
    clock: Clock<'a>,
    blackouts: &'a [Blackout],
    /// When the last window of each blackout ends, on the wall clock.
    ends: Vec<i64>,
    /// The latest minute that was shown, its day, and its minute of that day.
    latest: i64,
    day: i64,
    time: usize,
}

impl<'a> Hands<'a> {
    /// Hands that are to walk from `first` on. They know nothing of blackouts that began before.
    fn new(timing: &'a Timing, first: i64) -> Self {
        let mut clock = Clock::new(timing.zone());
        let latest = clock.wall(first - 1);
        Self {
            clock,
            blackouts: timing.blackouts(),
            ends: vec![i64::MIN; timing.blackouts().len()],
            latest,
            day: latest.div_euclid(DAY),
            time: usize::try_from(latest.rem_euclid(DAY)).unwrap_or(0),
        }
    }

    /// Shows, or skips, the next minute. Says whether a day begins with it.
    fn advance(&mut self) -> bool {
        self.latest += 1;
        self.time += 1;
        let is_midnight = self.time == MINUTES;
        if is_midnight {
            self.time = 0;
            self.day += 1;
        }
        for (end, blackout) in self.ends.iter_mut().zip(self.blackouts) {
            if let Some(length) = begins(blackout, (self.day, self.time)) {
                *end = self.latest + length;
            }
        }
        is_midnight
    }

    fn is_dark(&self) -> bool {
        self.ends.iter().any(|end| self.latest < *end)
    }
}

/// For how many minutes of the wall clock a blackout holds that begins at a minute of a day.
fn begins(blackout: &Blackout, (day, time): (i64, usize)) -> Option<i64> {
    let of =
        |time: dilux_core::model::TimeOfDay| i64::from(time.hour()) * 60 + i64::from(time.minute());
    let from = of(blackout.from());
    if usize::try_from(from) != Ok(time) {
        return None;
    }
    let until = of(blackout.until());
    let length = if until > from {
        until - from
    } else {
        until - from + DAY
    };
    let weekday = u32::try_from(weekday_of(day)).ok()?;
    blackout.begins_on(weekday).then_some(length)
}

/// Reads a zone's wall clock; looks up its offset only where it may have changed.
struct Clock<'a> {
    zone: &'a PolicyZone,
    offset: i64,
    valid: (i64, i64),
}

impl<'a> Clock<'a> {
    fn new(zone: &'a PolicyZone) -> Self {
        Self {
            zone,
            offset: 0,
            valid: (0, 0),
        }
    }

    /// The minute that the wall clock shows, counted as if it were UTC from 1970.
    #[inline]
    fn wall(&mut self, minute: i64) -> i64 {
        if !(self.valid.0..self.valid.1).contains(&minute) {
            let at = instant(minute);
            let next = self.zone.rules().following(at).next();
            let until = next.map_or(i64::MAX, |change| change.timestamp().as_second() / 60);
            self.offset = i64::from(self.zone.rules().to_offset(at).seconds()) / 60;
            self.valid = (minute, until);
        }
        minute + self.offset
    }

    /// The minute at which the wall clock shows about `wall`.
    fn near(&mut self, wall: i64) -> i64 {
        wall - (self.wall(wall) - wall)
    }
}

/// The instant of a minute since 1970.
pub(super) fn instant(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap_or(Timestamp::MAX)
}

/// The minute of an instant.
pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}
