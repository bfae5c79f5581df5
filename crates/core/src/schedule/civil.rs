//! The wall clock times that a schedule names, without any zone.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday};

use crate::model::{DayOfMonth, TierSchedule, TimeOfDay};

/// The last time that `schedule` names at or before `local`.
pub(super) fn at_or_before(schedule: &TierSchedule, local: DateTime) -> Option<DateTime> {
    if let TierSchedule::Cron { expression, .. } = schedule {
        return expression.at_or_before(local);
    }
    let period = period_of(schedule, local)?;
    match at_period(schedule, period)? {
        this if this <= local => Some(this),
        _ => at_period(schedule, before(schedule, period)?),
    }
}

/// The first time that `schedule` names after `local`.
pub(super) fn after(schedule: &TierSchedule, local: DateTime) -> Option<DateTime> {
    if let TierSchedule::Cron { expression, .. } = schedule {
        return expression.after(local);
    }
    let period = period_of(schedule, local)?;
    match at_period(schedule, period)? {
        this if this > local => Some(this),
        _ => at_period(schedule, next(schedule, period)?),
    }
}

/// The start of the period around `local` in which `schedule` names exactly one time: some hours,
/// a day, a week from Sunday, a month or a year.
fn period_of(schedule: &TierSchedule, local: DateTime) -> Option<DateTime> {
    let date = local.date();
    let midnight = |date: Date| date.to_datetime(Time::midnight());
    Some(match schedule {
        TierSchedule::Hourly { every } => {
            let every = i8::try_from(every.get()).ok()?;
            date.at(local.hour() / every * every, 0, 0, 0)
        }
        TierSchedule::Daily { .. } | TierSchedule::Cron { .. } => midnight(date),
        TierSchedule::Weekly { .. } => {
            let back = i32::from(date.weekday().to_sunday_zero_offset());
            midnight(date.checked_sub(back.days()).ok()?)
        }
        TierSchedule::Monthly { .. } => midnight(date.first_of_month()),
        TierSchedule::Yearly { .. } => midnight(date.first_of_year()),
    })
}

fn before(schedule: &TierSchedule, period: DateTime) -> Option<DateTime> {
    period_of(schedule, period.checked_sub(1.minute()).ok()?)
}

fn next(schedule: &TierSchedule, period: DateTime) -> Option<DateTime> {
    match schedule {
        TierSchedule::Hourly { every } => {
            let hour = period.hour().checked_add(i8::try_from(every.get()).ok()?)?;
            if hour < 24 {
                return Some(period.date().at(hour, 0, 0, 0));
            }
            period
                .date()
                .tomorrow()
                .ok()
                .map(|date| date.at(0, 0, 0, 0))
        }
        TierSchedule::Daily { .. } | TierSchedule::Cron { .. } => period.checked_add(1.day()).ok(),
        TierSchedule::Weekly { .. } => period.checked_add(1.week()).ok(),
        TierSchedule::Monthly { .. } => period.checked_add(1.month()).ok(),
        TierSchedule::Yearly { .. } => period.checked_add(1.year()).ok(),
    }
}

/// The time that `schedule` names in the period that starts at `period`.
fn at_period(schedule: &TierSchedule, period: DateTime) -> Option<DateTime> {
    let date = period.date();
    match schedule {
        TierSchedule::Hourly { .. } | TierSchedule::Cron { .. } => Some(period),
        TierSchedule::Daily { at } => Some(date.to_datetime(time(*at))),
        TierSchedule::Weekly { day, at } => {
            let day = i32::try_from(day.get()).ok()?;
            debug_assert_eq!(date.weekday(), Weekday::Sunday);
            let date = date.checked_add(day.days()).ok()?;
            Some(date.to_datetime(time(*at)))
        }
        TierSchedule::Monthly { day, at } => Some(on_day(date, *day).to_datetime(time(*at))),
        TierSchedule::Yearly { month, day, at } => {
            let first = Date::new(date.year(), i8::try_from(month.get()).ok()?, 1).ok()?;
            Some(on_day(first, *day).to_datetime(time(*at)))
        }
    }
}

fn time(at: TimeOfDay) -> Time {
    Time::constant(at.hour(), at.minute(), 0, 0)
}

/// The wanted day of a month, its last one where the month is shorter.
fn on_day(first: Date, day: DayOfMonth) -> Date {
    let wanted = i8::try_from(day.get())
        .unwrap_or(31)
        .min(first.days_in_month());
    first.saturating_add((i32::from(wanted) - 1).days())
}
