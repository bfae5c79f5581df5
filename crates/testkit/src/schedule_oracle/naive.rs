//! A naive clock: walks through time minute by minute, reads the zone's wall clock, and notes when
//! it shows a time for the first time, or has skipped it.

use dilux_core::model::{Blackout, PolicyZone};
use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::{Date, date};

const DAY: i64 = 24 * 60;

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
    /// Whether a wall clock minute, counted from 1970, is one that is wished for.
    fn is_at(&self, minute: i64) -> bool {
        let (day, time) = (minute.div_euclid(DAY), minute.rem_euclid(DAY));
        match self {
            Self::Hours(every) => time % 60 == 0 && (time / 60) % every == 0,
            Self::Day(at) => time == *at,
            Self::Week(weekday, at) => time == *at && weekday_of(day) == *weekday,
            Self::Month(wanted, at) => time == *at && is_day_of_month(date_of(day), *wanted),
            Self::Year(month, wanted, at) => {
                time == *at
                    && i64::from(date_of(day).month()) == *month
                    && is_day_of_month(date_of(day), *wanted)
            }
            Self::Cron(parts) => parts.is_at(day, time),
        }
    }
}

impl CronParts {
    fn is_at(&self, day: i64, time: i64) -> bool {
        let has = |list: &[i64], number: i64| list.is_empty() || list.contains(&number);
        if time % 60 != self.minute || !has(&self.hours, time / 60) {
            return false;
        }
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

fn weekday_of(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

fn date_of(day: i64) -> Date {
    date(1970, 1, 1).saturating_add(day.days())
}

fn is_day_of_month(date: Date, wanted: i64) -> bool {
    i64::from(date.day()) == wanted.min(i64::from(date.days_in_month()))
}

/// The slots of some wishes from one minute to another, and the minutes in a blackout.
#[derive(Debug)]
pub(super) struct Shown {
    /// First minute walked, counted from 1970.
    from: i64,
    /// For each wish its slots, in minutes, ascending.
    pub(super) slots: Vec<Vec<i64>>,
    dark: Vec<bool>,
}

impl Shown {
    /// Walks from `from` to `until`, in minutes.
    pub(super) fn walk(
        zone: &PolicyZone,
        blackouts: &[Blackout],
        wishes: &[Wish],
        (from, until): (i64, i64),
    ) -> Self {
        let mut shown = Self {
            from,
            slots: vec![Vec::new(); wishes.len()],
            dark: Vec::new(),
        };
        let mut clock = Clock::new(zone);
        let mut windows: Vec<i64> = vec![i64::MIN; blackouts.len()];
        let mut waiting = vec![false; wishes.len()];
        // Two days before, blackouts may begin that still hold at `from`.
        let mut latest = clock.wall(from - 2 * DAY - 1);
        for minute in from - 2 * DAY..=until {
            let wall = clock.wall(minute);
            for reached in latest + 1..=wall {
                for (end, blackout) in windows.iter_mut().zip(blackouts) {
                    if let Some(length) = begins(blackout, reached) {
                        *end = reached + length;
                    }
                }
                for (waits, wish) in waiting.iter_mut().zip(wishes) {
                    *waits |= wish.is_at(reached);
                }
            }
            latest = latest.max(wall);
            let is_dark = windows.iter().any(|end| latest < *end);
            if minute < from {
                if !is_dark {
                    waiting.fill(false);
                }
                continue;
            }
            shown.dark.push(is_dark);
            if !is_dark {
                for (index, waits) in waiting.iter_mut().enumerate() {
                    if std::mem::take(waits) {
                        shown.slots[index].push(minute);
                    }
                }
            }
        }
        shown
    }

    /// Whether a minute lies in a blackout; `None` when it was not walked.
    pub(super) fn is_dark(&self, minute: i64) -> Option<bool> {
        let index = usize::try_from(minute - self.from).ok()?;
        self.dark.get(index).copied()
    }
}

/// For how many minutes of the wall clock a blackout holds that begins at `minute`.
fn begins(blackout: &Blackout, minute: i64) -> Option<i64> {
    let of =
        |time: dilux_core::model::TimeOfDay| i64::from(time.hour()) * 60 + i64::from(time.minute());
    let (from, until) = (of(blackout.from()), of(blackout.until()));
    let weekday = u32::try_from(weekday_of(minute.div_euclid(DAY))).ok()?;
    let is_begin = minute.rem_euclid(DAY) == from && blackout.begins_on(weekday);
    let length = if until > from {
        until - from
    } else {
        until - from + DAY
    };
    is_begin.then_some(length)
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
}

/// The instant of a minute since 1970.
pub(super) fn instant(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap_or(Timestamp::MAX)
}

/// The minute of an instant.
pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}
