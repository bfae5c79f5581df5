//! What the roles do not see, and what an operator may not do inside of an operation that they may.

use std::collections::BTreeSet;

use axum::http::Method;
use dilux_api::openapi;
use dilux_core::model::{
    Attempt, AttemptEnd, BackupStatus, BackupWork, Job, JobId, JobOwner, JobState, RestoreWork,
    Trigger, Work, WorkerId,
};
use dilux_core::transfer::{Failure, FailureKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::seeds::{Seed, database, engine, id};
use crate::server::PASSWORD;
use crate::who_may::token;
use crate::world::{Answer, START, World};

/// The account of everything that is registered here.
const ACCOUNT: &str = "marked-account";

/// An engine and a database with accounts of their own.
async fn registered(world: &World) -> (String, String) {
    let body = json!({
        "name": "one", "engine_type": "postgresql", "host": "one",
        "auth_method": "user_password", "username": ACCOUNT, "password": PASSWORD,
    });
    let engine = world.post("/api/engines", &body).await.expect(201);
    let engine = id(&engine["engine"]);
    let body = json!({
        "engine_id": engine,
        "database": { "name": "shop", "username": ACCOUNT, "password": PASSWORD },
    });
    let made = world.post("/api/databases", &body).await.expect(201);
    (engine, id(&made["database"]))
}

/// What servers say of an account.
pub(crate) fn refusal(account: &str) -> Failure {
    let message = format!("the server refused the password of account '{account}'");
    let detail = format!("ERROR 1045: Access denied for user '{account}'@'203.0.113.9'");
    Failure::new(FailureKind::Authentication, message).with_detail(detail)
}

/// Two failed backups with their jobs, and a restore that is tried again.
struct Troubles {
    backup: String,
    job: String,
    restore: String,
}

async fn troubles(world: &World, engine: &str, database: &str) -> Troubles {
    let repositories = &world.installation.repositories;
    let start: Timestamp = START.parse().unwrap();
    let mut made = None;
    for hours in [2, 1] {
        let seed = Seed {
            database,
            engine,
            label: "shop",
            at: start - SignedDuration::from_hours(hours),
            status: BackupStatus::Failed,
            data: b"",
        };
        let job = failed_job(&seed, &format!("failed {hours}"));
        let mut line = seed.line(job.id.clone(), String::new());
        line.failure = Some(refusal(ACCOUNT));
        repositories.jobs.book(job).await.unwrap();
        repositories.backups.put(&line).await.unwrap();
        made = Some((line, seed.at));
    }
    let (states, id) = (&repositories.states, database.parse().unwrap());
    let noted = states.change(&id, |state| {
        state.fail(start, &refusal(ACCOUNT).message);
    });
    noted.await.unwrap();
    let (line, at) = made.unwrap();
    let restore = retried_restore(&line.job_id, (engine, database), at);
    let restore_id = restore.id.to_string();
    repositories.jobs.book(restore).await.unwrap();
    Troubles {
        backup: line.id.to_string(),
        job: line.job_id.to_string(),
        restore: restore_id,
    }
}

fn failed_job(seed: &Seed<'_>, key: &str) -> Job {
    let work = Work::Backup(BackupWork::default());
    let mut job = job(seed.database, key, work, seed.at);
    job.state = JobState::Failed {
        at: seed.at,
        failure: refusal(ACCOUNT),
    };
    job
}

fn retried_restore(of: &JobId, (engine, database): (&str, &str), at: Timestamp) -> Job {
    let work = Work::Restore(RestoreWork {
        backup_id: of.into(),
        target_engine: engine.parse().unwrap(),
        target_database: "copy".parse().unwrap(),
        compare_with_source: false,
    });
    let mut job = job(database, "restore", work, at);
    job.state = JobState::Retrying {
        last: refusal(ACCOUNT),
    };
    job
}

/// A job of one attempt, which failed.
fn job(database: &str, key: &str, work: Work, at: Timestamp) -> Job {
    let database_id = database.parse().unwrap();
    let id = JobId::derive(&database_id, key);
    let owner = JobOwner {
        database_id,
        database_label: "shop".parse().unwrap(),
        engine_type: "postgresql".parse().unwrap(),
    };
    let mut job = Job::new(id, owner, work, Trigger::Scheduler, at);
    job.attempts = 1;
    let Failure { kind, message, .. } = refusal(ACCOUNT);
    job.log.push(Attempt {
        epoch: 1,
        worker: "worker-1".parse::<WorkerId>().unwrap(),
        started_at: at,
        ended_at: Some(at),
        end: Some(AttemptEnd::Failed { kind, message }),
    });
    job
}

/// Every `GET` of the document, with these ids.
async fn reads(world: &World, engine: &str, database: &str, troubles: &Troubles) -> Vec<String> {
    let alerts = world.get("/api/alerts?kind=backup_failing").await;
    let alert = id(&alerts.expect(200)["alerts"][0]);
    let document = serde_json::to_value(openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let read = paths.iter().filter(|(_, item)| item["get"].is_object());
    read.map(|(path, _)| {
        path.replace("{engine_id}", engine)
            .replace("{database_id}", database)
            .replace("{policy_id}", "production-standard")
            .replace("{backup_id}", &troubles.backup)
            .replace("{alert_id}", &alert)
            .replace(
                "restores/{job_id}",
                &format!("restores/{}", troubles.restore),
            )
            .replace("{job_id}", &troubles.job)
    })
    .collect()
}

/// The whole answer, also where it is no JSON.
fn text(answer: Answer) -> String {
    String::from_utf8(answer.bytes).unwrap()
}

#[tokio::test]
async fn no_answer_shows_a_viewer_an_account_or_where_its_password_is() {
    let world = World::new().await;
    let (engine, database) = registered(&world).await;
    let troubles = troubles(&world, &engine, &database).await;
    let viewer = token(&world, "viewer", &[]).await;
    let operator = token(&world, "operator", &[]).await;
    let mut shown_to_operators = BTreeSet::new();
    let mut leaks = Vec::new();
    for path in reads(&world, &engine, &database, &troubles).await {
        let seen = text(world.call_as(Some(&viewer), Method::GET, &path, None).await);
        for hidden in [ACCOUNT, "203.0.113.9", "dilux-engine-", "dilux-db-"] {
            if seen.contains(hidden) {
                leaks.push(format!("{path}: {seen}"));
            }
        }
        let seen = text(
            world
                .call_as(Some(&operator), Method::GET, &path, None)
                .await,
        );
        if seen.contains(ACCOUNT) {
            shown_to_operators.insert(path);
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    let shown = |start: &str| {
        shown_to_operators
            .iter()
            .any(|path| path.starts_with(start))
    };
    for part in [
        "/api/engines",
        "/api/databases",
        "/api/jobs/",
        "/api/restores/",
        "/api/backups/export",
        "/api/backup-alerts",
        "/api/alerts/",
    ] {
        assert!(shown(part), "{part}: {shown_to_operators:?}");
    }
    assert_eq!(shown_to_operators.len(), 14, "{shown_to_operators:?}");
}

#[tokio::test]
async fn a_viewer_is_told_what_kind_of_failure_it_was() {
    let world = World::new().await;
    let (engine, database) = registered(&world).await;
    let troubles = troubles(&world, &engine, &database).await;
    let viewer = token(&world, "viewer", &[]).await;
    let path = format!("/api/jobs/{}", troubles.job);
    let seen = world.call_as(Some(&viewer), Method::GET, &path, None).await;
    let seen = seen.expect(200);
    assert_eq!(seen["error_kind"], json!("authentication"));
    assert_eq!(seen["error_detail"], Value::Null);
    let told = &seen["error_message"];
    assert!(told.as_str().unwrap().contains("password"), "{told}");
    assert_eq!(&seen["log"][0]["error_message"], told);
    let whole = world.get(&path).await.expect(200);
    assert_eq!(whole["error_message"], json!(refusal(ACCOUNT).message));
    assert_eq!(whole["error_detail"], json!(refusal(ACCOUNT).detail));
}

#[tokio::test]
async fn a_viewer_finds_every_key_that_others_find() {
    let world = World::new().await;
    let (engine, _) = registered(&world).await;
    let viewer = token(&world, "viewer", &[]).await;
    let path = format!("/api/engines/{engine}");
    let seen = world
        .call_as(Some(&viewer), Method::GET, &path, None)
        .await
        .expect(200);
    let whole = world.get(&path).await.expect(200);
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&seen), keys(&whole));
    assert_eq!(seen["username"], Value::Null);
    assert_eq!(seen["has_password"], json!(true));
}

#[tokio::test]
async fn an_operator_registers_databases_but_no_credentials_and_no_engines() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let operator = token(&world, "operator", &[]).await;
    let post = async |path: &str, body: Value| {
        world
            .call_as(Some(&operator), Method::POST, path, Some(&body))
            .await
    };
    let plain = json!({ "engine_id": engine, "database": { "name": "shop" } });
    post("/api/databases", plain).await.expect(201);
    let with_account = json!({
        "engine_id": engine,
        "database": { "name": "crm", "username": "u", "password": PASSWORD },
    });
    let new_engine = json!({
        "engine": { "name": "two", "engine_type": "mysql", "host": "two" },
        "database": { "name": "crm" },
    });
    let by_address = json!({
        "name": "crm", "database_type": "mysql", "host": "three", "port": 3306,
        "database_name": "crm",
    });
    for body in [with_account, new_engine, by_address] {
        let answer = post("/api/databases", body.clone()).await;
        assert_eq!(answer.status, 403, "{body}: {}", answer.body);
    }
    let path = format!("/api/engines/{engine}/databases");
    let copies = json!({ "databases": [{ "name": "erp" }], "use_engine_credentials": false });
    assert_eq!(post(&path, copies).await.status, 403);
    let inherits = json!({ "databases": [{ "name": "erp" }] });
    post(&path, inherits).await.expect(201);
    let engines = world.get("/api/engines").await.expect(200);
    assert_eq!(engines["total"], json!(1));
    let databases = world.get("/api/databases").await.expect(200);
    assert_eq!(databases["total"], json!(2));
}

#[tokio::test]
async fn an_operator_edits_a_database_but_not_how_it_signs_in() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let inherits = database(&world, &engine, "shop").await;
    let operator = token(&world, "operator", &[]).await;
    let path = format!("/api/databases/{inherits}");
    let put = async |body: Value| {
        world
            .call_as(Some(&operator), Method::PUT, &path, Some(&body))
            .await
    };
    let form = json!({
        "name": "Shop", "username": "", "password": "", "use_engine_credentials": true,
    });
    assert_eq!(
        put(form).await.expect(200)["database"]["name"],
        json!("Shop")
    );
    let own = json!({
        "use_engine_credentials": false, "username": "u", "password": PASSWORD,
    });
    assert_eq!(put(own).await.status, 403);
    let present = world.get(&path).await.expect(200);
    assert_eq!(present["database"]["use_engine_credentials"], json!(true));
}

#[tokio::test]
async fn an_operator_tests_stored_connections_and_sends_no_password_anywhere() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let operator = token(&world, "operator", &[]).await;
    let test = async |body: Value| {
        let path = "/api/databases/test-connection";
        world
            .call_as(Some(&operator), Method::POST, path, Some(&body))
            .await
    };
    let mut form = json!({
        "database_type": "postgresql", "host": "one", "port": 5432, "database_name": "shop",
        "engine_id": engine, "use_engine_credentials": true,
    });
    test(form.clone()).await.expect(200);
    form["use_engine_credentials"] = json!(false);
    form["username"] = json!("u");
    form["password"] = json!("guess");
    assert_eq!(test(form).await.status, 403);
    let visits = world.server.visits.lock().unwrap().clone();
    assert_eq!(visits, [("one:5432".to_owned(), PASSWORD.to_owned())]);
}
