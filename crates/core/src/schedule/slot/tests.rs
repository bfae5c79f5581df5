use super::*;
use crate::model::{
    Blackout, DayOfMonth, DayOfWeek, HourlyInterval, Month, PolicyZone, TierSchedule,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn in_zone(name: &str) -> Timing {
    Timing::in_zone(name.parse::<PolicyZone>().unwrap())
}

fn daily(time: &str) -> TierSchedule {
    TierSchedule::Daily {
        at: time.parse().unwrap(),
    }
}

fn hourly(every: i64) -> TierSchedule {
    TierSchedule::Hourly {
        every: HourlyInterval::new(every).unwrap(),
    }
}

fn latest(schedule: &TierSchedule, timing: &Timing, now: &str) -> String {
    let slot = Slots::new(schedule, timing).latest(at(now));
    slot.unwrap().to_string()
}

fn following(schedule: &TierSchedule, timing: &Timing, after: &str, count: usize) -> Vec<String> {
    Slots::new(schedule, timing)
        .between(at(after), Timestamp::MAX)
        .take(count)
        .map(|slot| slot.to_string())
        .collect()
}

#[test]
fn hourly_slots_are_aligned_to_the_clock() {
    let (schedule, timing) = (hourly(5), Timing::default());
    for (now, slot) in [
        ("2026-03-01T04:59:59Z", "2026-03-01T00:00:00Z"),
        ("2026-03-01T05:00:00Z", "2026-03-01T05:00:00Z"),
        ("2026-03-01T23:59:00Z", "2026-03-01T20:00:00Z"),
    ] {
        assert_eq!(latest(&schedule, &timing, now), slot);
    }
    assert_eq!(
        following(&schedule, &timing, "2026-03-01T20:00:00Z", 2),
        ["2026-03-02T00:00:00Z", "2026-03-02T05:00:00Z"]
    );
}

#[test]
fn a_daily_slot_late_in_the_evening_is_found_on_the_next_day() {
    assert_eq!(
        latest(&daily("23:50"), &Timing::default(), "2026-03-02T00:00:00Z"),
        "2026-03-01T23:50:00Z"
    );
}

#[test]
fn a_missed_week_month_or_year_is_still_owed_later() {
    let timing = Timing::default();
    let three = "03:00".parse().unwrap();
    let weekly = TierSchedule::Weekly {
        day: DayOfWeek::new(0).unwrap(),
        at: three,
    };
    assert_eq!(
        latest(&weekly, &timing, "2026-03-07T12:00:00Z"),
        "2026-03-01T03:00:00Z"
    );
    let yearly = TierSchedule::Yearly {
        month: Month::new(2).unwrap(),
        day: DayOfMonth::new(29).unwrap(),
        at: three,
    };
    for (now, slot) in [
        ("2027-01-01T00:00:00Z", "2026-02-28T03:00:00Z"),
        ("2028-03-01T00:00:00Z", "2028-02-29T03:00:00Z"),
    ] {
        assert_eq!(latest(&yearly, &timing, now), slot);
    }
}

#[test]
fn day_31_is_the_last_day_of_every_month() {
    let schedule = TierSchedule::Monthly {
        day: DayOfMonth::new(31).unwrap(),
        at: "03:00".parse().unwrap(),
    };
    assert_eq!(
        following(&schedule, &Timing::default(), "2028-01-31T03:00:00Z", 3),
        [
            "2028-02-29T03:00:00Z",
            "2028-03-31T03:00:00Z",
            "2028-04-30T03:00:00Z"
        ]
    );
}

#[test]
fn a_slot_in_a_gap_is_the_first_valid_instant_after_it() {
    let timing = in_zone("America/New_York");
    let schedule = daily("02:30");
    for (now, slot) in [
        ("2026-03-08T06:59:59Z", "2026-03-07T07:30:00Z"),
        ("2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"),
        ("2026-03-09T06:00:00Z", "2026-03-08T07:00:00Z"),
    ] {
        assert_eq!(latest(&schedule, &timing, now), slot);
    }
    assert_eq!(
        following(&hourly(1), &timing, "2026-03-08T06:00:00Z", 2),
        ["2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"],
        "02:00 does not exist and is one with 03:00"
    );
}

#[test]
fn a_slot_in_a_fold_happens_once_at_the_first_pass() {
    let timing = in_zone("America/New_York");
    let schedule = daily("01:30");
    for now in [
        "2026-11-01T05:30:00Z",
        "2026-11-01T06:15:00Z",
        "2026-11-01T06:45:00Z",
    ] {
        assert_eq!(latest(&schedule, &timing, now), "2026-11-01T05:30:00Z");
    }
    assert_eq!(
        following(&schedule, &timing, "2026-11-01T05:30:00Z", 1),
        ["2026-11-02T06:30:00Z"]
    );
}

#[test]
fn a_slot_in_a_blackout_is_moved_to_its_end_and_slots_that_meet_are_one() {
    let window = |from: &str, until: &str| {
        Blackout::new(Vec::new(), from.parse().unwrap(), until.parse().unwrap())
    };
    let timing = in_zone("Europe/Madrid")
        .with_blackouts(vec![window("22:00", "23:30"), window("23:30", "06:15")])
        .unwrap();
    assert_eq!(
        following(&hourly(1), &timing, "2026-06-01T19:00:00Z", 2),
        ["2026-06-02T04:15:00Z", "2026-06-02T05:00:00Z"],
        "22:00 to 06:00 in Madrid wait for 06:15"
    );
    let nightly = daily("23:00");
    for (now, slot) in [
        ("2026-06-02T04:14:59Z", "2026-06-01T04:15:00Z"),
        ("2026-06-02T04:15:00Z", "2026-06-02T04:15:00Z"),
    ] {
        assert_eq!(latest(&nightly, &timing, now), slot);
    }
}

#[test]
fn a_cron_expression_means_wall_clock_times_of_the_zone() {
    let schedule = TierSchedule::Cron {
        tier: crate::model::Tier::Daily,
        expression: "30 2 * * MON-FRI".parse().unwrap(),
    };
    assert_eq!(
        following(
            &schedule,
            &in_zone("Europe/Madrid"),
            "2026-03-27T12:00:00Z",
            2
        ),
        ["2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"]
    );
}

#[test]
fn jitter_is_stable_and_within_its_minutes() {
    let minutes = JitterMinutes::new(30).unwrap();
    let of = |id: &str| jitter(&id.parse().unwrap(), minutes);
    assert_eq!(of("db-1"), of("db-1"));
    let spread: std::collections::BTreeSet<_> =
        (0..100).map(|number| of(&format!("db-{number}"))).collect();
    assert!(spread.len() > 80);
    assert!(
        spread
            .iter()
            .all(|shift| (0..1800).contains(&shift.as_secs()))
    );
}
