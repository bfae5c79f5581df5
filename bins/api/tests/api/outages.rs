//! Acceptance scenario A-10 for every route: a store that is away is answered with 503 and the time
//! of the next try, and changes nothing.

use std::sync::atomic::Ordering;

use axum::http::Method;
use dilux_api::openapi;
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::seeds::{database, engine};
use crate::world::World;

/// What answers without the tables.
const NEEDS_NO_TABLE: &[&str] = &[
    "/api/health",
    "/api/auth/methods",
    "/api/auth/oidc/start",
    "/api/auth/oidc/callback",
    "/api/version",
    "/api/openapi.json",
    "/api/audit/actions",
    "/api/audit/resource-types",
    "/api/vnet-status",
];

fn changes(engine: &str, database: &str) -> Vec<(Method, String, Value)> {
    let new =
        json!({"name": "n", "engine_type": "mysql", "host": "n", "username": "u", "password": "p"});
    vec![
        (Method::POST, "/api/engines".to_owned(), new.clone()),
        (
            Method::PUT,
            format!("/api/engines/{engine}"),
            json!({"password": "other"}),
        ),
        (
            Method::DELETE,
            format!("/api/engines/{engine}?delete_databases=true"),
            json!({}),
        ),
        (
            Method::POST,
            "/api/databases".to_owned(),
            json!({"engine": new, "database": {"name": "d"}}),
        ),
        (
            Method::PUT,
            format!("/api/databases/{database}"),
            json!({"enabled": false}),
        ),
        (
            Method::DELETE,
            format!("/api/databases/{database}"),
            json!({}),
        ),
        (
            Method::POST,
            format!("/api/databases/{database}/backup"),
            json!({}),
        ),
        (
            Method::POST,
            format!("/api/databases/{database}/test"),
            json!({}),
        ),
        (
            Method::POST,
            format!("/api/engines/{engine}/discover"),
            json!({}),
        ),
        (
            Method::POST,
            "/api/tokens".to_owned(),
            json!({"name": "t", "role": "viewer"}),
        ),
        (
            Method::POST,
            "/api/users".to_owned(),
            json!({"email": "a@b.c", "role": "viewer"}),
        ),
        (
            Method::PUT,
            "/api/settings".to_owned(),
            json!({"default_retention_days": 9}),
        ),
    ]
}

#[tokio::test]
async fn a_10_every_route_says_that_the_store_is_away_and_when_to_try_again() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let database = database(&world, &engine, "shop").await;
    let before = world.get(&format!("/api/databases/{database}")).await.body;
    let document = serde_json::to_value(openapi()).unwrap();
    let mut calls = changes(&engine, &database);
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{engine_id}", &engine)
            .replace("{database_id}", &database)
            .replace("{policy_id}", "production-standard")
            .replace("{timer}", "retention");
        let is_named = !path.contains('{');
        if operations["get"].is_object() && is_named && !NEEDS_NO_TABLE.contains(&&*path) {
            calls.push((Method::GET, path, Value::Null));
        }
    }
    world.faults.tables_are_down.store(true, Ordering::SeqCst);
    for (method, path, body) in &calls {
        let body = (!body.is_null()).then_some(body);
        let answer = world.call_with(method.clone(), path, &[], body).await;
        // A query that is not complete is refused before any store is asked.
        if answer.status == 422 && *method == Method::GET {
            continue;
        }
        assert_eq!(answer.status, 503, "{method} {path}: {}", answer.body);
        let after: u32 = answer.header("retry-after").parse().unwrap();
        assert!(after > 0, "{method} {path}");
    }
    world.faults.mend();
    assert!(calls.len() > 30, "{}", calls.len());
    let after = world.get(&format!("/api/databases/{database}")).await.body;
    assert_eq!(before, after, "nothing was changed");
    let engines = world.get("/api/engines").await.expect(200);
    assert_eq!(engines["items"].as_array().unwrap().len(), 1, "{engines}");
    assert_eq!(world.passwords().await, 1, "no password was left behind");
}

/// Reads that tell of a store that is away in another way, with the reason.
const TELLS_OTHERWISE: [(&str, &str); 4] = [
    ("/api/ready", "it is what tells"),
    ("/api/system-status", "its check of the storage tells"),
    (
        "/api/events",
        "a stream: it tells its listeners, and goes on",
    ),
    (
        "/api/health/report",
        "its checks say what they could not see",
    ),
];

/// Where single things are read, filled in.
async fn filled(shop: &Shop, path: &str) -> String {
    let backup = shop.seed().plant(&shop.world).await;
    path.replace("{engine_id}", &shop.engine)
        .replace("{database_id}", &shop.database)
        .replace("{policy_id}", "production-standard")
        .replace("{backup_id}", backup.as_str())
        .replace("{job_id}", "none")
        .replace("{user_id}", "none")
        .replace("{alert_id}", "none")
}

/// An answer to compare. Metrics come in any order, and count the requests themselves.
fn text(path: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !path.ends_with("/metrics") {
        return text.into_owned();
    }
    let is_of_store =
        |line: &&str| line.starts_with("dilux_database") || line.starts_with("dilux_backups");
    let mut lines: Vec<&str> = text.lines().filter(is_of_store).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test]
async fn a_10_a_read_that_fails_on_the_way_is_never_taken_for_nothing_there() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let document = serde_json::to_value(openapi()).unwrap();
    let (mut tried, mut failures) = (0, 0);
    for (path, operations) in document["paths"].as_object().unwrap() {
        let tells_otherwise = TELLS_OTHERWISE.iter().any(|(known, _)| known == path);
        let needs_none = NEEDS_NO_TABLE.contains(&path.as_str());
        if !operations["get"].is_object() || tells_otherwise || needs_none {
            continue;
        }
        let path = filled(&shop, path).await;
        let named = [("x-request-id", "the-same")];
        let whole = world.call_with(Method::GET, &path, &named, None).await;
        for reads in 1.. {
            *world.faults.reads_left.lock().unwrap() = Some(reads);
            let answer = world.call_with(Method::GET, &path, &named, None).await;
            let is_used_up = *world.faults.reads_left.lock().unwrap() == Some(0);
            world.faults.mend();
            failures += usize::from(answer.status == 503);
            if answer.status == 503 {
                continue;
            }
            assert_eq!(answer.status, whole.status, "GET {path}, {reads} reads");
            let [told, expected] = [&answer, &whole].map(|it| text(&path, &it.bytes));
            assert_eq!(told, expected, "GET {path}, {reads} reads");
            if !is_used_up {
                break;
            }
        }
        tried += 1;
    }
    assert!(tried > 40 && failures > 100, "{tried} {failures}");
}
