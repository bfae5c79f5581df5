//! Acceptance scenario A-14: every operation of the document, with every method, for everybody.
//! What is expected stands here and not in the code under test.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use dilux_api::openapi;
use serde_json::{Value, json};

use crate::bootstrap::bootstrap_token;
use crate::sessions::member;
use crate::world::{Answer, TOKEN, World};

/// Groups of operations, and who of [`KNOWN`] may do them.
const GROUPS: &[(&str, &[&str])] = &[
    ("make-first-admin", &["bootstrap token", "admin"]),
    (
        "own-account",
        &["viewer", "operator", "granted operator", "admin"],
    ),
    ("view", &["viewer", "operator", "granted operator", "admin"]),
    ("run-backups", &["operator", "granted operator", "admin"]),
    (
        "manage-databases",
        &["operator", "granted operator", "admin"],
    ),
    ("read-data", &["granted operator", "admin"]),
    ("delete-data", &["granted operator", "admin"]),
    ("manage-engines", &["admin"]),
    ("administer", &["admin"]),
];

/// Everybody whom the API knows.
const KNOWN: &[&str] = &[
    "bootstrap token",
    "viewer",
    "operator",
    "granted operator",
    "admin",
];

/// Every operation with its group. An operation that is missing here fails the test.
const EXPECTED: &[(&str, &str)] = &[
    ("GET /api/health", "public"),
    ("GET /api/health/report", "view"),
    ("GET /api/version", "view"),
    ("GET /api/ready", "view"),
    ("GET /metrics", "view"),
    ("GET /api/metrics", "view"),
    ("GET /api/engines", "view"),
    ("POST /api/engines", "manage-engines"),
    ("GET /api/engines/{engine_id}", "view"),
    ("PUT /api/engines/{engine_id}", "manage-engines"),
    ("DELETE /api/engines/{engine_id}", "manage-engines"),
    ("GET /api/engines/{engine_id}/removal", "manage-engines"),
    ("POST /api/engines/{engine_id}/test", "run-backups"),
    ("POST /api/engines/{engine_id}/discover", "manage-databases"),
    (
        "POST /api/engines/{engine_id}/databases",
        "manage-databases",
    ),
    ("GET /api/databases", "view"),
    ("POST /api/databases", "manage-databases"),
    ("POST /api/databases/test-connection", "run-backups"),
    ("GET /api/databases/{database_id}", "view"),
    ("PUT /api/databases/{database_id}", "manage-databases"),
    ("DELETE /api/databases/{database_id}", "manage-databases"),
    ("GET /api/databases/{database_id}/rpo", "view"),
    ("POST /api/databases/{database_id}/test", "run-backups"),
    ("POST /api/databases/{database_id}/backup", "run-backups"),
    ("GET /api/databases/{database_id}/schedule", "view"),
    ("GET /api/backup-policies", "view"),
    ("POST /api/backup-policies", "manage-databases"),
    ("GET /api/backup-policies/{policy_id}", "view"),
    ("PUT /api/backup-policies/{policy_id}", "manage-databases"),
    (
        "DELETE /api/backup-policies/{policy_id}",
        "manage-databases",
    ),
    ("GET /api/backup-policies/{policy_id}/preview", "view"),
    ("GET /api/jobs", "view"),
    ("GET /api/jobs/{job_id}", "view"),
    ("POST /api/jobs/{job_id}/cancel", "run-backups"),
    ("GET /api/dead-letters", "administer"),
    (
        "POST /api/dead-letters/{dead_letter_id}/requeue",
        "administer",
    ),
    ("DELETE /api/dead-letters/{dead_letter_id}", "administer"),
    ("GET /api/backups", "view"),
    ("GET /api/backups/export", "view"),
    ("GET /api/backups/download", "read-data"),
    ("GET /api/backups/{backup_id}", "view"),
    ("GET /api/backups/{backup_id}/download", "read-data"),
    ("GET /api/backups/{backup_id}/data", "read-data"),
    ("POST /api/backups/{backup_id}/restore", "read-data"),
    ("POST /api/retention/dry-run", "view"),
    ("GET /api/retention/runs", "view"),
    ("GET /api/audit", "administer"),
    ("GET /api/audit/actions", "view"),
    ("GET /api/audit/resource-types", "view"),
    ("GET /api/audit/stats", "administer"),
    ("GET /api/audit/unfinished", "administer"),
    ("GET /api/audit/export", "administer"),
    ("GET /api/system-status", "view"),
    ("GET /api/storage-stats", "view"),
    ("GET /api/backup-alerts", "view"),
    ("GET /api/alerts", "view"),
    ("GET /api/alerts/{alert_id}", "view"),
    ("POST /api/alerts/{alert_id}/acknowledge", "run-backups"),
    ("GET /api/events", "view"),
    ("GET /api/databases/{database_id}/backup-stats", "view"),
    ("POST /api/backups/{backup_id}/pin", "run-backups"),
    ("DELETE /api/backups/{backup_id}/pin", "run-backups"),
    ("POST /api/backups/{backup_id}/hold", "run-backups"),
    ("DELETE /api/backups/{backup_id}/hold", "delete-data"),
    ("POST /api/backups/{backup_id}/undelete", "run-backups"),
    ("GET /api/backups/files", "view"),
    ("DELETE /api/backups/delete", "delete-data"),
    ("POST /api/backups/delete-bulk", "delete-data"),
    ("DELETE /api/backups/{backup_id}", "delete-data"),
    ("PUT /api/backups/{backup_id}/labels", "run-backups"),
    ("POST /api/backups/{backup_id}/verify", "run-backups"),
    ("GET /api/restores", "view"),
    ("POST /api/restores", "read-data"),
    ("GET /api/restores/{job_id}", "view"),
    ("POST /api/jobs/{job_id}/retry", "run-backups"),
    ("GET /api/engines/{engine_id}/credentials", "manage-engines"),
    ("PUT /api/engines/{engine_id}/credentials", "manage-engines"),
    (
        "POST /api/engines/{engine_id}/apply-credentials",
        "manage-engines",
    ),
    ("GET /api/configuration/export", "administer"),
    ("POST /api/configuration/import", "administer"),
    ("GET /api/settings", "view"),
    ("PUT /api/settings", "administer"),
    ("GET /api/components", "view"),
    ("GET /api/vnet-status", "administer"),
    ("GET /api/tokens", "administer"),
    ("POST /api/tokens", "administer"),
    ("DELETE /api/tokens/{token_id}", "administer"),
    ("POST /api/auth/setup", "make-first-admin"),
    ("POST /api/auth/login", "public"),
    ("POST /api/auth/invitation", "public"),
    ("GET /api/auth/methods", "public"),
    ("GET /api/auth/oidc/start", "public"),
    ("GET /api/auth/oidc/callback", "public"),
    ("POST /api/auth/logout", "own-account"),
    ("POST /api/auth/events", "own-account"),
    ("GET /api/users", "administer"),
    ("POST /api/users", "administer"),
    ("GET /api/users/me", "own-account"),
    ("PUT /api/users/me/preferences", "own-account"),
    ("PUT /api/users/me/password", "own-account"),
    ("GET /api/users/{user_id}", "administer"),
    ("PUT /api/users/{user_id}", "administer"),
    ("DELETE /api/users/{user_id}", "administer"),
    ("POST /api/users/{user_id}/invitation", "administer"),
    ("GET /api/access-requests", "administer"),
    (
        "POST /api/access-requests/{request_id}/approve",
        "administer",
    ),
    (
        "POST /api/access-requests/{request_id}/reject",
        "administer",
    ),
];

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// Makes a token and gives its text.
pub(crate) async fn token(world: &World, role: &str, grants: &[&str]) -> String {
    let body = json!({ "name": format!("a {role}"), "role": role, "grants": grants });
    let made = world.post("/api/tokens", &body).await.expect(201);
    made["secret"].as_str().unwrap().to_owned()
}

/// A text that names a token of the API and opens nothing.
async fn revoked(world: &World) -> String {
    let body = json!({ "name": "revoked", "role": "admin" });
    let made = world.post("/api/tokens", &body).await.expect(201);
    let path = format!("/api/tokens/{}", made["token"]["id"].as_str().unwrap());
    world.delete(&path).await.expect(200);
    made["secret"].as_str().unwrap().to_owned()
}

/// Headers of a request.
type Headers = Vec<(&'static str, String)>;

fn bearer(token: &str) -> Headers {
    vec![("authorization", format!("Bearer {token}"))]
}

/// Everybody, with what they show.
async fn everybody(world: &World) -> Vec<(&'static str, Headers)> {
    let grants = ["data", "deletion"];
    // Spent by the people who are registered below.
    let spent = bootstrap_token(world).await;
    vec![
        ("anonymous", Vec::new()),
        ("unknown", bearer("eyJhbGciOiJub25lIn0.e30.")),
        ("unknown", bearer(&revoked(world).await)),
        ("disabled", disabled(world).await),
        ("unknown", bearer(&spent)),
        ("viewer", bearer(&token(world, "viewer", &grants).await)),
        ("operator", bearer(&token(world, "operator", &[]).await)),
        (
            "granted operator",
            bearer(&token(world, "operator", &grants).await),
        ),
        ("admin", bearer(&token(world, "admin", &[]).await)),
        ("admin", bearer(TOKEN)),
    ]
}

/// The session of an admin who was disabled after it began.
async fn disabled(world: &World) -> Headers {
    let session = member(world, "disabled@example.com", "admin").await;
    member(world, "other@example.com", "admin").await;
    let path = format!("/api/users/{}", session.user_id(world).await);
    world
        .put(&path, &json!({ "enabled": false }))
        .await
        .expect(200);
    let headers = session.headers();
    headers
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
}

/// The methods of each path of the document.
fn served() -> BTreeMap<String, BTreeSet<String>> {
    let document = serde_json::to_value(openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let methods = |item: &Value| {
        let names = item.as_object().unwrap().keys();
        names.map(|name| name.to_uppercase()).collect()
    };
    paths
        .iter()
        .map(|(path, item)| (path.clone(), methods(item)))
        .collect()
}

fn fill(path: &str) -> String {
    let parts = path.split('/');
    let filled: Vec<&str> = parts
        .map(|part| {
            if part.starts_with('{') {
                "some-id"
            } else {
                part
            }
        })
        .collect();
    filled.join("/")
}

/// The answer that somebody must get: nothing of what they may is refused, and nothing else done.
#[track_caller]
fn check(who: &str, route: &str, group: Option<&str>, answer: &Answer) {
    let allowed = GROUPS.iter().find(|(name, _)| Some(*name) == group);
    let shown = format!("{who}: {route} answered {} {}", answer.status, answer.body);
    match (group, KNOWN.contains(&who)) {
        (Some("public"), _) => assert!(![401, 403].contains(&answer.status), "{shown}"),
        (_, false) => assert_eq!(answer.status, 401, "{shown}"),
        (None, true) => assert_eq!(answer.status, 405, "{shown}"),
        (Some(group), true) => {
            let (_, allowed) = allowed.unwrap_or_else(|| panic!("no group is called {group}"));
            if allowed.contains(&who) {
                assert!(![401, 403, 405].contains(&answer.status), "{shown}");
            } else {
                assert_eq!(answer.status, 403, "{shown}");
                assert_eq!(
                    answer.body["type"], "urn:dilux:problem:forbidden",
                    "{shown}"
                );
                let sentence = answer.body["error"].as_str().unwrap();
                let why = if who == "bootstrap token" { who } else { group };
                assert!(sentence.contains(why), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_14_every_route_and_method_answers_everybody_as_the_permission_table_says() {
    let world = World::new().await;
    let everybody = everybody(&world).await;
    call_everything(&world, &everybody).await;
}

#[tokio::test]
async fn a_14_the_bootstrap_token_opens_one_route_and_no_other() {
    let world = World::new().await;
    let holder = ("bootstrap token", bearer(&bootstrap_token(&world).await));
    call_everything(&world, &[holder]).await;
}

/// Calls every path of the document with every method as each of `callers`.
async fn call_everything(world: &World, callers: &[(&str, Headers)]) {
    let expected: BTreeMap<&str, &str> = EXPECTED.iter().copied().collect();
    assert_eq!(expected.len(), EXPECTED.len(), "an operation stands twice");
    let mut unused: BTreeSet<&str> = expected.keys().copied().collect();
    for (path, methods) in served() {
        let is_open = methods.iter().all(|method| {
            let route = format!("{method} {path}");
            expected.get(route.as_str()) == Some(&"public")
        });
        for method in METHODS {
            let route = format!("{method} {path}");
            let group = expected.get(route.as_str()).copied();
            unused.remove(route.as_str());
            assert_eq!(
                group.is_some(),
                methods.contains(method.as_str()),
                "{route}: who may call it? Say so in EXPECTED"
            );
            for (who, headers) in callers {
                let answer = call(world, &method, &fill(&path), headers).await;
                if group.is_none() && is_open {
                    assert_eq!(answer.status, 405, "{who}: {route}");
                } else {
                    check(who, &route, group, &answer);
                }
            }
        }
    }
    assert!(unused.is_empty(), "these are not served: {unused:?}");
}

async fn call(world: &World, method: &Method, path: &str, headers: &Headers) -> Answer {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let body = json!({});
    world
        .call_bare(method.clone(), path, &headers, Some(&body))
        .await
}

#[test]
fn the_document_names_the_permission_of_every_operation() {
    let document = serde_json::to_value(openapi()).unwrap();
    for (route, group) in EXPECTED {
        let (method, path) = route.split_once(' ').unwrap();
        let operation = &document["paths"][path][method.to_lowercase()];
        // Whose account it is decides the use case.
        let group = if *route == "GET /api/users/{user_id}" {
            "own-account"
        } else {
            *group
        };
        assert_eq!(operation["x-permission"], json!(group), "{route}");
        let is_open = operation["security"] == json!([{}]);
        assert_eq!(is_open, group == "public", "{route}");
    }
}
