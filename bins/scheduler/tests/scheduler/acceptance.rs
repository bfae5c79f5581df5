//! Acceptance scenarios of the scheduler.

use std::collections::BTreeMap;

use dilux_core::alert::{Alert, AlertKind, Severity, find};
use dilux_core::model::{Backup, Job, JobId, JobState, Tier, TierSchedule, Timing};
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation, Value};
use jiff::{SignedDuration, Timestamp};

use crate::world::{World, at, id, is_completed, own, slot, tiers, world_at};

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// How many jobs served each tier.
fn served(jobs: &[Job]) -> BTreeMap<Tier, usize> {
    let mut count = BTreeMap::new();
    for tier in jobs.iter().flat_map(tiers) {
        *count.entry(tier).or_default() += 1;
    }
    count
}

#[tokio::test]
async fn a_01_thirty_days_of_an_hourly_policy_give_one_job_a_slot() {
    let world = world_at("2026-03-01T00:00:00Z").await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    world.work(|_| true).await;
    let ran = world.live("2026-03-31T00:00:00Z", QUARTER, |_| true).await;
    let mut slots: Vec<Timestamp> = ran.iter().map(slot).collect();
    slots.sort_unstable();
    let hours = |count: i64| at("2026-03-01T00:00:00Z") + SignedDuration::from_hours(count);
    let expected: Vec<Timestamp> = (1..=720).map(hours).collect();
    assert_eq!(slots, expected, "every hour once, without drift");
    for job in &ran {
        assert!(is_completed(job));
        assert_eq!(job.not_before, slot(job), "it starts in its minute");
    }
    let counts = served(&ran);
    let wanted = [
        (Tier::Hourly, 720),
        (Tier::Daily, 30),
        (Tier::Weekly, 5),
        (Tier::Monthly, 1),
    ];
    assert_eq!(counts, BTreeMap::from(wanted));
    assert_eq!(world.misses("db-1").await, []);
}

#[tokio::test]
async fn a_02_history_rows_change_no_decision() {
    let (bare, full) = (
        world_at("2026-03-04T10:07:00Z").await,
        world_at("2026-03-04T10:07:00Z").await,
    );
    for world in [&bare, &full] {
        world.add("db-1", own("production-critical"), true).await;
    }
    let table = TableName::new("backuphistory").unwrap();
    let index = TableName::new("backupindex").unwrap();
    for number in 0..50_u32 {
        let rows: Vec<TableOperation> = (0..100)
            .map(|row| {
                let key = EntityKey::new("db-1", format!("{number:05}{row:05}_old"));
                let row = Entity::new(key).with("status", Value::String("failed".to_owned()));
                TableOperation::Replace(row, Condition::None)
            })
            .collect();
        for table in [&table, &index] {
            let tables = &full.installation.storage.tables;
            tables.write_batch(table, rows.clone()).await.unwrap();
        }
    }
    let until = "2026-03-06T10:00:00Z";
    let expected: Vec<JobId> = ids(&bare.live(until, QUARTER, |_| true).await);
    let found: Vec<JobId> = ids(&full.live(until, QUARTER, |_| true).await);
    assert_eq!(found, expected);
    assert!(found.len() > 40);
}

fn ids(jobs: &[Job]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id.clone()).collect()
}

/// Notes attempts as the workers do.
async fn keep_books(world: &World, attempts: &[Job]) {
    let repositories = &world.installation.repositories;
    let now = world.installation.clock.now();
    for job in attempts {
        let line = Backup::of_job(job);
        let noted = repositories.states.change(&job.database_id, |state| {
            if is_completed(job) {
                state.succeed(&line.id, now);
            } else {
                state.fail(now, "nobody is there");
            }
        });
        noted.await.unwrap();
        if job.is_terminal() {
            repositories.backups.put(&line).await.unwrap();
        }
    }
}

async fn told(world: &World) -> Vec<Alert> {
    let now = world.installation.clock.now();
    let found = find(&world.installation, now).await.unwrap();
    assert_eq!(found.damaged, []);
    found.alerts
}

/// From the first backup that failed on, there is the same one alert at each look, and none about
/// another database.
#[track_caller]
fn one_alert_about(looks: &[Vec<Alert>], database: &str) {
    let quiet = looks.iter().take_while(|alerts| alerts.is_empty()).count();
    assert!(quiet < 12, "nothing for {quiet} quarters of an hour");
    let (first, last) = (&looks[quiet][0], &looks[looks.len() - 1][0]);
    for alerts in &looks[quiet..] {
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(alerts[0].kind, AlertKind::BackupFailing);
        assert_eq!(alerts[0].subject.id, database);
        assert_eq!((&alerts[0].id, alerts[0].since), (&first.id, first.since));
    }
    assert_eq!(first.severity, Severity::Warning);
    assert_eq!(last.severity, Severity::Critical, "a day without a backup");
    assert!(first.count < last.count, "it counts");
}

/// Each hour of the day in which "dead" was dead has a job, or stands in the list of missed slots.
async fn every_hour_was_tried_or_missed(world: &World) {
    let missed: u64 = world
        .misses("dead")
        .await
        .iter()
        .filter(|miss| miss.slots.tier == Tier::Hourly)
        .map(|miss| miss.slots.count)
        .sum();
    let hourly = world.jobs().await;
    let mut booked: Vec<Timestamp> = hourly
        .iter()
        .filter(|job| job.database_id == id("dead") && tiers(job).contains(&Tier::Hourly))
        .map(slot)
        .collect();
    booked.sort_unstable();
    booked.dedup();
    let undecided =
        u64::from(world.states("dead").await.iter().any(|state| {
            state.tier == Tier::Hourly && state.last_slot < at("2026-03-05T00:00:00Z")
        }));
    assert_eq!(
        missed + u64::try_from(booked.len()).unwrap() + undecided,
        25,
        "every slot was tried or recorded as missed"
    );
}

#[tokio::test]
async fn a_03_a_database_that_is_dead_for_a_day_sees_at_most_thirty_attempts_and_is_one_alert() {
    let world = world_at("2026-03-04T00:00:00Z").await;
    world.add("dead", own("production-critical"), true).await;
    world.add("alive", own("production-critical"), true).await;
    world.tick().await;
    keep_books(&world, &world.work(|_| true).await).await;
    let mut alerts = Vec::new();
    let step = SignedDuration::from_secs(30);
    let is_alive = |job: &Job| job.database_id.as_str() == "alive";
    let mut attempts = Vec::new();
    let mut next_tick = world.installation.clock.now();
    while world.installation.clock.now() < at("2026-03-05T00:00:00Z") {
        world.clock.advance(step);
        if world.installation.clock.now() >= next_tick {
            world.tick().await;
            next_tick += QUARTER;
            alerts.push(told(&world).await);
        }
        let tried = world.work(is_alive).await;
        keep_books(&world, &tried).await;
        attempts.extend(tried);
    }
    one_alert_about(&alerts, "dead");
    let (alive, dead): (Vec<Job>, Vec<Job>) = attempts.into_iter().partition(is_alive);
    assert!(dead.len() <= 30, "{} attempts", dead.len());
    assert!(dead.len() >= 15, "it is not given up: {}", dead.len());
    assert_eq!(alive.iter().filter(|job| is_completed(job)).count(), 24);
    every_hour_was_tried_or_missed(&world).await;
    world.clock.advance(SignedDuration::from_hours(2));
    world.tick().await;
    let recovered = world.work(|_| true).await;
    keep_books(&world, &recovered).await;
    assert_eq!(told(&world).await, [], "a success ends it");
    assert!(recovered.iter().any(|job| job.database_id == id("dead")));
    assert!(
        world
            .states("dead")
            .await
            .iter()
            .all(|state| state.failures == 0)
    );
}

#[tokio::test]
async fn a_04_a_backup_longer_than_three_ticks_is_not_doubled() {
    let world = world_at("2026-03-04T10:00:00Z").await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    let running = world.start_one().await;
    for _ in 0..12 {
        world.clock.advance(QUARTER);
        assert_eq!(world.tick().await.booked, 0);
    }
    assert_eq!(world.jobs().await.len(), 1);
    let missed = world.misses("db-1").await;
    let slots: Vec<String> = missed
        .iter()
        .map(|miss| miss.slots.last.to_string())
        .collect();
    assert_eq!(
        slots,
        [
            "2026-03-04T13:00:00Z",
            "2026-03-04T12:00:00Z",
            "2026-03-04T11:00:00Z"
        ]
    );
    assert!(missed[0].slots.reason.contains(running.id.as_str()));
    let jobs = &world.installation.repositories.jobs;
    let stored = jobs.get(&running.id).await.unwrap().unwrap();
    let done = stored
        .value
        .complete(world.installation.clock.now())
        .unwrap();
    jobs.update(done, &stored.version).await.unwrap();
    let ran = world.live("2026-03-04T14:00:00Z", QUARTER, |_| true).await;
    assert_eq!(
        ran.iter().map(slot).collect::<Vec<_>>(),
        [at("2026-03-04T14:00:00Z")]
    );
}

#[tokio::test]
async fn a_05_late_times_midnight_and_clock_changes_give_one_run_each_day() {
    let cases = [
        ("23:50", "UTC", "2026-03-01T12:00:00Z"),
        ("00:00", "UTC", "2026-03-01T12:00:00Z"),
        ("02:30", "America/New_York", "2026-03-05T12:00:00Z"),
        ("01:30", "America/New_York", "2026-10-29T12:00:00Z"),
    ];
    for (time, zone, start) in cases {
        let world = world_at(start).await;
        let zone: dilux_core::model::PolicyZone = zone.parse().unwrap();
        world
            .add_policy("daily", |policy| {
                policy.timing = Timing::in_zone(zone.clone());
                policy
                    .rules
                    .retain(|rule| rule.schedule.tier() == Tier::Daily);
                policy.rules[0].schedule = TierSchedule::Daily {
                    at: time.parse().unwrap(),
                };
            })
            .await;
        world.add("db-1", own("daily"), true).await;
        world.tick().await;
        world.work(|_| true).await;
        let until = (at(start) + SignedDuration::from_hours(6 * 24)).to_string();
        let ran = world.live(&until, QUARTER, |_| true).await;
        let dates: Vec<_> = ran
            .iter()
            .map(|job| zone.rules().to_datetime(slot(job)).date())
            .collect();
        let first = dates[0];
        let days = (0..6).map(|day| first + jiff::SignedDuration::from_hours(24 * day));
        assert_eq!(dates, days.collect::<Vec<_>>(), "{time} {zone}");
        for job in &ran {
            assert_eq!(job.not_before, slot(job));
        }
    }
}

#[tokio::test]
async fn a_06_an_outage_is_caught_up_once_and_says_how_late() {
    let world = world_at("2026-03-20T12:00:00Z").await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    world.work(|_| true).await;
    world.clock.advance(SignedDuration::from_hours(24 * 20));
    assert_eq!(world.tick().await.booked, 1);
    let ran = world.work(|_| true).await;
    assert_eq!(
        tiers(&ran[0]),
        [Tier::Hourly, Tier::Daily, Tier::Weekly, Tier::Monthly]
    );
    let states = world.states("db-1").await;
    let monthly = states
        .iter()
        .find(|state| state.tier == Tier::Monthly)
        .unwrap();
    assert_eq!(monthly.last_slot, at("2026-04-01T04:00:00Z"));
    let late = at("2026-04-09T12:00:00Z").duration_since(monthly.last_slot);
    assert_eq!(monthly.late_seconds, u64::try_from(late.as_secs()).unwrap());
    assert!(monthly.reason.contains("late by"), "{}", monthly.reason);
    let missed: BTreeMap<Tier, u64> = world
        .misses("db-1")
        .await
        .iter()
        .map(|miss| (miss.slots.tier, miss.slots.count))
        .collect();
    let older = [(Tier::Hourly, 479), (Tier::Daily, 19), (Tier::Weekly, 2)];
    assert_eq!(missed, BTreeMap::from(older));
    assert_eq!(world.tick().await.booked, 0);
}

#[tokio::test]
async fn a_06_an_outage_over_new_year_catches_up_the_yearly_slot_too() {
    let world = world_at("2025-12-20T12:00:00Z").await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    world.work(|_| true).await;
    world.clock.advance(SignedDuration::from_hours(24 * 20));
    assert_eq!(world.tick().await.booked, 1);
    let ran = world.work(|_| true).await;
    assert_eq!(tiers(&ran[0]), Tier::ALL);
    let states = world.states("db-1").await;
    let yearly = states.iter().find(|state| state.tier == Tier::Yearly);
    let yearly = yearly.unwrap();
    assert_eq!(yearly.last_slot, at("2026-01-01T05:00:00Z"));
    assert_eq!(yearly.satisfied_slot, Some(yearly.last_slot));
    let late = at("2026-01-09T12:00:00Z").duration_since(yearly.last_slot);
    assert_eq!(yearly.late_seconds, u64::try_from(late.as_secs()).unwrap());
    let missed = world.misses("db-1").await;
    assert!(missed.iter().all(|miss| miss.slots.tier != Tier::Yearly));
    assert_eq!(world.tick().await.booked, 0);
}

#[tokio::test]
async fn a_07_a_new_database_with_all_tiers_gets_one_backup_for_all_of_them() {
    let world = world_at("2026-03-04T10:07:00Z").await;
    world.add("db-1", own("production-critical"), true).await;
    assert_eq!(world.tick().await.booked, 1);
    let jobs = world.jobs().await;
    assert_eq!(tiers(&jobs[0]), Tier::ALL);
    assert!(matches!(jobs[0].state, JobState::Pending));
    assert_eq!(jobs[0].not_before, at("2026-03-04T10:07:00Z"));
    world.work(|_| true).await;
    let ran = world.live("2026-03-04T12:00:00Z", QUARTER, |_| true).await;
    assert_eq!(
        ran.iter().map(slot).collect::<Vec<_>>(),
        [at("2026-03-04T11:00:00Z"), at("2026-03-04T12:00:00Z")]
    );
}
