//! The scheduler's planner against a naive clock: a slice of `scripts/prove schedule-oracle`.
#![cfg(test)]

use dilux_core::model::{BackupPolicy, JobId, Timing};
use dilux_core::schedule::{
    MissedSlots, Outlook, Plan, PlannedJob, Situation, SlotOutcome, TierState, plan,
};
use dilux_testkit::schedule_oracle::{Planner, Tally, changes, run_case, run_change};
use jiff::SignedDuration;

/// Random cases of the slice.
const CASES: u64 = 40;

/// Random cases in which each faulty planner must be caught.
const FAULTY_CASES: u64 = 400;

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

/// `plan` after `spoil` had its way with the states.
fn with_other_states(situation: &Situation<'_>, spoil: impl Fn(&mut TierState)) -> Plan {
    let mut states = situation.states.to_vec();
    states.iter_mut().for_each(spoil);
    plan(&Situation {
        states: &states,
        ..*situation
    })
}

fn takes_no_edit_for_one(situation: &Situation<'_>) -> Plan {
    with_other_states(situation, |state| {
        let outlook = situation.outlook.tier(state.tier);
        state.mark = outlook.map(|outlook| outlook.mark.clone());
    })
}

fn takes_every_edit_for_one_of_the_schedule(situation: &Situation<'_>) -> Plan {
    let was_edited = situation.edited_at > situation.outlook.now - SignedDuration::from_hours(24);
    with_other_states(situation, |state| {
        if was_edited {
            state.mark = "another".parse().ok();
        }
    })
}

fn forgets_old_schedules(situation: &Situation<'_>) -> Plan {
    with_other_states(situation, |state| state.next_due = None)
}

fn takes_edits_for_older_than_they_are(situation: &Situation<'_>) -> Plan {
    plan(&Situation {
        edited_at: situation.edited_at - SignedDuration::from_hours(24 * 30),
        ..*situation
    })
}

fn never_tries_again(situation: &Situation<'_>) -> Plan {
    with_other_states(situation, |state| {
        if state.outcome == SlotOutcome::Failed {
            state.outcome = SlotOutcome::Missed;
        }
    })
}

fn forgets_the_last_slot(situation: &Situation<'_>) -> Plan {
    with_other_states(situation, |state| {
        if let Some(outlook) = situation.outlook.tier(state.tier)
            && outlook.latest == Some(state.last_slot)
        {
            state.last_slot = outlook.previous.unwrap_or(state.last_slot);
        }
    })
}

fn gives_up_what_it_could_book(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    let now = situation.outlook.now;
    let is_late = |job: &PlannedJob| job.slot < now && !situation.states.is_empty();
    for job in plan.jobs.extract_if(.., |job| is_late(job)) {
        let missed = job.tiers.into_iter().map(|(tier, slot)| MissedSlots {
            tier,
            first: slot,
            last: slot,
            count: 1,
            reason: "it was late".to_owned(),
        });
        plan.missed.extend(missed);
    }
    plan
}

fn dumps_once_for_each_tier(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    let apart = plan.jobs.iter().flat_map(|job| {
        job.tiers.iter().map(|(tier, slot)| PlannedJob {
            id: JobId::derive(situation.database, &format!("{} {tier}", job.id)),
            tiers: vec![(*tier, *slot)],
            ..job.clone()
        })
    });
    plan.jobs = apart.collect();
    plan
}

fn starts_an_hour_late(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    for job in &mut plan.jobs {
        job.not_before += SignedDuration::from_hours(1);
    }
    plan
}

/// `plan` under a policy of another timing.
fn with_other_timing(situation: &Situation<'_>, timing: Timing) -> Plan {
    let policy = BackupPolicy {
        timing,
        ..situation.policy.clone()
    };
    let outlook = Outlook::new(&policy, situation.outlook.now, situation.outlook.horizon);
    plan(&Situation {
        policy: &policy,
        outlook: &outlook,
        ..*situation
    })
}

fn ignores_blackouts(situation: &Situation<'_>) -> Plan {
    let timing = situation.policy.timing.clone();
    with_other_timing(situation, timing.with_blackouts(Vec::new()).unwrap())
}

fn ignores_jitter(situation: &Situation<'_>) -> Plan {
    let timing = situation.policy.timing.clone();
    with_other_timing(situation, timing.with_jitter(None))
}

fn catches_up_however_late(situation: &Situation<'_>) -> Plan {
    let timing = situation.policy.timing.clone();
    with_other_timing(situation, timing.with_catch_up(None))
}

/// Reads the wall clock an hour wrongly in summer.
fn knows_no_daylight_saving(situation: &Situation<'_>) -> Plan {
    let timing = &situation.policy.timing;
    let winter = timing.zone().rules().to_offset(jiff::Timestamp::UNIX_EPOCH);
    let hours = winter.seconds() / 3600;
    let sign = if hours > 0 { '-' } else { '+' };
    let zone = format!("Etc/GMT{sign}{}", hours.abs());
    let fixed = Timing::in_zone(zone.parse().unwrap())
        .with_blackouts(timing.blackouts().to_vec())
        .unwrap()
        .with_jitter(timing.jitter())
        .with_catch_up(timing.catch_up());
    with_other_timing(situation, fixed)
}

fn keeps_no_state(situation: &Situation<'_>) -> Plan {
    let mut plan = plan(situation);
    plan.states.clear();
    plan
}

#[test]
fn faulty_planners_are_caught() {
    let faulty: [(&str, Planner); 20] = [
        ("forgets what was missed", forgets_what_was_missed),
        ("skips the first job", skips_the_first_job),
        ("does not see jobs under way", does_not_see_jobs_under_way),
        ("forgets failures", forgets_failures),
        ("starts a minute early", starts_a_minute_early),
        ("starts an hour late", starts_an_hour_late),
        ("keeps no state", keeps_no_state),
        ("takes no edit for one", takes_no_edit_for_one),
        (
            "takes every edit for one of the schedule",
            takes_every_edit_for_one_of_the_schedule,
        ),
        ("forgets old schedules", forgets_old_schedules),
        (
            "takes edits for older than they are",
            takes_edits_for_older_than_they_are,
        ),
        ("never tries again", never_tries_again),
        ("forgets the last slot", forgets_the_last_slot),
        ("gives up what it could book", gives_up_what_it_could_book),
        ("dumps once for each tier", dumps_once_for_each_tier),
        ("ignores blackouts", ignores_blackouts),
        ("ignores jitter", ignores_jitter),
        ("catches up however late", catches_up_however_late),
        ("knows no daylight saving", knows_no_daylight_saving),
        ("does nothing", |_| Plan::default()),
    ];
    for (name, planner) in faulty {
        let mut tally = Tally::default();
        let caught = (0..FAULTY_CASES).any(|seed| run_case(planner, seed, &mut tally).is_err());
        assert!(
            caught,
            "the planner that {name} got through {FAULTY_CASES} cases"
        );
    }
}
