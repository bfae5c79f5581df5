//! Ticks: what is booked, and what stops nobody else.

use dilux_core::model::{HourlyInterval, Job, PolicySource, Tier, TierRule, TierSchedule};
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation, Value};
use jiff::SignedDuration;

use crate::world::{at, own, slot, tiers, world, world_with};

#[tokio::test]
async fn a_new_database_owes_one_backup_that_serves_all_tiers_and_ticks_do_not_double_it() {
    let world = world().await;
    world.add("db-1", own("production-critical"), true).await;
    let scheduler = world.scheduler();
    assert_eq!(scheduler.tick().await.unwrap().booked, 1);
    assert_eq!(scheduler.tick().await.unwrap().booked, 0);
    let jobs = world.jobs().await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(tiers(&jobs[0]), Tier::ALL);
}

#[tokio::test]
async fn schedulers_that_tick_at_once_book_each_slot_once() {
    let world = world().await;
    for number in 0..5 {
        world
            .add(&format!("db-{number}"), own("production-critical"), true)
            .await;
    }
    let mut ticking = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let scheduler = world.scheduler();
        ticking.spawn(async move { scheduler.tick().await.unwrap() });
    }
    let booked: usize = ticking
        .join_all()
        .await
        .iter()
        .map(|report| report.booked)
        .sum();
    assert_eq!(booked, 5);
    assert_eq!(world.jobs().await.len(), 5);
}

#[tokio::test]
async fn a_slot_before_the_next_tick_is_booked_ahead_for_its_minute() {
    let world = world().await;
    world.add("db-1", own("production-critical"), true).await;
    let scheduler = world.scheduler();
    scheduler.tick().await.unwrap();
    world.work(|_| true).await;
    world.clock.advance(SignedDuration::from_mins(40));
    assert_eq!(
        scheduler.tick().await.unwrap().booked,
        1,
        "10:47 books 11:00"
    );
    let jobs = world.jobs().await;
    assert_eq!(jobs[0].not_before, "2026-03-04T11:00:00Z".parse().unwrap());
    assert_eq!(tiers(&jobs[0]), [Tier::Hourly]);
}

#[tokio::test]
async fn a_retry_and_the_next_slot_that_one_tick_books_are_told_apart() {
    let settings = [
        ("DILUX_TICK_SECONDS", "3600"),
        ("DILUX_RETRY_ATTEMPTS", "1"),
    ];
    let world = world_with("2026-03-04T13:30:00Z", &settings).await;
    world
        .add_policy("often", |policy| {
            let keep = policy.rules[0].keep;
            let every = HourlyInterval::new(2).unwrap();
            let at = "16:00".parse().unwrap();
            policy.rules = [TierSchedule::Hourly { every }, TierSchedule::Daily { at }]
                .map(|schedule| TierRule { schedule, keep })
                .to_vec();
        })
        .await;
    world.add("db-1", own("often"), true).await;
    world.tick().await;
    world.work(|_| true).await;
    world.tick().await;
    world.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(world.work(|_| false).await.len(), 1, "the slot of 14:00");
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(world.tick().await.booked, 2, "its retry, and 16:00");
    assert_eq!(world.work(|_| false).await.len(), 1, "the retry");
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(world.work(|_| true).await.len(), 1, "16:00");
    world.clock.advance(SignedDuration::from_mins(30));
    world.tick().await;
    let slot_of_16 = at("2026-03-04T16:00:00Z");
    let jobs = world.jobs().await;
    let served: Vec<&Job> = jobs.iter().filter(|job| slot(job) == slot_of_16).collect();
    assert_eq!(served.len(), 1, "{served:#?}");
    for state in world.states("db-1").await {
        assert_eq!(state.satisfied_slot, Some(slot_of_16), "{state:?}");
        assert_eq!(state.failures, 0, "{state:?}");
    }
}

#[tokio::test]
async fn a_disabled_database_owes_nothing_and_an_inherited_policy_counts() {
    let world = world().await;
    world.add("off", own("production-critical"), false).await;
    world.add("inherits", PolicySource::Engine, true).await;
    let report = world.scheduler().tick().await.unwrap();
    assert_eq!((report.databases, report.booked), (1, 1));
    let jobs = world.jobs().await;
    assert_eq!(jobs[0].database_id.as_str(), "inherits");
    assert_eq!(
        tiers(&jobs[0]),
        [Tier::Daily, Tier::Weekly],
        "development has no hourly tier"
    );
}

#[tokio::test]
async fn a_damaged_row_and_an_orphan_stop_nobody_else() {
    let world = world().await;
    world
        .add(
            "db-1",
            own("a policy that is gone".replace(' ', "-").as_str()),
            true,
        )
        .await;
    let table = TableName::new("databaseconfigs").unwrap();
    for (id, engine) in [("broken", None), ("orphan", Some("no-such-engine"))] {
        let mut row = Entity::new(EntityKey::new("database", id))
            .with("name", Value::String(id.to_owned()))
            .with("database_name", Value::String(id.to_owned()))
            .with(
                "created_at",
                Value::String("2026-01-01T00:00:00Z".to_owned()),
            )
            .with(
                "updated_at",
                Value::String("2026-01-01T00:00:00Z".to_owned()),
            );
        if let Some(engine) = engine {
            row = row.with("engine_id", Value::String(engine.to_owned()));
        }
        let write = TableOperation::Replace(row, Condition::None);
        world
            .installation
            .storage
            .tables
            .write(&table, write)
            .await
            .unwrap();
    }
    let report = world.scheduler().tick().await.unwrap();
    assert_eq!((report.booked, report.failed, report.damaged), (1, 1, 1));
}
