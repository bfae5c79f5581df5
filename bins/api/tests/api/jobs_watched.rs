//! Watching and cancelling jobs.

use dilux_core::model::{BackupId, BackupStatus, Job, JobState};
use dilux_core::transfer::{Failure, FailureKind};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::jobs::{change, claimed, job_id, shop, trigger};
use crate::seeds::{Seed, database, engine};
use crate::world::{START, World};

#[tokio::test]
async fn a_running_a_retried_and_a_failed_job_say_how_it_goes() {
    let world = World::new().await;
    let id = job_id(&trigger(&world, &shop(&world).await, None).await);
    change(&world, &id, claimed(&world)).await;
    change(&world, &id, |mut job| {
        job.progress.stage = Some(dilux_core::model::Stage::Dumping);
        job.progress.plain_bytes = 3_000_000_000;
        job.progress.bytes_per_second = 17;
        job
    })
    .await;
    let running = world.get(&format!("/api/jobs/{id}")).await.expect(200);
    insta::assert_json_snapshot!("job_running", running);
    let rule = world.installation.settings.worker.retry;
    let now = world.installation.clock.now();
    let failure = Failure::new(FailureKind::Unreachable, "nothing listens at pg:5432");
    change(&world, &id, |job| job.fail(now, failure, rule).unwrap()).await;
    let retrying = world.get(&format!("/api/jobs/{id}")).await.expect(200);
    assert_eq!(
        (&retrying["status"], &retrying["state"]),
        (&json!("in_progress"), &json!("retrying"))
    );
    assert_eq!(
        retrying["error_message"],
        json!("nothing listens at pg:5432")
    );
    change(&world, &id, claimed(&world)).await;
    let failure = Failure::new(FailureKind::Authentication, "refused").with_detail("tool said no");
    change(&world, &id, |job| job.fail(now, failure, rule).unwrap()).await;
    let failed = world.get(&format!("/api/jobs/{id}")).await.expect(200);
    insta::assert_json_snapshot!("job_failed", failed);
    world.get("/api/jobs/none").await.expect(404);
    world
        .get(&format!(
            "/api/jobs/{}",
            &id.as_str()[..id.as_str().len() - 1]
        ))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_missed_job_says_why() {
    let world = World::new().await;
    let id = job_id(&trigger(&world, &shop(&world).await, None).await);
    let now = world.installation.clock.now();
    change(&world, &id, |job| {
        job.miss(now, "the database was disabled".to_owned())
            .unwrap()
    })
    .await;
    let missed = world.get(&format!("/api/jobs/{id}")).await.expect(200);
    assert_eq!(missed["status"], json!("missed"));
    assert_eq!(missed["error_message"], json!("the database was disabled"));
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_a_running_one_by_its_worker_and_an_ended_one_not() {
    let world = World::new().await;
    let database = shop(&world).await;
    let waiting = job_id(&trigger(&world, &database, None).await);
    let path = format!("/api/jobs/{waiting}/cancel");
    let cancelled = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(cancelled["message"], json!("Job cancelled"));
    assert_eq!(cancelled["job"]["status"], json!("cancelled"));
    world.post(&path, &json!({})).await.expect(200);
    let running = job_id(&trigger(&world, &database, None).await);
    change(&world, &running, claimed(&world)).await;
    let path = format!("/api/jobs/{running}/cancel");
    let asked = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(asked["job"]["status"], json!("in_progress"));
    assert_eq!(asked["job"]["cancel_requested"], json!(true));
    change(&world, &running, |job| {
        job.complete(START.parse().unwrap()).unwrap()
    })
    .await;
    let refused = world.post(&path, &json!({})).await.expect(409);
    assert_eq!(
        refused["error"],
        json!("a completed job cannot be cancelled")
    );
    world
        .post("/api/jobs/none/cancel", &json!({}))
        .await
        .expect(404);
}

#[tokio::test]
async fn cancelling_a_job_between_attempts_closes_its_line_of_the_history() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let database = database(&world, &engine, "shop").await;
    let seed = Seed {
        database: &database,
        engine: &engine,
        label: "shop",
        at: START.parse().unwrap(),
        status: BackupStatus::InProgress,
        data: b"",
    };
    let backup = seed.plant(&world).await;
    let job = backup.job().unwrap();
    change(&world, &job, |job| Job {
        state: JobState::Pending,
        ..job
    })
    .await;
    world
        .post(&format!("/api/jobs/{job}/cancel"), &json!({}))
        .await
        .expect(200);
    let line = world
        .get(&format!("/api/backups/{backup}"))
        .await
        .expect(200);
    assert_eq!(line["backup"]["status"], json!("cancelled"));
    assert_eq!(BackupId::from(&job), backup);
}

#[tokio::test]
async fn jobs_are_listed_newest_first_page_by_page_and_filtered() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let mut expected = Vec::new();
    let mut databases = Vec::new();
    for number in 0..7 {
        let database = database(&world, &engine, &format!("d{number}")).await;
        world.clock.advance(SignedDuration::from_hours(9));
        expected.insert(
            0,
            job_id(&trigger(&world, &database, None).await).to_string(),
        );
        databases.push(database);
    }
    let ids = |page: &Value| -> Vec<String> {
        let jobs = page["jobs"].as_array().unwrap();
        jobs.iter()
            .map(|job| job["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut found = Vec::new();
    let mut path = "/api/jobs?page_size=3".to_owned();
    for size in [3, 3, 1] {
        let page = world.get(&path).await.expect(200);
        assert_eq!(page["count"], json!(size));
        found.extend(ids(&page));
        if let Some(cursor) = page["next_cursor"].as_str() {
            path = format!("/api/jobs?page_size=3&cursor={cursor}");
        }
    }
    assert_eq!(found, expected);
    world
        .post(&format!("/api/jobs/{}/cancel", expected[2]), &json!({}))
        .await
        .expect(200);
    for (query, wanted) in [
        ("status=cancelled".to_owned(), vec![expected[2].clone()]),
        (
            format!("database_id={}", databases[0]),
            vec![expected[6].clone()],
        ),
        ("kind=restore".to_owned(), vec![]),
        ("triggered_by=scheduler".to_owned(), vec![]),
        (
            "kind=backup&page_size=1".to_owned(),
            vec![expected[0].clone()],
        ),
        ("database_id=x'y".to_owned(), vec![]),
    ] {
        let page = world.get(&format!("/api/jobs?{query}")).await.expect(200);
        assert_eq!(ids(&page), wanted, "{query}");
    }
}

#[tokio::test]
async fn senseless_filters_are_refused() {
    let world = World::new().await;
    for query in [
        "page_size=0",
        "page_size=101",
        "cursor=x",
        "status=bogus",
        "kind=x",
        "triggered_by=me",
    ] {
        let fields = world
            .get(&format!("/api/jobs?{query}"))
            .await
            .refused_fields();
        assert_eq!(fields, [query.split('=').next().unwrap()]);
    }
}
