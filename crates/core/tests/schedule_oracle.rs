//! The scheduler's planner against a naive clock: a slice of `scripts/prove schedule-oracle`.
#![cfg(test)]

use dilux_core::schedule::{Plan, Situation, plan};
use dilux_testkit::schedule_oracle::{Planner, Tally, changes, run_case, run_change};
use jiff::SignedDuration;

/// Random cases of the slice.
const CASES: u64 = 40;

/// Random cases in which each faulty planner must be caught.
const FAULTY_CASES: u64 = 40;

/// Of the changes of clocks, one in so many is in the slice.
const CHANGES_STEP: usize = 1500;

#[test]
fn planner_agrees_with_the_naive_clock_in_random_lives() {
    let mut tally = Tally::default();
    for seed in 0..CASES {
        if let Err(failure) = run_case(plan, seed, &mut tally) {
            panic!("{failure}");
        }
    }
    assert_eq!(tally.cases, CASES);
    for count in [
        tally.booked,
        tally.missed,
        tally.retried,
        tally.edits,
        tally.outages,
        tally.jumps,
    ] {
        assert!(count > 2, "{tally:?}");
    }
}

#[test]
fn planner_agrees_with_the_naive_clock_where_clocks_change() {
    let mut tally = Tally::default();
    for (zone, change) in changes().iter().step_by(CHANGES_STEP) {
        if let Err(failure) = run_change(plan, zone, *change, &mut tally) {
            panic!("{failure}");
        }
    }
    assert!(tally.cases > 25, "{tally:?}");
}

fn forgets_what_was_missed(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    plan.missed.clear();
    plan
}

fn skips_the_first_job(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    if !plan.jobs.is_empty() && !situation.states.is_empty() {
        plan.jobs.remove(0);
    }
    plan
}

fn does_not_see_jobs_under_way(situation: &Situation<'_>) -> Plan {
    let blind = Situation {
        active: &[],
        ..*situation
    };
    plan(&blind)
}

fn forgets_failures(situation: &Situation<'_>) -> Plan {
    let mut states = situation.states.to_vec();
    for state in &mut states {
        state.failures = 0;
        state.failed_at = state
            .failed_at
            .map(|at| at - SignedDuration::from_hours(48));
    }
    let blind = Situation {
        states: &states,
        ..*situation
    };
    plan(&blind)
}

fn starts_a_minute_early(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    for job in &mut plan.jobs {
        job.not_before -= SignedDuration::from_mins(1);
    }
    plan
}

fn takes_every_slot_for_announced(situation: &Situation<'_>) -> Plan {
    let blind = Situation {
        edited_at: situation.outlook.now + SignedDuration::from_hours(24 * 30),
        ..*situation
    };
    plan(&blind)
}

fn keeps_no_state(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    plan.states.clear();
    plan
}

#[test]
fn faulty_planners_are_caught() {
    let faulty: [(&str, Planner); 7] = [
        ("forgets_what_was_missed", forgets_what_was_missed),
        ("skips_the_first_job", skips_the_first_job),
        ("does_not_see_jobs_under_way", does_not_see_jobs_under_way),
        ("forgets_failures", forgets_failures),
        ("starts_a_minute_early", starts_a_minute_early),
        (
            "takes_every_slot_for_announced",
            takes_every_slot_for_announced,
        ),
        ("keeps_no_state", keeps_no_state),
    ];
    for (name, planner) in faulty {
        let mut tally = Tally::default();
        let caught = (0..FAULTY_CASES).any(|seed| run_case(planner, seed, &mut tally).is_err());
        assert!(caught, "{name} got through {FAULTY_CASES} cases");
    }
}
