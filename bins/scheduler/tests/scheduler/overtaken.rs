//! Jobs that no worker had begun when a newer slot fell due.

use std::sync::Arc;

use dilux_core::clock::Clock as _;
use dilux_core::model::{Blackout, HourlyInterval, Job, JobState, Tier, TierSchedule, Timing};
use dilux_core::storage::Storage;
use dilux_scheduler::Scheduler;
use jiff::{SignedDuration, Timestamp};

use crate::faults::{Fault, Faults, FaultyTables};
use crate::world::{World, at, is_completed, own, slot, tiers, world_at};

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// A database whose first backup is made, at a quarter to two.
async fn world() -> World {
    let world = world_at("2026-03-04T01:45:00Z").await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    assert_eq!(world.work(|_| true).await.len(), 1);
    world
}

/// Ticks until then, while no worker is there.
async fn without_workers(world: &World, until: &str) {
    while world.clock.now() < at(until) {
        world.clock.advance(QUARTER);
        world.tick().await;
    }
}

/// The slots of a tier that were recorded as missed, oldest first, each with its reason.
async fn missed(world: &World, tier: Tier) -> Vec<(Timestamp, String)> {
    let misses = world.misses("db-1").await;
    let of_tier = misses.into_iter().filter(|miss| miss.slots.tier == tier);
    let mut slots: Vec<(Timestamp, String)> = of_tier
        .inspect(|miss| assert_eq!(miss.slots.count, 1))
        .map(|miss| (miss.slots.last, miss.slots.reason))
        .collect();
    slots.sort_unstable();
    slots
}

fn waiting(jobs: &[Job]) -> Vec<&Job> {
    jobs.iter().filter(|job| !job.is_terminal()).collect()
}

#[tokio::test]
async fn workers_that_come_back_run_the_newest_slot_once_for_all_tiers_and_no_older_one() {
    let world = world().await;
    without_workers(&world, "2026-03-04T06:15:00Z").await;
    let ran = world.work(|_| true).await;
    assert_eq!(ran.len(), 1, "{ran:#?}");
    assert_eq!(slot(&ran[0]), at("2026-03-04T06:00:00Z"));
    assert_eq!(
        tiers(&ran[0]),
        [Tier::Hourly, Tier::Daily],
        "daily was due at two"
    );
    let hourly = missed(&world, Tier::Hourly).await;
    let slots: Vec<Timestamp> = hourly.iter().map(|(slot, _)| *slot).collect();
    let hours = [2, 3, 4, 5].map(|hour| at(&format!("2026-03-04T0{hour}:00:00Z")));
    assert_eq!(slots, hours);
    for ((_, reason), next) in hourly.iter().zip(3..) {
        let by = format!("served by the slot 2026-03-04T0{next}:00:00Z");
        assert!(reason.contains("no worker had begun"), "{reason}");
        assert!(reason.ends_with(&by), "{reason}");
    }
    assert_eq!(missed(&world, Tier::Daily).await, []);
    let ran = world.live("2026-03-04T07:15:00Z", QUARTER, |_| true).await;
    assert_eq!(
        ran.iter().map(slot).collect::<Vec<_>>(),
        [at("2026-03-04T07:00:00Z")]
    );
    for state in world.states("db-1").await {
        assert_eq!(state.satisfied_slot, Some(state.last_slot), "{state:?}");
    }
}

#[tokio::test]
async fn the_job_that_takes_over_keeps_the_place_in_the_line_and_is_the_only_one() {
    let world = world().await;
    without_workers(&world, "2026-03-04T04:15:00Z").await;
    let jobs = world.jobs().await;
    let [job] = waiting(&jobs)[..] else {
        panic!("one job waits: {jobs:#?}")
    };
    assert_eq!(job.not_before, at("2026-03-04T02:00:00Z"));
    let withdrawn: Vec<&Job> = jobs
        .iter()
        .filter(|job| matches!(job.state, JobState::Missed { .. }))
        .collect();
    assert_eq!(withdrawn.len(), 2);
    for job in withdrawn {
        assert_eq!((job.epoch, job.attempts), (0, 0));
    }
}

#[tokio::test]
async fn a_job_that_a_worker_has_begun_is_not_withdrawn() {
    let world = world().await;
    world.clock.advance(QUARTER);
    world.tick().await;
    let begun = world.start_one().await;
    without_workers(&world, "2026-03-04T03:00:00Z").await;
    let jobs = world.jobs().await;
    assert_eq!(
        waiting(&jobs).iter().map(|job| &job.id).collect::<Vec<_>>(),
        [&begun.id]
    );
    let hourly = missed(&world, Tier::Hourly).await;
    assert_eq!(hourly.len(), 1);
    assert_eq!(hourly[0].0, at("2026-03-04T03:00:00Z"));
}

#[tokio::test]
async fn a_scheduler_that_died_after_the_withdrawal_is_followed_by_one_that_plans_all_tiers() {
    let world = world().await;
    without_workers(&world, "2026-03-04T02:45:00Z").await;
    let jobs = &world.installation.repositories.jobs;
    let stored = jobs.active(world.clock.now()).await.unwrap().remove(0);
    world.clock.advance(QUARTER);
    let missed_job = stored.value.miss(world.clock.now(), "withdrawn".to_owned());
    jobs.update(missed_job.unwrap(), &stored.version)
        .await
        .unwrap();
    world.clock.advance(QUARTER);
    world.tick().await;
    let ran = world.work(|_| true).await;
    assert_eq!(ran.len(), 1);
    assert_eq!(slot(&ran[0]), at("2026-03-04T03:00:00Z"));
    assert_eq!(tiers(&ran[0]), [Tier::Hourly, Tier::Daily]);
    let hourly = missed(&world, Tier::Hourly).await;
    assert_eq!(hourly.len(), 1, "{hourly:?}");
    assert_eq!(hourly[0].0, at("2026-03-04T02:00:00Z"));
}

#[tokio::test]
async fn a_job_that_was_never_booked_is_recorded_when_the_scheduler_dies_over_its_successor_too() {
    let world = world_at("2026-03-04T00:45:00Z").await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    assert_eq!(world.work(|_| true).await.len(), 1);
    let faults = Arc::new(Faults::default());
    let tables = FaultyTables {
        inner: world.installation.storage.tables.clone(),
        faults: faults.clone(),
    };
    let storage = Storage {
        tables: Arc::new(tables),
        ..world.installation.storage.clone()
    };
    let dying = Scheduler::new(world.over(storage));
    faults.set(Some(Fault::WritesFail("jobs")));
    // Of the hourly slot at one, and of what is due at two.
    for step in [QUARTER, QUARTER * 4] {
        world.clock.advance(step);
        dying.tick().await.unwrap_err();
    }
    world.clock.advance(QUARTER);
    world.tick().await;
    let ran = world.work(|_| true).await;
    assert_eq!(ran.len(), 1, "{ran:#?}");
    assert_eq!(slot(&ran[0]), at("2026-03-04T02:00:00Z"));
    assert_eq!(tiers(&ran[0]), [Tier::Hourly, Tier::Daily]);
    let hourly = missed(&world, Tier::Hourly).await;
    assert_eq!(hourly.len(), 1, "{hourly:?}");
    assert_eq!(hourly[0].0, at("2026-03-04T01:00:00Z"));
}

#[tokio::test]
async fn a_backup_that_was_put_off_by_a_blackout_is_made_once_with_the_slot_at_its_end() {
    let world = world_at("2026-03-04T19:10:00Z").await;
    let night = Blackout::new(
        Vec::new(),
        "20:05".parse().unwrap(),
        "23:30".parse().unwrap(),
    );
    world
        .add_policy("nights-off", |policy| {
            policy.timing = Timing::default().with_blackouts(vec![night]).unwrap();
            policy
                .rules
                .retain(|rule| rule.schedule.tier() == Tier::Hourly);
            policy.rules[0].schedule = TierSchedule::Hourly {
                every: HourlyInterval::new(1).unwrap(),
            };
        })
        .await;
    world.add("db-1", own("nights-off"), true).await;
    world.tick().await;
    world.work(|_| true).await;
    without_workers(&world, "2026-03-04T20:10:00Z").await;
    // As a worker does that takes the job up in the blackout.
    let jobs = &world.installation.repositories.jobs;
    let stored = jobs.active(world.clock.now()).await.unwrap().remove(0);
    assert_eq!(slot(&stored.value), at("2026-03-04T20:00:00Z"));
    let end = at("2026-03-04T23:30:00Z");
    jobs.update(stored.value.starting(end), &stored.version)
        .await
        .unwrap();
    without_workers(&world, "2026-03-04T23:25:00Z").await;
    let known = world.jobs().await;
    let [job] = waiting(&known)[..] else {
        panic!("one job waits: {known:#?}")
    };
    assert_eq!((slot(job), job.not_before), (end, end));
    let ran = world.live("2026-03-04T23:55:00Z", QUARTER, |_| true).await;
    assert_eq!(ran.len(), 1);
    assert!(is_completed(&ran[0]));
    let hourly = missed(&world, Tier::Hourly).await;
    assert_eq!(hourly.len(), 1, "{hourly:?}");
    assert_eq!(hourly[0].0, at("2026-03-04T20:00:00Z"));
}
