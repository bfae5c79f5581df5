//! Slots: the instants at which a tier owes a backup.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::{DayOfMonth, TierSchedule, TimeOfDay};

/// The latest slot of `schedule` at or before `now`, in `zone`. A slot inside a gap of the zone's
/// clock is moved to the first valid instant after it, one inside a fold happens at its first
/// pass. `None` only before year −9998.
pub fn latest_slot(schedule: TierSchedule, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let local = now.to_zoned(zone.clone()).datetime();
    let mut candidate = latest_civil(schedule, local)?;
    // A gap moves a slot behind the civil time it was written as, so the first hit may lie after
    // `now`; the one before it then is the answer.
    for _ in 0..3 {
        let at = instant(candidate, zone)?;
        if at <= now {
            return Some(at);
        }
        let before = candidate.checked_sub(1.minute()).ok()?;
        candidate = latest_civil(schedule, before)?;
    }
    None
}

fn instant(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(civil).compatible().ok()
}

fn latest_civil(schedule: TierSchedule, local: DateTime) -> Option<DateTime> {
    match schedule {
        TierSchedule::Hourly { every } => {
            let every = i8::try_from(every.get()).ok()?;
            Some(local.date().at(local.hour() / every * every, 0, 0, 0))
        }
        TierSchedule::Daily { at } => back_by_days(local, |date| Some(date.to_datetime(time(at)))),
        TierSchedule::Weekly { day, at } => {
            let wanted = Weekday::from_sunday_zero_offset(i8::try_from(day.get()).ok()?).ok()?;
            back_by_days(local, |date| {
                (date.weekday() == wanted).then(|| date.to_datetime(time(at)))
            })
        }
        TierSchedule::Monthly { day, at } => {
            back_by_months(local, 1, local.date().first_of_month(), |first| {
                Some(on_day(first, day).to_datetime(time(at)))
            })
        }
        TierSchedule::Yearly { month, day, at } => {
            let month = i8::try_from(month.get()).ok()?;
            let first = Date::new(local.year(), month, 1).ok()?;
            back_by_months(local, 12, first, |first| {
                Some(on_day(first, day).to_datetime(time(at)))
            })
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
    first
        .first_of_month()
        .saturating_add((i32::from(wanted) - 1).days())
}

/// The first slot at or before `local` when walking back day by day, at most eight days.
fn back_by_days(local: DateTime, slot_on: impl Fn(Date) -> Option<DateTime>) -> Option<DateTime> {
    let mut date = local.date();
    for _ in 0..=8 {
        if let Some(slot) = slot_on(date).filter(|slot| *slot <= local) {
            return Some(slot);
        }
        date = date.yesterday().ok()?;
    }
    None
}

/// The slot of the month `first`, or of the one `step` months before when that is still to come.
fn back_by_months(
    local: DateTime,
    step: i32,
    first: Date,
    slot_in: impl Fn(Date) -> Option<DateTime>,
) -> Option<DateTime> {
    let this = slot_in(first)?;
    if this <= local {
        return Some(this);
    }
    slot_in(first.checked_sub(step.months()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DayOfWeek, HourlyInterval, Month};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn latest(schedule: TierSchedule, now: &str) -> String {
        latest_slot(schedule, &TimeZone::UTC, at(now))
            .unwrap()
            .to_string()
    }

    #[test]
    fn hourly_slots_are_aligned_to_the_clock() {
        let schedule = TierSchedule::Hourly {
            every: HourlyInterval::new(5).unwrap(),
        };
        assert_eq!(
            latest(schedule, "2026-03-01T04:59:59Z"),
            "2026-03-01T00:00:00Z"
        );
        assert_eq!(
            latest(schedule, "2026-03-01T05:00:00Z"),
            "2026-03-01T05:00:00Z"
        );
        assert_eq!(
            latest(schedule, "2026-03-01T23:59:00Z"),
            "2026-03-01T20:00:00Z"
        );
    }

    #[test]
    fn a_daily_slot_late_in_the_evening_is_found_on_the_next_day() {
        let schedule = TierSchedule::Daily {
            at: "23:50".parse().unwrap(),
        };
        assert_eq!(
            latest(schedule, "2026-03-02T00:00:00Z"),
            "2026-03-01T23:50:00Z"
        );
    }

    #[test]
    fn a_missed_week_month_or_year_is_still_owed_later() {
        let at_three = "03:00".parse().unwrap();
        let weekly = TierSchedule::Weekly {
            day: DayOfWeek::new(0).unwrap(),
            at: at_three,
        };
        assert_eq!(
            latest(weekly, "2026-03-07T12:00:00Z"),
            "2026-03-01T03:00:00Z"
        );
        let monthly = TierSchedule::Monthly {
            day: DayOfMonth::new(31).unwrap(),
            at: at_three,
        };
        assert_eq!(
            latest(monthly, "2026-03-01T00:00:00Z"),
            "2026-02-28T03:00:00Z"
        );
        let yearly = TierSchedule::Yearly {
            month: Month::new(2).unwrap(),
            day: DayOfMonth::new(29).unwrap(),
            at: at_three,
        };
        assert_eq!(
            latest(yearly, "2027-01-01T00:00:00Z"),
            "2026-02-28T03:00:00Z"
        );
        assert_eq!(
            latest(yearly, "2028-03-01T00:00:00Z"),
            "2028-02-29T03:00:00Z"
        );
    }

    #[test]
    fn a_slot_in_a_gap_runs_after_it_and_one_in_a_fold_runs_once() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let schedule = TierSchedule::Daily {
            at: "02:30".parse().unwrap(),
        };
        let during_gap = latest_slot(schedule, &zone, at("2026-03-08T07:10:00Z")).unwrap();
        assert_eq!(during_gap.to_string(), "2026-03-07T07:30:00Z");
        let after_gap = latest_slot(schedule, &zone, at("2026-03-08T08:00:00Z")).unwrap();
        assert_eq!(after_gap.to_string(), "2026-03-08T07:30:00Z");
        let fold = TierSchedule::Daily {
            at: "01:30".parse().unwrap(),
        };
        let first_pass = latest_slot(fold, &zone, at("2026-11-01T05:30:00Z")).unwrap();
        let second_pass = latest_slot(fold, &zone, at("2026-11-01T06:45:00Z")).unwrap();
        assert_eq!(first_pass, second_pass);
    }
}
