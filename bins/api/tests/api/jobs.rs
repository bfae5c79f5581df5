//! Asking for backups.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Method;
use dilux_core::dispatch::Doorbell;
use dilux_core::model::{BackupStatus, BackupWork, Job, JobId, JobState, Trigger, Work, WorkerId};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::seeds::{Seed, database, engine};
use crate::world::{START, World};

pub(crate) async fn shop(world: &World) -> String {
    let engine = engine(world, "postgresql", "pg").await;
    database(world, &engine, "shop").await
}

pub(crate) async fn trigger(world: &World, database: &str, key: Option<&str>) -> Value {
    let headers: Vec<(&str, &str)> = key
        .map(|key| ("idempotency-key", key))
        .into_iter()
        .collect();
    let path = format!("/api/databases/{database}/backup");
    world
        .call_with(Method::POST, &path, &headers, None)
        .await
        .expect(202)
}

pub(crate) fn job_id(answer: &Value) -> JobId {
    answer["job_id"].as_str().unwrap().parse().unwrap()
}

/// Changes a stored job as a worker would.
pub(crate) async fn change(world: &World, id: &JobId, change: impl FnOnce(Job) -> Job) {
    let jobs = &world.installation.repositories.jobs;
    let stored = jobs.get(id).await.unwrap().unwrap();
    jobs.update(change(stored.value), &stored.version)
        .await
        .unwrap();
}

pub(crate) fn claimed(world: &World) -> impl FnOnce(Job) -> Job {
    let now = world.installation.clock.now();
    let worker: WorkerId = "worker-1".parse().unwrap();
    move |job| {
        job.claim(worker, now, SignedDuration::from_secs(90))
            .unwrap()
    }
}

#[tokio::test]
async fn a_backup_is_booked_and_the_queue_rings_with_its_id_and_nothing_else() {
    let world = World::new().await;
    let database = shop(&world).await;
    let answer = trigger(&world, &database, None).await;
    assert_eq!(answer["message"], json!("Backup job queued"));
    assert!(answer["queue_message_id"].is_string());
    let id = job_id(&answer);
    let installation = &world.installation;
    let texts = installation
        .storage
        .queues
        .peek(&installation.settings.queue, 10)
        .await
        .unwrap();
    assert_eq!(texts.len(), 1);
    assert_eq!(Doorbell::parse(&texts[0]).unwrap().job_id, id);
    let job = world.get(&format!("/api/jobs/{id}")).await.expect(200);
    insta::assert_json_snapshot!("job_pending", job);
}

#[tokio::test]
async fn while_a_backup_waits_or_runs_it_is_answered_instead_of_a_second_one() {
    let world = World::new().await;
    let database = shop(&world).await;
    let first = trigger(&world, &database, None).await;
    let again = trigger(&world, &database, None).await;
    assert_eq!(first["job_id"], again["job_id"]);
    assert_eq!(again["queue_message_id"], Value::Null);
    change(&world, &job_id(&first), claimed(&world)).await;
    let running = trigger(&world, &database, Some("some-key")).await;
    assert_eq!(first["job_id"], running["job_id"]);
    let other = crate::seeds::database(&world, &engine(&world, "mysql", "my").await, "other").await;
    assert_ne!(
        trigger(&world, &other, None).await["job_id"],
        first["job_id"]
    );
}

#[tokio::test]
async fn fifty_requests_at_once_book_one_backup() {
    let world = Arc::new(World::new().await);
    let database = shop(&world).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (world, database) = (world.clone(), database.clone());
        callers.spawn(async move { job_id(&trigger(&world, &database, None).await) });
    }
    let ids: BTreeSet<JobId> = callers.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    let active = world
        .installation
        .repositories
        .jobs
        .active(START.parse().unwrap())
        .await
        .unwrap();
    assert_eq!(active.len(), 1);
}

#[tokio::test]
async fn after_the_end_of_a_backup_the_next_one_is_new_however_it_ended() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let database = database(&world, &engine, "shop").await;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let id = job_id(&trigger(&world, &database, None).await);
        world
            .post(&format!("/api/jobs/{id}/cancel"), &json!({}))
            .await
            .expect(200);
        assert!(seen.insert(id), "a job was booked twice");
    }
    let done = Seed {
        database: &database,
        engine: &engine,
        label: "shop",
        at: START.parse().unwrap(),
        status: BackupStatus::Completed,
        data: b"data",
    };
    done.plant(&world).await;
    assert!(seen.insert(job_id(&trigger(&world, &database, None).await)));
}

#[tokio::test]
async fn the_same_key_gives_the_same_job_even_when_it_is_over() {
    let world = World::new().await;
    let database = shop(&world).await;
    let first = trigger(&world, &database, Some("key-1")).await;
    let id = job_id(&first);
    change(&world, &id, claimed(&world)).await;
    change(&world, &id, |job| {
        job.complete(START.parse().unwrap()).unwrap()
    })
    .await;
    let again = trigger(&world, &database, Some("key-1")).await;
    assert_eq!(first["job_id"], again["job_id"]);
    assert!(
        again["message"].as_str().unwrap().contains("over"),
        "{again}"
    );
    assert_ne!(
        trigger(&world, &database, Some("key-2")).await["job_id"],
        first["job_id"]
    );
    let path = format!("/api/databases/{database}/backup");
    let long = "x".repeat(256);
    for key in ["", "a b", long.as_str()] {
        let answer = world
            .call_with(Method::POST, &path, &[("idempotency-key", key)], None)
            .await;
        assert_eq!(answer.refused_fields(), ["Idempotency-Key"]);
    }
}

#[tokio::test]
async fn a_backup_that_the_scheduler_booked_for_later_does_not_hold_up_one_for_now() {
    let world = World::new().await;
    let database = shop(&world).await;
    let first = job_id(&trigger(&world, &database, None).await);
    let jobs = &world.installation.repositories.jobs;
    let template = jobs.get(&first).await.unwrap().unwrap().value;
    world
        .post(&format!("/api/jobs/{first}/cancel"), &json!({}))
        .await
        .expect(200);
    let later = Job {
        id: JobId::derive(&template.database_id, "slot|later"),
        not_before: "2026-01-31T12:10:00Z".parse().unwrap(),
        trigger: Trigger::Scheduler,
        state: JobState::Pending,
        ..template
    };
    world
        .installation
        .dispatcher
        .dispatch(later.clone())
        .await
        .unwrap();
    assert_ne!(job_id(&trigger(&world, &database, None).await), later.id);
}

#[tokio::test]
async fn a_backup_that_could_not_even_start_is_refused() {
    let world = World::new().await;
    let no_backups = engine(&world, "sqlserver", "ms").await;
    let bare = json!({"name": "bare", "engine_type": "mysql", "host": "bare"});
    let bare = crate::seeds::id(&world.post("/api/engines", &bare).await.expect(201)["engine"]);
    for (engine, words) in [
        (&no_backups, "makes no backups"),
        (&bare, "No username configured"),
    ] {
        let database = database(&world, engine, "x").await;
        let path = format!("/api/databases/{database}/backup");
        let refused = world.post(&path, &json!({})).await.expect(400);
        assert!(
            refused["error"].as_str().unwrap().contains(words),
            "{refused}"
        );
    }
    world
        .post("/api/databases/none/backup", &json!({}))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_disabled_database_is_backed_up_by_hand() {
    let world = World::new().await;
    let database = shop(&world).await;
    world
        .put(
            &format!("/api/databases/{database}"),
            &json!({"enabled": false}),
        )
        .await
        .expect(200);
    trigger(&world, &database, None).await;
}

#[tokio::test]
async fn the_work_of_a_manual_backup_asks_for_nothing_but_the_dump() {
    let world = World::new().await;
    let id = job_id(&trigger(&world, &shop(&world).await, None).await);
    let job = world
        .installation
        .repositories
        .jobs
        .get(&id)
        .await
        .unwrap()
        .unwrap()
        .value;
    let expected = BackupWork {
        tiers: Vec::new(),
        slot: None,
        needs_enabled: false,
        ..BackupWork::default()
    };
    assert_eq!(job.work, Work::Backup(expected));
    assert_eq!(job.trigger, Trigger::Manual);
}
