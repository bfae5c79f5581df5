//! Removing an engine with databases, backups and jobs, interrupted at each step.
#![cfg(test)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dilux_core::installation::Installation;
use dilux_core::model::{Job, JobId, JobState, WorkerId};
use dilux_journeys::{Client, Home, Service, StoreKind, audited, text};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const POINTS: [&str; 6] = [
    "before-removal",
    "after-removal-noted",
    "after-removal-jobs-cancelled",
    "after-removal-database",
    "after-removal-engine",
    "after-removal-audit",
];

/// An engine that nothing answers for, with three databases, a running and a waiting job.
struct Estate {
    engine: String,
    databases: Vec<String>,
    running: JobId,
    waiting: JobId,
}

async fn build(client: &Client, installation: &Installation, host: &str) -> Estate {
    let body = json!({
        "name": host, "engine_type": "postgresql", "host": host,
        "auth_method": "user_password", "username": "backup", "password": "open sesame",
    });
    let engine = client.post("/engines", &body).await.unwrap();
    let engine = text(&engine, "/engine/id").unwrap();
    let mut databases = Vec::new();
    for name in ["one", "two", "three"] {
        let body = json!({"engine_id": engine, "database": {"name": name, "enabled": false}});
        let answer = client.post("/databases", &body).await.unwrap();
        databases.push(text(&answer, "/database/id").unwrap());
    }
    let running: JobId = client
        .back_up(&databases[0])
        .await
        .unwrap()
        .parse()
        .unwrap();
    let waiting: JobId = client
        .back_up(&databases[1])
        .await
        .unwrap()
        .parse()
        .unwrap();
    let jobs = &installation.repositories.jobs;
    let stored = jobs.get(&running).await.unwrap().unwrap();
    let worker: WorkerId = "worker".parse().unwrap();
    let lease = SignedDuration::from_hours(1);
    let claimed = stored.value.claim(worker, installation.clock.now(), lease);
    jobs.update(claimed.unwrap(), &stored.version)
        .await
        .unwrap();
    Estate {
        engine,
        databases,
        running,
        waiting,
    }
}

async fn job(installation: &Installation, id: &JobId) -> Job {
    let jobs = &installation.repositories.jobs;
    jobs.get(id).await.unwrap().unwrap().value
}

/// Asks for the removal from an API that dies at `point`, and waits for its end.
async fn interrupted(home: &Home, estate: &Estate, point: &str) {
    let more = [("DILUX_CRASH_AT", point.to_owned())];
    let (mut api, client) = home.start_api_with(&more).await.unwrap();
    let path = format!("/engines/{}?delete_databases=true", estate.engine);
    let answer = client.call(Method::DELETE, &path, None).await;
    assert!(answer.is_err(), "{point}: {answer:?}");
    let deadline = Instant::now() + Duration::from_mins(1);
    while api.ended().unwrap().is_none() {
        assert!(Instant::now() < deadline, "{point}: the API is killed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn complete(client: &Client, installation: &Installation, estate: &Estate, point: &str) {
    let path = format!("/engines/{}", estate.engine);
    let gone = client.call(Method::GET, &path, None).await.unwrap();
    assert_eq!(gone.0, StatusCode::NOT_FOUND, "{point}: {}", gone.1);
    for database in &estate.databases {
        let path = format!("/databases/{database}");
        let gone = client.call(Method::GET, &path, None).await.unwrap();
        assert_eq!(gone.0, StatusCode::NOT_FOUND, "{point}: {}", gone.1);
    }
    let running = job(installation, &estate.running).await;
    assert!(
        running.cancel_requested,
        "{point}: its worker is told to stop"
    );
    let waiting = job(installation, &estate.waiting).await;
    assert!(
        matches!(waiting.state, JobState::Cancelled { .. }),
        "{point}"
    );
    let secrets = installation.storage.secrets.list().await.unwrap();
    let secret = format!("dilux-engine-{}", estate.engine);
    assert!(
        secrets.iter().all(|name| name.as_str() != secret),
        "{point}: the password goes with the engine"
    );
    let removals = installation.repositories.removals.list().await.unwrap();
    assert_eq!(removals.items, [], "{point}");
    let audited = audited(installation).await.unwrap();
    let count = |action: &str, id: &str| {
        let key = (action.to_owned(), id.to_owned());
        audited.get(&key).copied().unwrap_or(0)
    };
    assert!(count("delete", &estate.engine) >= 1, "{point}");
    for id in [&estate.running, &estate.waiting] {
        assert!(count("job_cancelled", id.as_str()) >= 1, "{point}: {id}");
    }
    for database in &estate.databases {
        assert!(count("database_deleted", database) >= 1, "{point}");
    }
}

fn preview_is_right(preview: &Value, estate: &Estate) {
    assert_eq!(preview["needs_delete_databases"], json!(true), "{preview}");
    assert_eq!(preview["databases"].as_array().unwrap().len(), 3);
    let jobs = preview["jobs"].as_array().unwrap();
    let states: BTreeMap<&str, &str> = jobs
        .iter()
        .map(|job| (job["id"].as_str().unwrap(), job["state"].as_str().unwrap()))
        .collect();
    let expected = BTreeMap::from([
        (estate.running.as_str(), "running"),
        (estate.waiting.as_str(), "pending"),
    ]);
    assert_eq!(states, expected);
}

#[tokio::test]
async fn a_21_an_engine_is_removed_whole_wherever_its_removal_was_interrupted() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let installation = home.look_inside().unwrap();
    for point in POINTS {
        let (api, client): (Service, Client) = home.start_api().await.unwrap();
        let estate = build(&client, &installation, &format!("{point}.example")).await;
        let path = format!("/engines/{}", estate.engine);
        let refused = client.call(Method::DELETE, &path, None).await.unwrap();
        assert_eq!(refused.0, StatusCode::BAD_REQUEST, "only when asked for");
        let preview = client.get(&format!("{path}/removal")).await.unwrap();
        preview_is_right(&preview, &estate);
        api.stop().unwrap();
        interrupted(&home, &estate, point).await;
        let (api, client) = home.start_api().await.unwrap();
        if point == "before-removal" {
            client
                .get(&path)
                .await
                .expect("nothing was begun, and nothing is done");
            let path = format!("{path}?delete_databases=true");
            client.expect(Method::DELETE, &path, None).await.unwrap();
        }
        complete(&client, &installation, &estate, point).await;
        api.stop().unwrap();
    }
}
