//! The health of the installation: what was found is shown, and a dead scheduler is no green light.

use std::collections::BTreeMap;

use dilux_core::health::examine;
use dilux_core::model::{DeadLetter, DeadLetterReason};
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation};
use dilux_core::timer::{Timer, TimerOutcome, TimerRun, TimerState};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::jobs::{shop, trigger};
use crate::world::{START, World};

async fn shown(world: &World) -> Value {
    world.get("/api/health/report").await.expect(200)
}

/// Does what the health monitor does.
async fn look(world: &World) {
    let report = examine(&world.installation).await.unwrap();
    let health = &world.installation.repositories.health;
    health.put(&report).await.unwrap();
}

/// Writes down that a timer ran now.
pub(crate) async fn ran(world: &World, timer: Timer, next: &str) -> TimerState {
    let now = world.installation.clock.now();
    let run = TimerRun {
        slot: now,
        started_at: now,
        ended_at: now,
        outcome: TimerOutcome::Done,
        message: "as it should".to_owned(),
        counts: BTreeMap::new(),
    };
    let state = TimerState::after(timer, run, next.parse().unwrap());
    let timers = &world.installation.repositories.timers;
    timers.insert(state).await.unwrap().value
}

fn check<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let checks = shown["report"]["checks"].as_array().unwrap();
    let mut checks = checks.iter();
    checks.find(|check| check["name"] == name).unwrap()
}

#[tokio::test]
async fn before_the_first_report_the_health_is_unknown() {
    let world = World::new().await;
    let shown = shown(&world).await;
    assert_eq!(shown["status"], json!("unknown"));
    assert_eq!(shown["report"], Value::Null);
    assert_eq!(shown["is_stale"], json!(false));
    assert_eq!(shown["timers"], json!([]));
}

#[tokio::test]
async fn a_good_report_is_shown_with_what_it_rests_on() {
    let world = World::new().await;
    let database = shop(&world).await;
    trigger(&world, &database, None).await;
    look(&world).await;
    let shown = shown(&world).await;
    assert_eq!(shown["status"], json!("healthy"), "{shown}");
    assert_eq!(shown["message"], json!("all is well"));
    let report = &shown["report"];
    let looked_at: Timestamp = report["at"].as_str().unwrap().parse().unwrap();
    let start: Timestamp = START.parse().unwrap();
    assert_eq!(looked_at.as_second(), start.as_second());
    assert_eq!(report["databases"]["met"], json!(1));
    assert_eq!(report["jobs"]["waiting"], json!(1));
    assert_eq!(report["queue_depth"], json!(1));
    assert_eq!(report["clock_skew_seconds"], json!(0));
    assert_eq!(report["backups"]["success_percent"], Value::Null);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let world = World::new().await;
    let database = shop(&world).await;
    let job = trigger(&world, &database, None).await;
    let repositories = &world.installation.repositories;
    let letter = DeadLetter::new(
        "what is this?",
        DeadLetterReason::Unreadable,
        None,
        world.installation.clock.now(),
    );
    repositories.dead_letters.set_aside(letter).await.unwrap();
    let table = TableName::new("databaseconfigs").unwrap();
    let broken = Entity::new(EntityKey::new("database", "broken"));
    let write = TableOperation::Replace(broken, Condition::None);
    let tables = &world.installation.storage.tables;
    tables.write(&table, write).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(2));
    look(&world).await;

    let shown = shown(&world).await;
    assert_eq!(shown["status"], json!("unhealthy"));
    let report = &shown["report"];
    for (name, status) in [
        ("storage", "healthy"),
        ("databases", "unhealthy"),
        ("jobs", "degraded"),
        ("dead_letters", "degraded"),
        ("rows", "unhealthy"),
        ("retention", "healthy"),
    ] {
        assert_eq!(check(&shown, name)["status"], json!(status), "{name}");
    }
    let concern = &report["concerns"][0];
    assert_eq!(concern["database_id"], json!(database));
    assert_eq!(concern["state"], json!("breached"));
    assert_eq!(report["stuck_jobs"][0]["job_id"], job["job_id"]);
    assert_eq!(report["stuck_jobs"][0]["since"], json!(START));
    assert_eq!(report["dead_letters"], json!(1));
    assert_eq!(report["damaged_rows"], json!(1));
    let damaged = report["damaged"][0].as_str().unwrap();
    assert!(damaged.starts_with("database broken: "), "{damaged}");
    assert!(shown["message"].as_str().unwrap().contains("dead_letters"));
}

#[tokio::test]
async fn backups_of_the_last_day_are_counted_and_older_ones_are_not() {
    let shop = crate::backups::Shop::new().await;
    let start: Timestamp = START.parse().unwrap();
    for hours_ago in [1, 23, 25] {
        let mut seed = shop.seed();
        seed.at = start - SignedDuration::from_hours(hours_ago);
        seed.plant(&shop.world).await;
    }
    look(&shop.world).await;
    let shown = shown(&shop.world).await;
    let backups = &shown["report"]["backups"];
    assert_eq!(backups["completed"], json!(2));
    assert_eq!(backups["success_percent"], json!(100));
}

#[tokio::test]
async fn a_dead_scheduler_shows_however_good_its_last_report_was() {
    let world = World::new().await;
    look(&world).await;
    ran(&world, Timer::Planning, "2026-01-31T12:15:00Z").await;
    ran(&world, Timer::Retention, "2026-02-01T02:00:00Z").await;
    let good = shown(&world).await;
    assert_eq!(good["status"], json!("healthy"));
    let timers = good["timers"].as_array().unwrap();
    let names: Vec<&Value> = timers.iter().map(|timer| &timer["name"]).collect();
    assert_eq!(names, ["planning", "retention"]);
    assert_eq!(timers[1]["next_at"], json!("2026-02-01T02:00:00Z"));
    assert_eq!(timers[1]["last_run"]["outcome"], json!("done"));
    assert_eq!(timers[1]["running_since"], Value::Null);
    world.clock.advance(SignedDuration::from_mins(31));
    let dead = shown(&world).await;
    assert_eq!(dead["status"], json!("unhealthy"));
    assert_eq!(dead["is_stale"], json!(true));
    assert_eq!(dead["timers"][0]["is_late"], json!(true));
    assert_eq!(dead["report"]["status"], json!("healthy"));
    let message = dead["message"].as_str().unwrap();
    assert!(message.contains(START), "{message}");
}

#[tokio::test]
async fn a_run_under_way_is_shown() {
    let world = World::new().await;
    let state = ran(&world, Timer::Retention, "2026-01-31T12:00:00Z").await;
    let timers = &world.installation.repositories.timers;
    let stored = timers.get(&Timer::Retention).await.unwrap().unwrap();
    let now = world.installation.clock.now();
    let running = state.claimed(now, "scheduler-1", now);
    timers.replace(running, &stored.version).await.unwrap();
    let timer = &shown(&world).await["timers"][0];
    assert_eq!(timer["running_since"], json!(START));
}

#[tokio::test]
async fn silent_tables_are_no_report_at_all() {
    let world = World::new().await;
    world
        .faults
        .tables_are_down
        .store(true, std::sync::atomic::Ordering::SeqCst);
    world.get("/api/health/report").await.expect(503);
    assert!(examine(&world.installation).await.is_err());
}
