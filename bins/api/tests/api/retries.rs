//! Work booked anew after it ended without success, and verifications.

use axum::http::Method;
use dilux_core::model::{Job, JobId, JobState, Work};
use dilux_core::transfer::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::jobs::{change, claimed, job_id, shop, trigger};
use crate::seeds::{Seed, engine};
use crate::world::World;

fn fail(world: &World) -> impl FnOnce(Job) -> Job {
    let now = world.installation.clock.now();
    let rule = world.installation.settings.worker.retry;
    let failure = Failure::new(FailureKind::Authentication, "refused");
    move |job| job.fail(now, failure, rule).unwrap()
}

async fn failed(world: &World, id: &JobId) {
    change(world, id, claimed(world)).await;
    change(world, id, fail(world)).await;
}

fn id_of(answer: &Value) -> JobId {
    answer["job_id"].as_str().unwrap().parse().unwrap()
}

async fn retry(world: &World, id: &JobId) -> Value {
    let path = format!("/api/jobs/{id}/retry");
    world.post(&path, &json!({})).await.expect(202)
}

#[tokio::test]
async fn a_failed_job_is_tried_again_once_until_that_has_failed_too() {
    let world = World::new().await;
    let first = job_id(&trigger(&world, &shop(&world).await, None).await);
    let path = format!("/api/jobs/{first}/retry");
    let waiting = world.post(&path, &json!({})).await.expect(409);
    assert!(waiting["error"].as_str().unwrap().contains("not over"));
    failed(&world, &first).await;
    let answer = retry(&world, &first).await;
    let second = id_of(&answer);
    assert_ne!(second, first);
    assert_eq!(answer["message"], json!("Job queued again"));
    assert_eq!(answer["job"]["triggered_by"], json!("manual"));
    assert_eq!(id_of(&retry(&world, &first).await), second, "it waits");
    failed(&world, &second).await;
    let third = id_of(&retry(&world, &first).await);
    assert_ne!(third, second);
    let now = world.installation.clock.now();
    change(&world, &third, |job| job.complete(now).unwrap()).await;
    let done = retry(&world, &first).await;
    assert_eq!(
        (id_of(&done), &done["queue_message_id"]),
        (third, &json!(null))
    );
    world
        .post("/api/jobs/none/retry", &json!({}))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_done_job_is_not_tried_again_and_a_cancelled_and_a_missed_one_are() {
    let world = World::new().await;
    let database = shop(&world).await;
    let now = world.installation.clock.now();
    let done = job_id(&trigger(&world, &database, None).await);
    change(&world, &done, |job| job.complete(now).unwrap()).await;
    let path = format!("/api/jobs/{done}/retry");
    world.post(&path, &json!({})).await.expect(409);
    let cancelled = job_id(&trigger(&world, &database, None).await);
    change(&world, &cancelled, |job| job.request_cancel(now).unwrap()).await;
    let again = id_of(&retry(&world, &cancelled).await);
    change(&world, &again, |job| {
        job.miss(now, "disabled".to_owned()).unwrap()
    })
    .await;
    assert_ne!(id_of(&retry(&world, &again).await), again);
}

#[tokio::test]
async fn the_same_idempotency_key_is_the_same_retry() {
    let world = World::new().await;
    let first = job_id(&trigger(&world, &shop(&world).await, None).await);
    failed(&world, &first).await;
    let path = format!("/api/jobs/{first}/retry");
    let key = [("idempotency-key", "k1")];
    let asked = world
        .call_with(Method::POST, &path, &key, None)
        .await
        .expect(202);
    failed(&world, &id_of(&asked)).await;
    let again = world
        .call_with(Method::POST, &path, &key, None)
        .await
        .expect(202);
    assert_eq!(id_of(&again), id_of(&asked));
}

#[tokio::test]
async fn a_verification_is_booked_once_and_listed_as_a_job() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    let path = format!("/api/backups/{backup}/verify");
    let asked = shop.world.post(&path, &json!({})).await.expect(202);
    assert_eq!(asked["message"], json!("Verification job queued"));
    let again = shop.world.post(&path, &json!({})).await.expect(202);
    assert_eq!(again["job_id"], asked["job_id"]);
    let jobs = shop.world.get("/api/jobs?kind=verify").await.expect(200);
    assert_eq!(jobs["count"], json!(1));
    let job = &jobs["jobs"][0];
    assert_eq!(job["id"], asked["job_id"]);
    assert_eq!(job["backup_id"], json!(backup.as_str()));
    let read_only = json!({"backup_id": backup.as_str(), "engine_id": null});
    assert_eq!(job["verification"], read_only);

    let id = id_of(&asked);
    let now = shop.world.installation.clock.now();
    change(&shop.world, &id, |job| job.complete(now).unwrap()).await;
    let after = shop.world.post(&path, &json!({})).await.expect(202);
    assert_ne!(after["job_id"], asked["job_id"]);
}

#[tokio::test]
async fn a_rehearsal_is_not_taken_for_a_verification_that_only_reads() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    let path = format!("/api/backups/{backup}/verify");
    let reading = shop.world.post(&path, &json!({})).await.expect(202);
    let other = engine(&shop.world, "postgresql", "other").await;
    let rehearsal = json!({ "engine_id": other });
    let asked = shop.world.post(&path, &rehearsal).await.expect(202);
    assert_ne!(asked["job_id"], reading["job_id"]);
    let jobs = &shop.world.installation.repositories.jobs;
    let stored = jobs.get(&id_of(&asked)).await.unwrap().unwrap();
    let Work::Verify(work) = stored.value.work else {
        panic!("{:?}", stored.value)
    };
    assert_eq!(work.rehearse_on.unwrap().as_str(), other);
    let again = shop.world.post(&path, &rehearsal).await.expect(202);
    assert_eq!(again["job_id"], asked["job_id"]);
}

#[tokio::test]
async fn what_cannot_be_verified_is_refused() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    let path = format!("/api/backups/{backup}/verify");
    let mysql = engine(&shop.world, "mysql", "my").await;
    for engine in ["no-such", mysql.as_str(), "a/b"] {
        let answer = shop
            .world
            .post(&path, &json!({ "engine_id": engine }))
            .await;
        assert_eq!(answer.refused_fields(), ["engine_id"], "{engine}");
    }
    let failed = Seed {
        status: dilux_core::model::BackupStatus::Failed,
        at: shop.seed().at - jiff::SignedDuration::from_hours(1),
        ..shop.seed()
    };
    let failed = failed.plant(&shop.world).await;
    let path = format!("/api/backups/{failed}/verify");
    shop.world.post(&path, &json!({})).await.expect(409);
    let unknown = shop
        .world
        .post("/api/backups/none/verify", &json!({}))
        .await;
    unknown.expect(404);
}

#[tokio::test]
async fn a_removal_of_the_engine_cancels_a_verification_on_it() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    let other = engine(&shop.world, "postgresql", "other").await;
    let path = format!("/api/backups/{backup}/verify");
    let rehearsal = json!({ "engine_id": other });
    let asked = shop.world.post(&path, &rehearsal).await.expect(202);
    let preview = shop
        .world
        .get(&format!("/api/engines/{other}/removal"))
        .await;
    assert_eq!(preview.expect(200)["jobs"][0]["kind"], json!("verify"));
    shop.world
        .delete(&format!("/api/engines/{other}"))
        .await
        .expect(200);
    let jobs = &shop.world.installation.repositories.jobs;
    let stored = jobs.get(&id_of(&asked)).await.unwrap().unwrap().value;
    assert!(
        matches!(stored.state, JobState::Cancelled { .. }),
        "{stored:?}"
    );
}

#[tokio::test]
async fn restores_are_listed_and_read_apart_from_other_jobs() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    trigger(&shop.world, &shop.database, None).await;
    let wish = json!({"backup_id": backup.as_str(), "target_database": "copy"});
    let asked = shop.world.post("/api/restores", &wish).await.expect(202);
    assert_eq!(asked["target_database"], json!("copy"));
    let list = shop.world.get("/api/restores").await.expect(200);
    assert_eq!(
        (&list["count"], &list["has_more"]),
        (&json!(1), &json!(false))
    );
    let one = shop
        .world
        .get(&format!("/api/restores/{}", id_of(&asked)))
        .await;
    let one = one.expect(200);
    assert_eq!(one, list["restores"][0]);
    assert_eq!(one["restore"]["target_database"], json!("copy"));
    let backup_job = backup.as_str();
    shop.world
        .get(&format!("/api/restores/{backup_job}"))
        .await
        .expect(404);
    let none = shop
        .world
        .get("/api/restores?status=failed")
        .await
        .expect(200);
    assert_eq!(none["count"], json!(0));
    let missing = shop.world.post("/api/restores", &json!({})).await;
    assert_eq!(missing.refused_fields(), ["backup_id"]);
}
