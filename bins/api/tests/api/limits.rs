//! How many requests are answered, to whom, and what those hear who send more.

use axum::http::Method;
use dilux_api::openapi;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::sessions::member;
use crate::world::{Answer, World};

const CALLER: &str = "DILUX_REQUESTS_PER_MINUTE";
const STRANGER: &str = "DILUX_ANONYMOUS_REQUESTS_PER_MINUTE";
const COSTLY: &str = "DILUX_COSTLY_REQUESTS_PER_MINUTE";

/// Fails unless a request was one too many; gives the seconds to wait.
#[track_caller]
fn too_many(answer: &Answer) -> i64 {
    answer.is(429);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        answer.body["type"],
        json!("urn:dilux:problem:too-many-requests")
    );
    assert_eq!(answer.body["error"], answer.body["detail"]);
    assert!(!answer.header("x-request-id").is_empty());
    answer.header("retry-after").parse().unwrap()
}

/// A program with a token of its own.
async fn program(world: &World, name: &str, role: &str) -> String {
    let body = json!({ "name": name, "role": role });
    let made = world.post("/api/tokens", &body).await.expect(201);
    made["secret"].as_str().unwrap().to_owned()
}

async fn list_engines(world: &World, token: &str) -> Answer {
    world
        .call_as(Some(token), Method::GET, "/api/engines", None)
        .await
}

/// A request of somebody at `address` who shows `token`, or nothing.
async fn knock(world: &World, address: &str, path: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("host", "localhost")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    world
        .call_from(address, (Method::GET, path), &headers, None)
        .await
}

#[tokio::test]
async fn who_sends_too_much_hears_when_to_try_again_and_is_answered_then() {
    let world = World::with_variable(CALLER, "3").await;
    let eager = program(&world, "eager", "viewer").await;
    let other = program(&world, "other", "viewer").await;
    for _ in 0..3 {
        list_engines(&world, &eager).await.expect(200);
    }
    let wait = too_many(&list_engines(&world, &eager).await);
    assert_eq!(wait, 20, "a third of a minute");
    list_engines(&world, &other).await.expect(200);
    world.clock.advance(SignedDuration::from_secs(wait - 1));
    assert_eq!(too_many(&list_engines(&world, &eager).await), 1);
    world.clock.advance(SignedDuration::from_secs(1));
    list_engines(&world, &eager).await.expect(200);
    too_many(&list_engines(&world, &eager).await);
}

#[tokio::test]
async fn a_person_is_one_caller_in_all_their_sessions_and_what_is_not_served_counts_too() {
    let world = World::with_variable(CALLER, "4").await;
    let first = member(&world, "a@example.com", "viewer").await;
    let second = crate::sessions::sign_in(&world, "a@example.com").await;
    first.get(&world, "/api/engines").await.expect(200);
    second.get(&world, "/api/engines").await.expect(200);
    first.get(&world, "/api/nothing").await.expect(404);
    second.get(&world, "/api/audit").await.expect(403);
    too_many(&first.get(&world, "/api/engines").await);
    too_many(&second.get(&world, "/api/nothing").await);
}

#[tokio::test]
async fn strangers_are_counted_by_their_address_and_keep_nobody_out_who_is_known() {
    let world = World::with_variable(STRANGER, "3").await;
    let token = program(&world, "known", "viewer").await;
    let (here, elsewhere) = ("203.0.113.7", "203.0.113.8");
    let methods = "/api/auth/methods";
    knock(&world, here, methods, None).await.expect(200);
    let engines = "/api/engines";
    knock(&world, here, engines, None).await.expect(401);
    knock(&world, here, engines, Some("wrong"))
        .await
        .expect(401);
    for (path, shown) in [
        (methods, None),
        (engines, None),
        (engines, Some("wrong")),
        ("/api/nothing", None),
        ("/api/openapi.json", None),
    ] {
        let answer = knock(&world, here, path, shown).await;
        assert_eq!(too_many(&answer), 20, "{path}");
    }
    knock(&world, elsewhere, methods, None).await.expect(200);
    knock(&world, here, engines, Some(&token)).await.expect(200);
    let neighbours = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
    for address in neighbours {
        knock(&world, address, methods, None).await.expect(200);
    }
    too_many(&knock(&world, "2001:db8::4", methods, None).await);
}

#[tokio::test]
async fn what_watches_the_service_is_never_told_to_wait() {
    let variables = [(CALLER, "1"), (STRANGER, "1"), (COSTLY, "1")];
    let world = World::with_variables(&variables).await;
    for _ in 0..5 {
        world
            .call_as(None, Method::GET, "/api/health", None)
            .await
            .expect(200);
        world.get("/api/ready").await.expect(200);
        world
            .call_as(None, Method::GET, "/api/ready", None)
            .await
            .expect(401);
    }
    world.get("/api/engines").await.expect(200);
    too_many(&world.get("/api/engines").await);
}

#[tokio::test]
async fn what_is_costly_has_a_limit_of_its_own() {
    let world = World::with_variable(COSTLY, "2").await;
    let operator = program(&world, "operator", "operator").await;
    let viewer = program(&world, "viewer", "viewer").await;
    let back_up = async |token: &str| {
        let path = "/api/databases/nothing/backup";
        world.call_as(Some(token), Method::POST, path, None).await
    };
    let test = async |token: &str| {
        let path = "/api/engines/nothing/test";
        world.call_as(Some(token), Method::POST, path, None).await
    };
    back_up(&operator).await.expect(404);
    test(&operator).await.expect(404);
    assert_eq!(too_many(&back_up(&operator).await), 30);
    assert_eq!(too_many(&test(&operator).await), 30);
    list_engines(&world, &operator).await.expect(200);
    for _ in 0..3 {
        back_up(&viewer).await.expect(403);
    }
    world.clock.advance(SignedDuration::from_secs(30));
    test(&operator).await.expect(404);
}

#[tokio::test]
async fn a_download_and_each_of_its_parts_is_costly_and_a_link_is_not() {
    let shop = Shop::on(World::with_variable(COSTLY, "3").await).await;
    let (world, seed) = (&shop.world, shop.seed());
    let id = seed.plant(world).await;
    let data = format!("/api/backups/{id}/data");
    let part = async |range: &str| {
        let headers = [("range", range)];
        world.call_with(Method::GET, &data, &headers, None).await
    };
    world.get(&data).await.is(200);
    part("bytes=1-3").await.is(206);
    part("bytes=4-").await.is(206);
    assert_eq!(too_many(&part("bytes=1-3").await), 20);
    assert_eq!(too_many(&world.get(&data).await), 20);
    let link = format!("/api/backups/{id}/download");
    world.get(&link).await.expect(200);
    world.clock.advance(SignedDuration::from_secs(20));
    world.get(&data).await.is(200);
}

#[tokio::test]
async fn an_import_too_many_is_refused_and_changes_nothing() {
    let world = World::with_variable(COSTLY, "2").await;
    let document = world.get("/api/configuration/export").await.expect(200);
    let mut changed = document.clone();
    changed["settings"]["default_retention_days"] = json!(77);
    let import = "/api/configuration/import";
    let dry_run = format!("{import}?dry_run=true");
    world.post(&dry_run, &document).await.expect(200);
    too_many(&world.post(import, &changed).await);
    let settings = world.get("/api/settings").await.expect(200);
    assert_ne!(settings["settings"]["default_retention_days"], json!(77));
    world.clock.advance(SignedDuration::from_secs(30));
    world.post(import, &changed).await.expect(200);
    let settings = world.get("/api/settings").await.expect(200);
    assert_eq!(settings["settings"]["default_retention_days"], json!(77));
}

#[test]
fn these_operations_are_the_costly_ones() {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["x-costly"] == Value::Bool(true) {
                found.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found.sort();
    let expected = [
        "GET /api/audit/export",
        "GET /api/audit/unfinished",
        "GET /api/backups/export",
        "GET /api/backups/{backup_id}/data",
        "GET /api/configuration/export",
        "POST /api/backups/{backup_id}/restore",
        "POST /api/backups/{backup_id}/verify",
        "POST /api/configuration/import",
        "POST /api/databases/test-connection",
        "POST /api/databases/{database_id}/backup",
        "POST /api/databases/{database_id}/test",
        "POST /api/dead-letters/{dead_letter_id}/requeue",
        "POST /api/engines/{engine_id}/apply-credentials",
        "POST /api/engines/{engine_id}/databases",
        "POST /api/engines/{engine_id}/discover",
        "POST /api/engines/{engine_id}/test",
        "POST /api/jobs/{job_id}/retry",
        "POST /api/restores",
        "PUT /api/engines/{engine_id}/credentials",
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn there_are_limits_when_nobody_says_so() {
    let world = World::with_variables(&[(CALLER, ""), (STRANGER, ""), (COSTLY, "")]).await;
    let methods = async || {
        let path = "/api/auth/methods";
        world.call_as(None, Method::GET, path, None).await
    };
    for number in 1..=300 {
        assert_eq!(methods().await.status, 200, "request {number} at once");
    }
    assert_eq!(too_many(&methods().await), 1);
}
