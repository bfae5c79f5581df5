//! Rows that cannot be read: what depends on them waits or goes on, and says why.

use std::time::Duration;

use dilux_core::health::examine;
use dilux_core::model::PolicySource;
use dilux_core::schedule::SlotOutcome;
use dilux_core::timer::{Timer, TimerOutcome};
use dilux_core::timetable::Timetable;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::world::{World, id, own, world};

#[tokio::test]
async fn a_damaged_job_counts_as_failed_and_its_database_goes_on() {
    let world = world().await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    let lost = world.jobs().await.remove(0);
    world.damage("jobs", "db-1", lost.id.as_str()).await;
    let quarter = SignedDuration::from_mins(15);
    let ran = world.live("2026-03-04T10:52:00Z", quarter, |_| true).await;
    assert_eq!(
        ran.len(),
        0,
        "a job of which nothing is known may be under way"
    );
    for state in world.states("db-1").await {
        assert_eq!(state.outcome, SlotOutcome::Failed, "{state:?}");
        assert_eq!(state.failures, 1, "{state:?}");
        assert!(state.reason.contains(lost.id.as_str()), "{}", state.reason);
    }
    let ran = world.live("2026-03-05T10:07:00Z", quarter, |_| true).await;
    let mut slots: Vec<Timestamp> = ran.iter().map(crate::world::slot).collect();
    slots.sort_unstable();
    let before = slots.len();
    slots.dedup();
    assert_eq!(slots.len(), before, "no slot is served twice");
    assert!(slots.len() >= 22, "{slots:?}");
    for state in world.states("db-1").await {
        assert_eq!(state.outcome, SlotOutcome::Completed, "{state:?}");
    }
}

#[tokio::test]
async fn no_database_is_planned_by_another_policy_than_one_that_cannot_be_read() {
    let world = world().await;
    world.add("own", own("production-critical"), true).await;
    world.add("inherits", PolicySource::Engine, true).await;
    world.add("well", own("production-standard"), true).await;
    for policy in ["production-critical", "development"] {
        world
            .damage("backuppolicies", "backup_policy", policy)
            .await;
    }
    let report = world.scheduler().tick().await.unwrap();
    assert_eq!((report.booked, report.failed, report.damaged), (1, 2, 2));
    assert_eq!(world.jobs().await[0].database_id.as_str(), "well");
    for database in ["own", "inherits"] {
        let told = Timetable::read(&world.installation, &id(database)).await;
        let reason = told.unwrap_err().to_string();
        assert!(reason.contains("cannot be read"), "{reason}");
    }
    world.clock.advance(SignedDuration::from_mins(1));
    let health = examine(&world.installation).await.unwrap();
    let databases = &health.facts.databases;
    assert_eq!((databases.met, databases.unknown), (1, 2));
    let damaged = &health.facts.damaged;
    let names = |policy: &str| damaged.iter().any(|row| row.contains(policy));
    assert!(
        names("production-critical") && names("development"),
        "{damaged:?}"
    );
}

#[tokio::test]
async fn a_default_policy_that_cannot_be_read_is_replaced_by_none() {
    let world = world().await;
    world.add("db-1", own("a-policy-that-is-gone"), true).await;
    world
        .damage("backuppolicies", "backup_policy", "production-standard")
        .await;
    let report = world.scheduler().tick().await.unwrap();
    assert_eq!((report.booked, report.failed), (0, 1));
}

#[tokio::test]
async fn an_engine_that_cannot_be_read_says_nothing_of_the_policy_of_its_databases() {
    let world = world().await;
    world.add("db-1", PolicySource::Engine, true).await;
    world.damage("databaseconfigs", "engine", "engine-1").await;
    let report = world.scheduler().tick().await.unwrap();
    assert_eq!((report.booked, report.failed), (0, 1));
    let health = examine(&world.installation).await.unwrap();
    assert_eq!(health.facts.databases.unknown, 1);
}

#[tokio::test]
async fn a_tick_that_could_not_plan_everything_is_noted_as_partial() {
    let world = world().await;
    world.add("db-1", own("production-critical"), true).await;
    world
        .damage("backuppolicies", "backup_policy", "production-critical")
        .await;
    let state = noted_tick(&world).await;
    let last = state.last.unwrap();
    assert_eq!(last.outcome, TimerOutcome::Partial, "{}", last.message);
}

/// What a scheduler notes of its first tick.
async fn noted_tick(world: &World) -> dilux_core::timer::TimerState {
    let stop = CancellationToken::new();
    let running = tokio::spawn(world.scheduler().run(stop.clone()));
    let timers = &world.installation.repositories.timers;
    let noted = async {
        loop {
            match timers.get(&Timer::Planning).await.unwrap() {
                Some(stored) => return stored.value,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let state = tokio::time::timeout(Duration::from_secs(30), noted)
        .await
        .unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), running)
        .await
        .unwrap()
        .unwrap();
    state
}
