use jiff::SignedDuration;

use super::*;
use crate::health::{DatabaseCounts, RetentionFacts, SilentStore};
use crate::timer::TimerRun;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn well() -> HealthFacts {
    HealthFacts {
        retention: RetentionFacts {
            is_on: true,
            ..RetentionFacts::default()
        },
        ..HealthFacts::default()
    }
}

fn report(change: impl FnOnce(&mut HealthFacts)) -> HealthReport {
    let mut facts = well();
    change(&mut facts);
    HealthReport::new(at("2026-03-01T06:00:00Z"), facts)
}

fn run(outcome: TimerOutcome) -> TimerRun {
    let now = at("2026-03-01T02:00:00Z");
    TimerRun {
        slot: now,
        started_at: now,
        ended_at: now,
        outcome,
        message: "3 databases".to_owned(),
        counts: std::collections::BTreeMap::new(),
    }
}

/// Changes facts.
type Change = fn(&mut HealthFacts);

#[test]
fn an_installation_in_which_nothing_is_wrong_is_healthy() {
    let report = report(|_| ());
    assert_eq!(report.status, HealthStatus::Healthy);
    assert_eq!(report.complaints(), None);
    assert_eq!(report.checks.len(), 9);
}

#[test]
fn each_thing_that_is_wrong_is_named_by_its_check_and_decides_the_verdict() {
    use HealthStatus::{Degraded, Unhealthy};
    let cases: &[(&str, HealthStatus, Change)] = &[
        ("storage", Unhealthy, |facts| {
            facts.silent_stores.push(SilentStore {
                store: "queue".to_owned(),
                reason: "down".to_owned(),
            });
        }),
        ("clock", Unhealthy, |facts| facts.clock_skew_seconds = -301),
        ("clock", Unhealthy, |facts| {
            facts.clock_doubt = Some("it was set back".to_owned());
        }),
        ("databases", Degraded, |facts| facts.databases.at_risk = 1),
        ("databases", Unhealthy, |facts| {
            facts.databases = DatabaseCounts {
                at_risk: 1,
                breached: 1,
                ..DatabaseCounts::default()
            };
        }),
        ("backups", Degraded, |facts| {
            facts.backups.completed = 89;
            facts.backups.failed = 11;
        }),
        ("jobs", Degraded, |facts| facts.jobs.stuck = 1),
        ("dead_letters", Degraded, |facts| facts.dead_letters = 2),
        ("changes", Degraded, |facts| facts.unfinished_changes = 1),
        ("rows", Unhealthy, |facts| facts.damaged_rows = 1),
        ("retention", Degraded, |facts| {
            facts.retention.is_late = true;
        }),
        ("retention", Degraded, |facts| {
            facts.retention.last = Some(run(TimerOutcome::Failed));
        }),
        ("retention", Degraded, |facts| {
            facts.retention.last = Some(run(TimerOutcome::Partial));
        }),
    ];
    for (name, status, change) in cases {
        let report = report(change);
        assert_eq!(report.status, *status, "{name}");
        let wrong = report
            .checks
            .iter()
            .filter(|check| check.status != HealthStatus::Healthy);
        let wrong: Vec<(&str, HealthStatus)> = wrong
            .map(|check| (check.name.as_str(), check.status))
            .collect();
        assert_eq!(wrong, [(*name, *status)]);
    }
}

#[test]
fn what_is_within_its_bounds_is_no_reason_for_alarm() {
    let changes: &[Change] = &[
        |facts| facts.clock_skew_seconds = 300,
        |facts| {
            facts.backups.completed = 90;
            facts.backups.failed = 10;
        },
        |facts| facts.backups.missed = 5,
        |facts| facts.databases.unknown = 3,
        |facts| facts.retention.last = Some(run(TimerOutcome::Done)),
        |facts| facts.retention.is_on = false,
    ];
    for (number, change) in changes.iter().enumerate() {
        assert_eq!(report(change).status, HealthStatus::Healthy, "{number}");
    }
}

fn timer(timer: Timer, next: &str) -> TimerState {
    TimerState {
        next: Some(at(next)),
        last: Some(run(TimerOutcome::Done)),
        ..TimerState::unknown(timer)
    }
}

#[test]
fn a_dead_scheduler_is_no_green_light_however_good_its_last_report_was() {
    let good = report(|_| ());
    let timers = [
        timer(Timer::Planning, "2026-03-01T06:15:00Z"),
        timer(Timer::Health, "2026-03-01T12:00:00Z"),
    ];
    let planned = standing(Some(&good), &timers, at("2026-03-01T06:30:00Z"));
    assert_eq!(planned.status, Some(HealthStatus::Healthy));
    assert!(!planned.is_stale);
    let silent = standing(Some(&good), &timers, at("2026-03-01T06:30:01Z"));
    assert_eq!(silent.status, Some(HealthStatus::Unhealthy));
    assert!(silent.is_stale);
    assert!(silent.message.contains("planned"), "{}", silent.message);
    let longer = at("2026-03-01T12:15:00Z") + SignedDuration::from_secs(1);
    let silent = standing(Some(&good), &timers, longer);
    assert!(silent.message.contains("health"), "{}", silent.message);
}

#[test]
fn before_the_first_report_nothing_is_claimed() {
    let nothing = standing(None, &[], at("2026-03-01T06:30:00Z"));
    assert_eq!((nothing.status, nothing.is_stale), (None, false));
}

#[test]
fn complaints_stand_in_the_message() {
    let bad = report(|facts| facts.dead_letters = 2);
    let shown = standing(Some(&bad), &[], bad.at);
    assert_eq!(shown.status, Some(HealthStatus::Degraded));
    assert!(
        shown.message.starts_with("dead_letters: 2 "),
        "{}",
        shown.message
    );
}
