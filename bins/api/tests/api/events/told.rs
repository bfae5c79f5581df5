//! What is told of what happens.

use std::sync::atomic::Ordering;
use std::time::Duration;

use dilux_core::model::{Backup, BackupStatus, Job, JobId, JobState, Stage};
use dilux_core::storage::{
    Condition, Entity, EntityKey, TableName, TableOperation, Value as StoredValue,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{ask, listen, listen_after, listen_as};
use crate::jobs::{change, claimed, job_id, shop, trigger};
use crate::seeds::{database, engine};
use crate::viewers::refusal;
use crate::who_may::token;
use crate::world::{TOKEN, World};

/// Does what a worker does at the end of a backup: first the line of history, then the job.
async fn complete(world: &World, id: &JobId) {
    let now = world.installation.clock.now();
    let repositories = &world.installation.repositories;
    let job = repositories.jobs.get(id).await.unwrap().unwrap().value;
    let database = repositories.databases.get(&job.database_id).await;
    let mut line = Backup::of_job(&job);
    line.engine_id = Some(database.unwrap().unwrap().value.engine_id);
    line.status = BackupStatus::Completed;
    line.completed_at = Some(now);
    repositories.backups.put(&line).await.unwrap();
    change(world, id, |job| job.complete(now).unwrap()).await;
}

fn dumping(bytes: u64) -> impl FnOnce(Job) -> Job {
    move |mut job| {
        job.progress.stage = Some(Stage::Dumping);
        job.progress.plain_bytes = bytes;
        job
    }
}

async fn shown(world: &World, path: &str) -> Value {
    world.get(path).await.expect(200)
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_watched_from_its_booking_to_its_end_in_the_shapes_of_the_routes() {
    let world = World::new().await;
    let database = shop(&world).await;
    let mut stream = listen(&world).await;
    let id = job_id(&trigger(&world, &database, None).await);
    let path = format!("/api/jobs/{id}");
    assert_eq!(stream.expect("job").await.data, shown(&world, &path).await);
    change(&world, &id, claimed(&world)).await;
    let running = stream.expect("job").await.data;
    assert_eq!(running, shown(&world, &path).await);
    assert_eq!(running["state"], "running");
    change(&world, &id, dumping(4096)).await;
    let moving = stream.expect("job").await.data;
    assert_eq!(moving, shown(&world, &path).await);
    assert_eq!(moving["progress"]["plain_bytes"], 4096);
    complete(&world, &id).await;
    let done = stream.expect("job").await.data;
    assert_eq!(done, shown(&world, &path).await);
    assert_eq!(done["status"], "completed");
    let made = stream.expect("backup").await.data;
    assert_eq!(made, shown(&world, "/api/backups").await["backups"][0]);
    assert_eq!(made["job_id"], json!(id.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_booked_and_over_between_two_looks_is_told_once() {
    let world = World::new().await;
    let database = shop(&world).await;
    let mut stream = listen(&world).await;
    let id = job_id(&trigger(&world, &database, None).await);
    change(&world, &id, claimed(&world)).await;
    complete(&world, &id).await;
    assert_eq!(stream.expect("job").await.data["status"], "completed");
    stream.expect("backup").await;
    let other = job_id(&trigger(&world, &database, None).await);
    let next = stream.expect("job").await.data;
    assert_eq!(next["id"], json!(other.as_str()));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_of_a_worker_are_no_news_and_silence_is_broken_by_comments() {
    let world = World::new().await;
    let id = job_id(&trigger(&world, &shop(&world).await, None).await);
    change(&world, &id, claimed(&world)).await;
    let mut stream = listen(&world).await;
    let later = world.installation.clock.now() + SignedDuration::from_secs(30);
    let lease = SignedDuration::from_secs(90);
    change(&world, &id, |job| job.renew(later, lease).unwrap()).await;
    let quiet = timeout(Duration::from_secs(61), stream.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert_eq!(stream.heartbeats, 4);
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_told_when_it_is_raised_noted_and_over_and_viewers_see_no_names() {
    let world = World::new().await;
    let database = shop(&world).await;
    let viewer = token(&world, "viewer", &[]).await;
    let mut streams = [listen(&world).await, listen_as(&world, &viewer).await];
    streams[1].expect("reset").await;
    let id = job_id(&trigger(&world, &database, None).await);
    let job = world.installation.repositories.jobs.get(&id).await;
    let mut line = Backup::of_job(&job.unwrap().unwrap().value);
    line.status = BackupStatus::Failed;
    world
        .installation
        .repositories
        .backups
        .put(&line)
        .await
        .unwrap();
    let path = "/api/alerts";
    for stream in &mut streams {
        stream.expect("job").await;
        let raised = stream.expect("alert").await.data;
        assert_eq!(raised, shown(&world, path).await["alerts"][0]);
        assert_eq!(raised["status"], "open");
    }
    let alert = shown(&world, path).await["alerts"][0]["id"].clone();
    let acknowledge = format!("{path}/{}/acknowledge", alert.as_str().unwrap());
    world.post(&acknowledge, &json!({})).await.expect(200);
    let noted = shown(&world, path).await["alerts"][0].clone();
    assert!(noted["acknowledged_by"].is_string(), "{noted}");
    assert_eq!(streams[0].expect("alert").await.data, noted);
    let for_viewer = streams[1].expect("alert").await.data;
    assert_eq!(for_viewer["status"], "acknowledged");
    assert_eq!(for_viewer["acknowledged_by"], Value::Null);
    change(&world, &id, claimed(&world)).await;
    complete(&world, &id).await;
    for stream in &mut streams {
        while stream.next().await.unwrap().name != "backup" {}
        let over = stream.expect("alert_over").await.data;
        assert_eq!(over, json!({ "id": alert }));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_goes_on_where_they_were_and_otherwise_reads_anew() {
    let world = World::new().await;
    let database = shop(&world).await;
    let mut stream = listen(&world).await;
    let id = job_id(&trigger(&world, &database, None).await);
    let last = stream.expect("job").await.id;
    drop(stream);
    change(&world, &id, claimed(&world)).await;
    let mut again = listen_after(&world, &last).await;
    let missed = again.expect("job").await;
    assert_eq!(missed.data["state"], "running");
    let mut other = listen_after(&world, &missed.id).await;
    change(&world, &id, dumping(1)).await;
    assert_eq!(again.expect("job").await, other.expect("job").await);
    drop((again, other));
    for unknown in ["another-7", "nonsense", ""] {
        listen_after(&world, unknown).await.expect("reset").await;
    }
    // After so long a pause nothing is known of what happened in between.
    world.clock.advance(SignedDuration::from_mins(6));
    listen_after(&world, &missed.id).await.expect("reset").await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_and_what_happened_in_it_afterwards() {
    let world = World::new().await;
    let id = job_id(&trigger(&world, &shop(&world).await, None).await);
    let mut stream = listen(&world).await;
    world.faults.tables_are_down.store(true, Ordering::SeqCst);
    stream.expect("unavailable").await;
    let bearer = format!("Bearer {TOKEN}");
    let refused = ask(&world, &[("authorization", &bearer)]).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let quiet = timeout(Duration::from_mins(10), stream.next()).await;
    assert!(quiet.is_err(), "it is told once: {quiet:?}");
    world.faults.mend();
    change(&world, &id, claimed(&world)).await;
    let mut told = [stream.next().await.unwrap(), stream.next().await.unwrap()];
    told.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(told[0].name, "available");
    assert_eq!(told[1].data["state"], "running");
}

/// Makes the row of a job one that nobody can read.
async fn scribble(world: &World, job: &JobId) {
    let key = EntityKey::new(job.database().unwrap().as_str(), job.as_str());
    let row = Entity::new(key).with("state", StoredValue::String("somewhere".to_owned()));
    let table = TableName::new("jobs").unwrap();
    let operation = TableOperation::Replace(row, Condition::None);
    let tables = &world.installation.storage.tables;
    tables.write(&table, operation).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_row_cannot_be_read_does_not_hide_the_others() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let [broken, good] = [
        database(&world, &engine, "broken").await,
        database(&world, &engine, "good").await,
    ];
    let broken = job_id(&trigger(&world, &broken, None).await);
    let good = job_id(&trigger(&world, &good, None).await);
    let mut stream = listen(&world).await;
    scribble(&world, &broken).await;
    change(&world, &good, claimed(&world)).await;
    let told = stream.expect("job").await.data;
    assert_eq!(told["id"], json!(good.as_str()));
    complete(&world, &good).await;
    assert_eq!(stream.expect("job").await.data["status"], "completed");
}

#[tokio::test(start_paused = true)]
async fn a_viewer_is_told_of_a_failure_without_the_words_of_the_server() {
    let world = World::new().await;
    let database = shop(&world).await;
    let viewer = token(&world, "viewer", &[]).await;
    let mut streams = [
        listen_as(&world, &viewer).await,
        listen_as(&world, TOKEN).await,
    ];
    for stream in &mut streams {
        stream.expect("reset").await;
    }
    let id = job_id(&trigger(&world, &database, None).await);
    for stream in &mut streams {
        stream.expect("job").await;
    }
    let now = world.installation.clock.now();
    let fail = move |mut job: Job| {
        let failure = refusal("marked-account");
        job.state = JobState::Failed { at: now, failure };
        job
    };
    change(&world, &id, fail).await;
    let [seen, whole] = &mut streams;
    let seen = seen.expect("job").await.data;
    assert_eq!(seen["error_kind"], "authentication");
    assert!(!seen.to_string().contains("marked-account"), "{seen}");
    let whole = whole.expect("job").await.data;
    assert!(whole.to_string().contains("marked-account"), "{whole}");
}
