//! What is about to be done is noted before it is done, and answered for afterwards.

use std::collections::BTreeSet;

use axum::http::Method;
use dilux_api::openapi;
use dilux_core::health::{HealthStatus, examine};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::seeds::engine;
use crate::who_may::token;
use crate::world::World;

fn policy(name: &str) -> Value {
    json!({
        "name": name,
        "tiers": {"daily": {"enabled": true, "keep_count": 7, "time": "02:00"}},
    })
}

async fn intents(world: &World) -> Vec<Value> {
    let page = world.get("/api/audit?status=intended&limit=1000").await;
    page.expect(200)["logs"].as_array().unwrap().clone()
}

async fn results(world: &World) -> Vec<Value> {
    let page = world.get("/api/audit?limit=1000").await;
    page.expect(200)["logs"].as_array().unwrap().clone()
}

async fn unfinished(world: &World) -> Vec<Value> {
    let page = world.get("/api/audit/unfinished?days=1").await;
    page.expect(200)["intents"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_change_is_announced_and_its_result_names_the_intent() {
    let world = World::new().await;
    let (before, known) = (intents(&world).await.len(), results(&world).await.len());
    world
        .post("/api/backup-policies", &policy("Nights"))
        .await
        .expect(201);

    let announced = intents(&world).await;
    assert_eq!(announced.len(), before + 1);
    let intent = &announced[0];
    assert_eq!(intent["action"], "policy_created");
    assert_eq!(intent["resource_type"], "policy");
    assert_eq!(intent["status"], "intended");
    assert_eq!(intent["details"]["request"], "POST /api/backup-policies");
    let done = results(&world).await;
    assert_eq!(done.len(), known + 1);
    assert_eq!(done[0]["action"], "policy_created");
    assert_eq!(done[0]["status"], "success");
    assert_eq!(done[0]["intent_id"], intent["id"]);
    assert_eq!(intent["user_id"], done[0]["user_id"]);
}

#[tokio::test]
async fn an_intent_names_the_thing_and_the_request() {
    let world = World::new().await;
    let headers = [("x-request-id", "from-the-client-7")];
    let answer = world
        .call_with(
            Method::DELETE,
            "/api/backup-policies/nights",
            &headers,
            None,
        )
        .await;
    answer.is(404);
    let intent = &intents(&world).await[0];
    assert_eq!(intent["resource_id"], "nights");
    assert_eq!(intent["details"]["request_id"], "from-the-client-7");
}

#[tokio::test]
async fn nothing_is_changed_when_the_intent_cannot_be_noted() {
    let world = World::new().await;
    let known = results(&world).await.len();
    world.faults.break_table("auditintents");
    world
        .post("/api/backup-policies", &policy("Nights"))
        .await
        .is(503);
    world.faults.mend();
    let policies = world.get("/api/backup-policies").await.expect(200);
    let mut policies = policies["policies"].as_array().unwrap().iter();
    assert!(!policies.any(|policy| policy["name"] == "Nights"));
    assert_eq!(results(&world).await.len(), known);
}

#[tokio::test]
async fn a_change_that_is_refused_has_an_entry_with_the_reason() {
    let world = World::new().await;
    let cases = [
        (
            Method::PUT,
            "/api/backup-policies/none",
            json!({"name": "n"}),
            404,
            "policy_updated",
        ),
        (
            Method::POST,
            "/api/backup-policies",
            json!({"name": 7}),
            422,
            "policy_created",
        ),
        (
            Method::DELETE,
            "/api/engines/none",
            json!({}),
            404,
            "delete",
        ),
        (
            Method::POST,
            "/api/databases/none/backup",
            json!({}),
            404,
            "backup_triggered",
        ),
    ];
    for (method, path, body, status, action) in cases {
        world.clock.advance(SignedDuration::from_secs(1));
        let known = results(&world).await.len();
        let answer = world.call_with(method, path, &[], Some(&body)).await;
        let told = answer.expect(status);
        let done = results(&world).await;
        assert_eq!(done.len(), known + 1, "{path}");
        assert_eq!(done[0]["action"], action);
        assert_eq!(done[0]["status"], "failed");
        assert_eq!(done[0]["error_message"], told["detail"]);
        assert_eq!(done[0]["intent_id"], intents(&world).await[0]["id"]);
    }
    assert_eq!(unfinished(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn whoever_may_not_leaves_a_failed_entry_and_no_intent() {
    let world = World::new().await;
    let viewer = token(&world, "viewer", &[]).await;
    world.clock.advance(SignedDuration::from_secs(1));
    let before = intents(&world).await.len();
    let answer = world
        .call_as(
            Some(&viewer),
            Method::DELETE,
            "/api/backup-policies/nights",
            None,
        )
        .await;
    let told = answer.expect(403);
    let entry = &results(&world).await[0];
    assert_eq!(entry["action"], "policy_deleted");
    assert_eq!(entry["resource_id"], "nights");
    assert_eq!(entry["status"], "failed");
    assert_eq!(entry["error_message"], told["detail"]);
    assert_eq!(entry["intent_id"], Value::Null);
    assert_eq!(intents(&world).await.len(), before);
}

#[tokio::test]
async fn a_change_whose_result_was_not_noted_is_unfinished_after_a_while() {
    let world = World::new().await;
    world
        .post("/api/backup-policies", &policy("Noted"))
        .await
        .expect(201);
    world.clock.advance(SignedDuration::from_secs(1));
    world.faults.break_table("auditlogs");
    world
        .post("/api/backup-policies", &policy("Lost"))
        .await
        .expect(201);
    world.faults.mend();
    assert_eq!(unfinished(&world).await, Vec::<Value>::new());

    world.clock.advance(SignedDuration::from_mins(16));
    let open = unfinished(&world).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["id"], intents(&world).await[0]["id"]);
    let looked = examine(&world.installation).await.unwrap();
    assert_eq!(looked.facts.unfinished_changes, 1);
    let changes = looked.checks.iter().find(|check| check.name == "changes");
    assert_eq!(changes.unwrap().status, HealthStatus::Degraded);
    for days in ["0", "32", "x"] {
        let path = format!("/api/audit/unfinished?days={days}");
        assert_eq!(world.get(&path).await.refused_fields(), ["days"]);
    }
}

#[tokio::test]
async fn a_change_that_was_done_and_whose_answer_failed_has_an_entry_of_both() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let path = format!("/api/engines/{engine}/credentials");
    let body = json!({"username": "rotated", "password": "another", "test": false});
    let mut seen = BTreeSet::new();
    for reads in 0..16 {
        world.clock.advance(SignedDuration::from_secs(1));
        *world.faults.failing_read.lock().unwrap() = Some(reads);
        let answer = world.put(&path, &body).await;
        world.faults.mend();
        if answer.status == 200 {
            continue; // The log looks again, and later reads are not made.
        }
        answer.is(503);
        let announced = intents(&world).await;
        if announced[0]["action"] == "create" {
            continue; // The caller was not even known.
        }
        let intent = announced[0]["id"].clone();
        let told: Vec<Value> = results(&world).await;
        let told = told.iter().filter(|entry| entry["intent_id"] == intent);
        let mut told: Vec<&str> = told
            .map(|entry| entry["status"].as_str().unwrap())
            .collect();
        told.sort_unstable();
        assert!(told.contains(&"failed"), "{reads}: {told:?}");
        seen.insert(told.join(" "));
    }
    assert!(seen.contains("failed success"), "{seen:?}");
}

/// Operations that need no intent, with the reason.
const HARMLESS: [(&str, &str); 2] = [
    ("POST /api/retention/dry-run", "says what would be deleted"),
    (
        "POST /api/auth/events",
        "writes nothing but an entry of the audit log",
    ),
];

#[tokio::test]
async fn every_operation_that_may_change_something_is_announced_once_and_answered_for() {
    let world = World::new().await;
    let described = serde_json::to_value(openapi()).unwrap();
    let (mut announced, mut known) = (intents(&world).await.len(), BTreeSet::new());
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let operation_name = format!("{} {path}", method.to_uppercase());
            if operation["x-permission"] == "public" || method == "get" {
                continue;
            }
            let filled = path.replace('{', "none-").replace('}', "");
            let parsed: Method = method.to_uppercase().parse().unwrap();
            world
                .call_with(parsed, &filled, &[], Some(&json!({})))
                .await;
            let found = intents(&world).await;
            let is_harmless = HARMLESS.iter().any(|(name, _)| *name == operation_name);
            let expected = usize::from(!is_harmless);
            assert_eq!(found.len() - announced, expected, "{operation_name}");
            announced = found.len();
            known.insert(operation_name);
        }
    }
    assert!(known.len() > 40, "{known:?}");
    world.clock.advance(SignedDuration::from_mins(16));
    assert_eq!(unfinished(&world).await, Vec::<Value>::new());
}
