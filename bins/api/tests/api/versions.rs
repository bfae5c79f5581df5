//! Two people edit the same thing: the second is told, and what the present version is.

use std::collections::BTreeSet;

use axum::http::Method;
use dilux_api::openapi;
use dilux_core::model::BackupStatus;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::seeds::{Seed, id};
use crate::server::PASSWORD;
use crate::sessions::member;
use crate::world::{START, World};

/// What only its owner edits, and no two admins. The new password is guarded by the present one.
const OF_ONE_PERSON: [&str; 2] = ["/api/users/me/preferences", "/api/users/me/password"];

/// A thing that is edited.
struct Edited {
    /// The route of the edit, as in the document.
    route: &'static str,
    /// Where it is read.
    read: String,
    /// Where it is edited.
    path: String,
    /// What the first sends.
    first: Value,
    /// What the second sends.
    second: Value,
}

async fn edited(shop: &Shop) -> Vec<Edited> {
    let backup = shop.seed().plant(&shop.world).await;
    let policy = json!({"name": "Mine", "daily": {"enabled": true, "keep_count": 2}});
    let made = shop.world.post("/api/backup-policies", &policy).await;
    made.expect(201);
    let body = json!({ "email": "ann@example.com" });
    let user = shop.world.post("/api/users", &body).await.expect(201);
    let user = id(&user["user"]);
    let (engine, database) = (&shop.engine, &shop.database);
    let name = |name: &str| json!({ "name": name });
    let same = |route, path: String| Edited {
        route,
        read: path.clone(),
        path,
        first: name("First"),
        second: name("Second"),
    };
    vec![
        same("/api/users/{user_id}", format!("/api/users/{user}")),
        same("/api/engines/{engine_id}", format!("/api/engines/{engine}")),
        same(
            "/api/databases/{database_id}",
            format!("/api/databases/{database}"),
        ),
        same(
            "/api/backup-policies/{policy_id}",
            "/api/backup-policies/mine".to_owned(),
        ),
        Edited {
            route: "/api/engines/{engine_id}/credentials",
            read: format!("/api/engines/{engine}/credentials"),
            path: format!("/api/engines/{engine}/credentials"),
            first: json!({"username": "first", "password": PASSWORD}),
            second: json!({"username": "second", "password": PASSWORD}),
        },
        Edited {
            route: "/api/backups/{backup_id}/labels",
            read: format!("/api/backups/{backup}"),
            path: format!("/api/backups/{backup}/labels"),
            first: json!({"labels": {"who": "first"}}),
            second: json!({"labels": {"who": "second"}}),
        },
        Edited {
            route: "/api/settings",
            read: "/api/settings".to_owned(),
            path: "/api/settings".to_owned(),
            first: json!({"default_retention_days": 10}),
            second: json!({"default_retention_days": 20}),
        },
    ]
}

#[tokio::test]
async fn a_20_the_second_of_two_admins_is_told_the_present_version_by_every_update() {
    let shop = Shop::new().await;
    let all = edited(&shop).await;
    let document = serde_json::to_value(openapi()).unwrap();
    let documented: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, item)| item.get("put").is_some())
        .map(|(path, _)| path.as_str())
        .collect();
    let tried = all.iter().map(|it| it.route).chain(OF_ONE_PERSON);
    let tried: BTreeSet<&str> = tried.collect();
    assert_eq!(tried, documented, "every update is tried here");
    for it in all {
        let read = shop.world.get(&it.read).await;
        let tag = read.header("etag").to_owned();
        assert!(!tag.is_empty(), "{} gives no version", it.read);
        let guard = [("if-match", tag.as_str())];
        let put = |body| {
            shop.world
                .call_with(Method::PUT, &it.path, &guard, Some(body))
        };
        let first = put(&it.first).await;
        let present = first.header("etag").to_owned();
        assert_ne!(present, tag, "{}", it.path);
        let edited = first.expect(200);
        let second = put(&it.second).await;
        assert_eq!(second.header("etag"), present, "{}", it.path);
        let refused = second.expect(412);
        assert_eq!(refused["type"], json!("urn:dilux:problem:changed"));
        let after = shop.world.get(&it.read).await;
        assert_eq!(after.header("etag"), present, "{}", it.path);
        let shown = after.expect(200).to_string();
        let is_seconds = ["\"second\"", "\"Second\""].map(|text| shown.contains(text));
        assert_eq!(is_seconds, [false, false], "{edited}");
        // Old clients send none, and the last one wins.
        let old = shop.world.put(&it.path, &it.second).await;
        old.expect(200);
        let any = [("if-match", "*")];
        let last = shop
            .world
            .call_with(Method::PUT, &it.path, &any, Some(&it.first));
        last.await.expect(200);
    }
}

async fn version(world: &World, path: &str) -> String {
    let answer = world.get(path).await;
    let tag = answer.header("etag").to_owned();
    answer.expect(200);
    assert!(!tag.is_empty(), "{path} gives no version");
    tag
}

/// Fails unless a change with another version than the present one is refused and tells that one.
async fn is_guarded(world: &World, read: &str, method: Method, path: &str) {
    let present = version(world, read).await;
    let stale = [("if-match", "\"another\"")];
    let refused = world.call_with(method, path, &stale, None).await;
    assert_eq!(refused.header("etag"), present, "{path}");
    refused.expect(412);
    assert_eq!(version(world, read).await, present, "{path}");
}

#[tokio::test]
async fn wishes_about_a_backup_are_guarded_by_its_version() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let backup = shop.seed().plant(world).await;
    let read = format!("/api/backups/{backup}");
    for (method, wish) in [
        (Method::POST, "pin"),
        (Method::DELETE, "pin"),
        (Method::POST, "hold"),
        (Method::DELETE, "hold"),
        (Method::POST, "undelete"),
    ] {
        is_guarded(world, &read, method, &format!("{read}/{wish}")).await;
    }
    is_guarded(world, &read, Method::DELETE, &read).await;
    let first = version(world, &read).await;
    let guard = [("if-match", first.as_str())];
    let pin = format!("{read}/pin");
    let pinned = world.call_with(Method::POST, &pin, &guard, None).await;
    assert_eq!(pinned.status, 200, "{}", pinned.body);
    assert_eq!(pinned.header("etag"), version(world, &read).await);
    let late = world.call_with(Method::DELETE, &pin, &guard, None).await;
    late.is(412);
}

#[tokio::test]
async fn nothing_is_removed_in_another_version_than_it_was_seen() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let document = serde_json::to_value(openapi()).unwrap();
    let takes_versions = |operation: &Value| {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        parameters
            .clone()
            .any(|parameter| parameter["name"] == "If-Match")
    };
    let documented: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, item)| item.get("delete").is_some_and(takes_versions))
        .map(|(path, _)| path.as_str())
        .filter(|path| !path.ends_with("/pin") && !path.ends_with("/hold"))
        .collect();
    let mut tried = BTreeSet::from(["/api/backups/{backup_id}"]);
    let of_backup = format!("/api/backups/{}", shop.seed().plant(world).await);
    is_guarded(world, &of_backup, Method::DELETE, &of_backup).await;
    for it in edited(&shop).await {
        if it.read == it.path && documented.contains(it.route) {
            is_guarded(world, &it.path, Method::DELETE, &it.path).await;
            tried.insert(it.route);
        }
    }
    assert_eq!(tried, documented, "every removal is tried here");
}

#[tokio::test]
async fn a_job_and_an_alert_are_changed_as_they_were_seen() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let trigger = format!("/api/databases/{}/backup", shop.database);
    let job = world.post(&trigger, &json!({})).await.expect(202);
    let job = format!("/api/jobs/{}", job["job_id"].as_str().unwrap());
    let cancel = format!("{job}/cancel");
    is_guarded(world, &job, Method::POST, &cancel).await;
    let seen = version(world, &job).await;
    let guard = [("if-match", seen.as_str())];
    let cancelled = world.call_with(Method::POST, &cancel, &guard, None).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    assert_eq!(cancelled.header("etag"), version(world, &job).await);

    let failed = Seed {
        at: START.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(8),
        status: BackupStatus::Failed,
        ..shop.seed()
    };
    failed.plant(world).await;
    let alerts = world.get("/api/alerts").await.expect(200);
    let alert = format!(
        "/api/alerts/{}",
        alerts["alerts"][0]["id"].as_str().unwrap()
    );
    let acknowledge = format!("{alert}/acknowledge");
    is_guarded(world, &alert, Method::POST, &acknowledge).await;
    let seen = version(world, &alert).await;
    let guard = [("if-match", seen.as_str())];
    let noted = world.call_with(Method::POST, &acknowledge, &guard, None);
    assert_eq!(noted.await.status, 200);
    let late = world.call_with(Method::POST, &acknowledge, &guard, None);
    late.await.is(412);
}

#[tokio::test]
async fn own_preferences_are_guarded_by_the_version_of_the_person() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let ann = member(world, "ann@example.com", "viewer").await;
    let seen = ann.get(world, "/api/users/me").await;
    let seen = seen.header("etag").to_owned();
    let body = json!({ "dark_mode": true });
    let put = async |tag: &str| {
        let path = "/api/users/me/preferences";
        let headers = [ann.headers().as_slice(), &[("if-match", tag)]].concat();
        world
            .call_bare(Method::PUT, path, &headers, Some(&body))
            .await
    };
    let stale = put("\"another\"").await;
    assert_eq!(stale.header("etag"), seen);
    stale.is(412);
    let changed = put(&seen).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let now = ann.get(world, "/api/users/me").await;
    assert_eq!(changed.header("etag"), now.header("etag"));
    assert_ne!(changed.header("etag"), seen);
}
