use std::collections::BTreeMap;

use super::*;

const ME: &str = "scheduler-1";
const OTHER: &str = "scheduler-2";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn daily() -> TimerRule {
    TimerRule::daily("02:00".parse().unwrap())
}

fn six_hours() -> TimerRule {
    TimerRule::every(Duration::from_hours(6))
}

fn quarter() -> TimerRule {
    TimerRule::every(Duration::from_mins(15))
}

fn served(timer: Timer, slot: &str) -> TimerState {
    TimerState {
        served: Some(at(slot)),
        ..TimerState::unknown(timer)
    }
}

fn run(slot: &str, outcome: TimerOutcome) -> TimerRun {
    TimerRun {
        slot: at(slot),
        started_at: at(slot),
        ended_at: at(slot),
        outcome,
        message: String::new(),
        counts: BTreeMap::new(),
    }
}

/// The slot that is to be run, if any.
fn due(known: &TimerState, rule: TimerRule, now: &str) -> Option<Timestamp> {
    match decide(known, Some(rule), ME, at(now)) {
        Decision::Run(slot) => Some(slot),
        Decision::Wait | Decision::Note(_) => None,
    }
}

#[test]
fn slots_stand_on_the_clock_of_utc() {
    for (rule, now, latest, next) in [
        (
            daily(),
            "2026-03-01T02:00:00Z",
            "2026-03-01T02:00:00Z",
            "2026-03-02T02:00:00Z",
        ),
        (
            daily(),
            "2026-03-01T01:59:59Z",
            "2026-02-28T02:00:00Z",
            "2026-03-01T02:00:00Z",
        ),
        // The night in which Europe's clocks go forward.
        (
            daily(),
            "2026-03-29T02:30:00Z",
            "2026-03-29T02:00:00Z",
            "2026-03-30T02:00:00Z",
        ),
        (
            six_hours(),
            "2026-03-01T05:59:59Z",
            "2026-03-01T00:00:00Z",
            "2026-03-01T06:00:00Z",
        ),
        (
            six_hours(),
            "2026-03-01T18:00:00Z",
            "2026-03-01T18:00:00Z",
            "2026-03-02T00:00:00Z",
        ),
        (
            quarter(),
            "2026-03-01T10:07:00Z",
            "2026-03-01T10:00:00Z",
            "2026-03-01T10:15:00Z",
        ),
        (
            quarter(),
            "2026-03-01T10:15:00Z",
            "2026-03-01T10:15:00Z",
            "2026-03-01T10:30:00Z",
        ),
    ] {
        assert_eq!(rule.latest(at(now)), at(latest), "{now}");
        assert_eq!(rule.next(at(now)), at(next), "{now}");
    }
}

#[test]
fn a_slot_is_owed_from_its_time_on_until_it_is_served() {
    let known = served(Timer::Retention, "2026-03-01T02:00:00Z");
    assert_eq!(due(&known, daily(), "2026-03-02T01:59:59Z"), None);
    let slot = at("2026-03-02T02:00:00Z");
    assert_eq!(due(&known, daily(), "2026-03-02T02:00:00Z"), Some(slot));
    assert_eq!(due(&known, daily(), "2026-03-02T23:00:00Z"), Some(slot));
    let done = known
        .claimed(slot, ME, slot)
        .ended(
            ME,
            run("2026-03-02T02:00:00Z", TimerOutcome::Done),
            at("2026-03-03T02:00:00Z"),
        )
        .unwrap();
    let later = at("2026-03-02T23:00:00Z");
    assert_eq!(decide(&done, Some(daily()), ME, later), Decision::Wait);
}

#[test]
fn of_many_missed_slots_only_the_newest_is_run() {
    let known = served(Timer::Retention, "2026-02-01T02:00:00Z");
    let slot = at("2026-03-01T02:00:00Z");
    assert_eq!(due(&known, daily(), "2026-03-01T09:00:00Z"), Some(slot));
}

#[test]
fn at_the_first_start_retention_waits_for_its_time_and_the_monitor_looks_at_once() {
    let now = "2026-03-01T09:00:00Z";
    let retention = TimerState::unknown(Timer::Retention);
    let Decision::Note(noted) = decide(&retention, Some(daily()), ME, at(now)) else {
        panic!("retention has nothing to do yet");
    };
    assert_eq!(noted.next, Some(at("2026-03-02T02:00:00Z")));
    assert_eq!(decide(&noted, Some(daily()), ME, at(now)), Decision::Wait);
    let slot = at("2026-03-02T02:00:00Z");
    assert_eq!(due(&noted, daily(), "2026-03-02T02:00:01Z"), Some(slot));
    let health = TimerState::unknown(Timer::Health);
    let slot = at("2026-03-01T06:00:00Z");
    assert_eq!(due(&health, six_hours(), now), Some(slot));
}

#[test]
fn a_failed_run_leaves_its_slot_owed_and_a_partial_one_does_not() {
    let slot = at("2026-03-02T02:00:00Z");
    let next = at("2026-03-03T02:00:00Z");
    for (outcome, owed) in [
        (TimerOutcome::Failed, Some(slot)),
        (TimerOutcome::Partial, None),
    ] {
        let known = served(Timer::Retention, "2026-03-01T02:00:00Z").claimed(slot, ME, slot);
        let known = known.ended(ME, run("2026-03-02T02:00:00Z", outcome), next);
        let known = known.unwrap();
        assert_eq!(due(&known, daily(), "2026-03-02T02:01:00Z"), owed);
        assert_eq!(known.last.unwrap().outcome, outcome);
    }
}

#[test]
fn a_claim_keeps_others_away_until_its_lease_is_over() {
    let slot = at("2026-03-02T02:00:00Z");
    let known = served(Timer::Retention, "2026-03-01T02:00:00Z").claimed(slot, OTHER, slot);
    assert_eq!(due(&known, daily(), "2026-03-02T02:01:59Z"), None);
    assert_eq!(due(&known, daily(), "2026-03-02T02:02:00Z"), Some(slot));
    let renewed = known.renewed(OTHER, at("2026-03-02T02:10:00Z")).unwrap();
    assert_eq!(due(&renewed, daily(), "2026-03-02T02:11:59Z"), None);
    assert_eq!(due(&renewed, daily(), "2026-03-02T02:12:00Z"), Some(slot));
    let taken = renewed.claimed(slot, ME, at("2026-03-02T02:25:00Z"));
    assert_eq!(taken.clone().renewed(OTHER, slot), None);
    assert_eq!(taken.clone().given_back(OTHER), None);
    let late = run("2026-03-02T02:00:00Z", TimerOutcome::Done);
    assert_eq!(taken.ended(OTHER, late, slot), None);
}

#[test]
fn a_claim_that_its_own_scheduler_could_not_give_back_does_not_stop_it() {
    let slot = at("2026-03-02T02:00:00Z");
    let known = served(Timer::Retention, "2026-03-01T02:00:00Z").claimed(slot, ME, slot);
    assert_eq!(due(&known, daily(), "2026-03-02T02:00:30Z"), Some(slot));
}

#[test]
fn a_clock_that_goes_back_a_little_runs_nothing_twice() {
    let known = served(Timer::Retention, "2026-03-02T02:00:00Z");
    for now in [
        "2026-03-02T01:59:00Z",
        "2026-03-02T02:00:00Z",
        "2026-03-02T02:01:00Z",
    ] {
        assert_eq!(due(&known, daily(), now), None, "{now}");
    }
}

#[test]
fn a_state_from_the_far_future_is_not_believed() {
    let now = at("2026-03-02T09:00:00Z");
    let slot = at("2026-03-03T02:00:00Z");
    let known = served(Timer::Retention, "2031-01-01T02:00:00Z");
    let Decision::Note(noted) = decide(&known, Some(daily()), ME, now) else {
        panic!("retention does not run for a slot that may be served");
    };
    assert_eq!(due(&noted, daily(), "2026-03-03T02:00:00Z"), Some(slot));
    let known = served(Timer::Retention, "2026-03-02T02:00:00Z");
    let known = known.claimed(slot, OTHER, at("2031-01-01T02:00:00Z"));
    assert_eq!(due(&known, daily(), "2026-03-03T02:00:00Z"), Some(slot));
    let health = served(Timer::Health, "2031-01-01T00:00:00Z");
    assert!(due(&health, six_hours(), "2026-03-02T09:00:00Z").is_some());
}

#[test]
fn a_timer_that_is_switched_off_owes_nothing_and_is_never_late() {
    let known = TimerState {
        next: Some(at("2026-03-02T02:00:00Z")),
        ..served(Timer::Retention, "2026-03-01T02:00:00Z")
    };
    let now = at("2026-03-05T00:00:00Z");
    assert!(known.is_late(now));
    let Decision::Note(off) = decide(&known, None, ME, now) else {
        panic!("that it is off is written down");
    };
    assert!(!off.is_late(now));
    assert_eq!(decide(&off, None, ME, now), Decision::Wait);
}

#[test]
fn a_timer_is_late_a_quarter_of_an_hour_after_its_time_unless_it_runs() {
    let next = at("2026-03-02T02:00:00Z");
    let known = TimerState {
        next: Some(next),
        ..served(Timer::Retention, "2026-03-01T02:00:00Z")
    };
    assert!(!known.is_late(at("2026-03-02T02:15:00Z")));
    assert!(known.is_late(at("2026-03-02T02:15:01Z")));
    let running = known.claimed(next, OTHER, at("2026-03-02T02:19:00Z"));
    assert!(!running.is_late(at("2026-03-02T02:20:00Z")));
}

#[test]
fn names_are_read_as_they_are_written() {
    for timer in Timer::ALL {
        assert_eq!(timer.as_str().parse(), Ok(timer));
    }
    assert!("lunch".parse::<Timer>().is_err());
}

#[test]
fn so_many_runs_are_remembered_that_they_fit_into_a_row() {
    let mut known = TimerState::unknown(Timer::Retention);
    for number in 0..40_i64 {
        let slot = at("2026-03-01T02:00:00Z") + SignedDuration::from_hours(24 * number);
        let run = TimerRun {
            slot,
            message: "é".repeat(1000),
            counts: BTreeMap::from([("deleted".to_owned(), u64::MAX)]),
            ..run("2026-03-01T02:00:00Z", TimerOutcome::Failed)
        };
        let running = known.claimed(slot, ME, slot);
        known = running.ended(ME, run, slot).unwrap();
    }
    let last = known.last.unwrap();
    assert_eq!(last.slot, at("2026-04-09T02:00:00Z"));
    assert_eq!(last.message.chars().count(), 1000);
    assert_eq!(known.earlier.len(), 30);
    assert_eq!(known.earlier[0].slot, at("2026-04-08T02:00:00Z"));
    let stored = serde_json::to_string(&known.earlier).unwrap();
    assert!(
        stored.encode_utf16().count() < 32 * 1024,
        "{}",
        stored.len()
    );
}
