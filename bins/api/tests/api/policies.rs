//! Making and changing policies.

use std::sync::atomic::Ordering;

use axum::http::Method;
use dilux_core::storage::{Query, TableName, Value as Property};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::seeds::{database, engine, id};
use crate::world::World;

pub(crate) const POLICIES: &str = "/api/backup-policies";

/// Makes a policy with a daily tier, and gives its path.
pub(crate) async fn policy(world: &World, name: &str) -> String {
    let body = json!({"name": name, "daily": {"enabled": true, "keep_count": 3}});
    let answer = world.post(POLICIES, &body).await.expect(201);
    format!("{POLICIES}/{}", id(&answer["policy"]))
}

/// Sends a database after a policy.
pub(crate) async fn follow(world: &World, database: &str, policy: &Value) {
    let path = format!("/api/databases/{database}");
    world.put(&path, policy).await.expect(200);
}

/// The newest entries of the audit log about policies: action, id, details.
async fn audited(world: &World) -> Vec<(String, String, Value)> {
    let table = TableName::new("auditlogs").unwrap();
    let tables = &world.installation.storage.tables;
    let page = tables.query(&table, &Query::default(), None).await.unwrap();
    let entries = page.entities.iter();
    let success = Some(Property::String("success".to_owned()));
    let entries = entries.filter(|row| row.entity.properties.get("status") == success.as_ref());
    let rows = entries.map(|row| {
        let text = |name| match row.entity.properties.get(name) {
            Some(Property::String(text)) => text.clone(),
            _ => String::new(),
        };
        let details = serde_json::from_str(&text("details")).unwrap();
        (text("action"), text("resource_id"), details)
    });
    rows.filter(|(action, ..)| action.starts_with("policy_"))
        .collect()
}

/// A policy with every field that there is.
fn whole() -> Value {
    json!({
        "name": "Nightly Archive",
        "description": "Long term copies\nfor the auditors",
        "hourly": {
            "enabled": true, "keep_count": 48, "interval_hours": 12, "time": "02:00",
            "day_of_week": 0, "day_of_month": 1, "month": 1,
        },
        "daily": {
            "enabled": true, "keep_count": 30, "interval_hours": 1, "time": "02:00",
            "day_of_week": 0, "day_of_month": 1, "month": 1, "cron": "30 2 * * MON-FRI",
        },
        "weekly": {
            "enabled": true, "keep_count": 12, "interval_hours": 1, "time": "00:00",
            "day_of_week": 6, "day_of_month": 1, "month": 1,
        },
        "monthly": {
            "enabled": true, "keep_count": 12, "interval_hours": 1, "time": "23:59",
            "day_of_week": 0, "day_of_month": 31, "month": 1,
        },
        "yearly": {
            "enabled": true, "keep_count": 100_000, "interval_hours": 1, "time": "05:00",
            "day_of_week": 0, "day_of_month": 29, "month": 2,
        },
        "time_zone": "Europe/Madrid",
        "blackouts": [
            {"days": [1, 2, 3, 4, 5], "from": "08:00", "until": "18:00"},
            {"days": [], "from": "23:30", "until": "00:15"},
        ],
        "jitter_minutes": 10,
        "catch_up_hours": 6,
    })
}

/// Fails unless `policy` has everything of `entered`.
#[track_caller]
fn assert_has(policy: &Value, entered: &Value) {
    for (field, value) in entered.as_object().unwrap() {
        assert_eq!(policy[field], *value, "{field}");
    }
}

#[tokio::test]
async fn everything_comes_back_as_it_was_entered() {
    let world = World::new().await;
    let answer = world.post(POLICIES, &whole()).await;
    let tag = answer.header("etag").to_owned();
    let made = answer.expect(201);
    assert_eq!(made["message"], json!("Backup policy created"));
    assert_has(&made["policy"], &whole());
    assert_eq!(made["policy"]["id"], json!("nightly-archive"));
    assert_eq!(made["policy"]["is_system"], json!(false));
    assert_eq!(made["policy"]["summary"], json!("48h/30d/12w/12m/100000y"));
    let read = world.get("/api/backup-policies/nightly-archive").await;
    assert_eq!(read.header("etag"), tag);
    let read = read.expect(200);
    assert_eq!(read["policy"], made["policy"]);
    assert_eq!(read["usage_count"], json!(0));
    let listed = world.get(POLICIES).await.expect(200);
    assert_eq!(listed["policies"][3], made["policy"]);
}

#[tokio::test]
async fn a_new_policy_is_previewed_followed_and_planned_by_at_once() {
    let world = World::new().await;
    let path = format!("{POLICIES}/late");
    let body = json!({
        "name": "Late", "time_zone": "Europe/Madrid",
        "daily": {"enabled": true, "keep_count": 3, "cron": "15 22 * * *"},
    });
    world.post(POLICIES, &body).await.expect(201);
    let preview = world.get(&format!("{path}/preview")).await.expect(200);
    assert_eq!(preview["runs"].as_array().unwrap().len(), 10);
    assert_eq!(preview["runs"][0]["utc"], json!("2026-01-31T21:15:00Z"));
    let engine = engine(&world, "mysql", "one").await;
    let shop = database(&world, &engine, "shop").await;
    follow(&world, &shop, &json!({"policy_id": "late"})).await;
    let path_of_schedule = format!("/api/databases/{shop}/schedule");
    let schedule = world.get(&path_of_schedule).await.expect(200);
    assert_eq!(schedule["policy_id"], json!("late"));
    assert_eq!(
        schedule["next_runs"][0]["utc"],
        json!("2026-01-31T21:15:00Z")
    );
    assert_eq!(
        world.get(&path).await.expect(200)["usage_count"],
        json!(1),
        "the database follows it"
    );
    let change = json!({"time_zone": "Asia/Tokyo"});
    world.put(&path, &change).await.expect(200);
    let schedule = world.get(&path_of_schedule).await.expect(200);
    assert_eq!(
        schedule["next_runs"][0]["utc"],
        json!("2026-01-31T13:15:00Z")
    );
}

#[tokio::test]
async fn every_kind_of_cron_expression_is_kept_as_written_and_planned_by() {
    let world = World::new().await;
    let path = policy(&world, "Cron").await;
    for (expression, next) in [
        ("30 2 * * MON-FRI", "2026-02-02T02:30:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 +MON", "2044-02-29T00:00:00Z"),
        ("0 0 L * *", "2026-02-28T00:00:00Z"),
        ("0 0 1W * *", "2026-02-02T00:00:00Z"),
        ("0 0 * * FRIL", "2026-02-27T00:00:00Z"),
        ("0 0 * 2 MON#4", "2026-02-23T00:00:00Z"),
        ("7-59/15 6,18 * jan,DEC 7", "2026-12-06T06:07:00Z"),
        ("0 0 ? * ?", "2026-02-01T00:00:00Z"),
    ] {
        let tier = json!({"enabled": true, "keep_count": 1, "cron": expression});
        let changed = world.put(&path, &json!({"daily": tier})).await.expect(200);
        let daily = &changed["policy"]["daily"];
        assert_eq!(daily["cron"], json!(expression));
        let preview = world.get(&format!("{path}/preview")).await.expect(200);
        let runs = preview["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 10, "{expression}");
        assert_eq!(runs[0]["utc"], json!(next), "{expression}");
    }
}

#[tokio::test]
async fn a_whole_policy_sent_back_changes_nothing() {
    let world = World::new().await;
    world.post(POLICIES, &whole()).await.expect(201);
    let listed = world.get(POLICIES).await.expect(200);
    for policy in listed["policies"].as_array().unwrap() {
        let path = format!("{POLICIES}/{}", id(policy));
        let after = world.put(&path, policy).await.expect(200);
        assert_eq!(after["message"], json!("Backup policy updated"));
        assert_eq!(after["policy"], *policy);
    }
    assert_eq!(world.get(POLICIES).await.expect(200), listed);
    let unchanged = audited(&world).await;
    let updates: Vec<_> = unchanged
        .iter()
        .filter(|(action, ..)| action == "policy_updated")
        .collect();
    assert_eq!(updates.len(), 4);
    assert!(
        updates
            .iter()
            .all(|(.., details)| details["updated_fields"] == json!([])),
        "{updates:?}"
    );
}

#[tokio::test]
async fn a_tier_that_is_sent_is_replaced_and_everything_else_stays() {
    let world = World::new().await;
    world.post(POLICIES, &whole()).await.expect(201);
    let path = "/api/backup-policies/nightly-archive";
    let change = json!({"daily": {"enabled": true, "keep_count": 2}, "hourly": {}});
    world.clock.advance(SignedDuration::from_hours(1));
    let changed = world.put(path, &change).await.expect(200)["policy"].clone();
    let off = json!({
        "enabled": false, "keep_count": 0, "interval_hours": 1, "time": "02:00",
        "day_of_week": 0, "day_of_month": 1, "month": 1,
    });
    let mut expected = whole();
    expected["hourly"] = off.clone();
    expected["daily"] = off;
    expected["daily"]["enabled"] = json!(true);
    expected["daily"]["keep_count"] = json!(2);
    assert_has(&changed, &expected);
    assert_eq!(changed["created_at"], json!("2026-01-31T12:00:00Z"));
    assert_eq!(changed["updated_at"], json!("2026-01-31T13:00:00Z"));
    let cleared = json!({
        "description": "", "time_zone": null, "blackouts": null, "jitter_minutes": null,
        "catch_up_hours": null, "name": "Renamed",
    });
    let cleared = world.put(path, &cleared).await.expect(200)["policy"].clone();
    let empty = json!({
        "id": "nightly-archive", "name": "Renamed", "description": null, "time_zone": "UTC",
        "blackouts": [], "jitter_minutes": 0, "catch_up_hours": null,
    });
    assert_has(&cleared, &empty);
    assert_has(&cleared, &json!({"yearly": expected["yearly"]}));
}

#[tokio::test]
async fn names_and_ids_are_taken_once_whatever_their_case() {
    let world = World::new().await;
    let path = policy(&world, "Weekly Only").await;
    let refused = |name: &'static str| json!({ "name": name });
    let taken = world.post(POLICIES, &refused("weekly ONLY!")).await;
    assert_eq!(
        taken.expect(409)["error"],
        json!("Policy with ID 'weekly-only' already exists")
    );
    world
        .put(&path, &json!({"name": "Größe"}))
        .await
        .expect(200);
    let free = world.post(POLICIES, &refused(" GRÖSSE")).await;
    assert_eq!(
        free.expect(201)["policy"]["id"],
        json!("gr-sse"),
        "another name"
    );
    let taken = world.post(POLICIES, &refused("GRÖßE")).await.expect(409);
    let reason = taken["error"].as_str().unwrap();
    assert!(reason.contains("'weekly-only'"), "{reason}");
    let other = policy(&world, "Other").await;
    world.put(&other, &refused("größe")).await.expect(409);
    world.put(&other, &refused("Development")).await.expect(409);
    world.put(&other, &refused("OTHER")).await.expect(200);
}

#[tokio::test]
async fn a_name_without_latin_letters_has_an_id_of_its_own() {
    let world = World::new().await;
    let path = policy(&world, "日本").await;
    let read = world.get(&path).await.expect(200);
    assert_eq!(read["policy"]["name"], json!("日本"));
    world
        .post(POLICIES, &json!({"name": "日本"}))
        .await
        .expect(409);
    world.delete(&path).await.expect(200);
}

#[tokio::test]
async fn policies_of_the_product_are_edited_and_never_deleted() {
    let world = World::new().await;
    let path = "/api/backup-policies/development";
    let change = json!({"description": "Ours", "weekly": {"enabled": false}});
    let changed = world.put(path, &change).await.expect(200);
    assert_has(
        &changed["policy"],
        &json!({"description": "Ours", "is_system": true, "summary": "7d"}),
    );
    let refused = world.delete(path).await.expect(400);
    assert_eq!(refused["error"], json!("System policies cannot be deleted"));
    world.installation.prepare().await.unwrap();
    let read = world.get(path).await.expect(200);
    assert_eq!(read["policy"], changed["policy"], "a start keeps the edit");
}

#[tokio::test]
async fn a_change_of_an_outdated_version_is_refused() {
    let world = World::new().await;
    let path = policy(&world, "Ours").await;
    let tag = world.get(&path).await.header("etag").to_owned();
    let stale = [("if-match", tag.as_str())];
    let change = json!({"description": "first"});
    let put = |headers| world.call_with(Method::PUT, &path, headers, Some(&change));
    let changed = put(&stale).await;
    let fresh = changed.header("etag").to_owned();
    assert_ne!(fresh, tag);
    changed.expect(200);
    put(&stale).await.expect(412);
    let deleted = world.call_with(Method::DELETE, &path, &stale, None).await;
    deleted.expect(412);
    let fresh = [("if-match", fresh.as_str())];
    let deleted = world.call_with(Method::DELETE, &path, &fresh, None).await;
    deleted.expect(200);
}

#[tokio::test]
async fn what_was_done_stands_in_the_audit_log() {
    let world = World::new().await;
    let path = policy(&world, "Ours").await;
    let change = json!({
        "description": "x", "daily": {"enabled": true, "keep_count": 4}, "jitter_minutes": 5,
    });
    world.clock.advance(SignedDuration::from_secs(1));
    world.put(&path, &change).await.expect(200);
    world.clock.advance(SignedDuration::from_secs(1));
    world.delete(&path).await.expect(200);
    let entry = |action: &str, details| (action.to_owned(), "ours".to_owned(), details);
    let mut found = audited(&world).await;
    found.sort_by_key(|(action, ..)| action.clone());
    assert_eq!(
        found,
        [
            entry(
                "policy_created",
                json!({"description": null, "summary": "3d"})
            ),
            entry(
                "policy_deleted",
                json!({"description": "x", "summary": "4d", "is_system": false})
            ),
            entry(
                "policy_updated",
                json!({
                    "updated_fields": ["description", "daily", "jitter_minutes"], "summary": "4d",
                })
            ),
        ]
    );
}

#[tokio::test]
async fn a_store_that_fails_is_told_and_nothing_is_half_done() {
    let world = World::new().await;
    let path = policy(&world, "Ours").await;
    let before = world.get(&path).await.expect(200);
    let body = json!({"name": "Other"});
    world.faults.break_table("backuppolicies");
    world.post(POLICIES, &body).await.expect(503);
    world.put(&path, &body).await.expect(503);
    world.delete(&path).await.expect(503);
    world.faults.tables_are_down.store(true, Ordering::SeqCst);
    world.delete(&path).await.expect(503);
    world.faults.mend();
    assert_eq!(world.get(&path).await.expect(200), before);
    assert_eq!(world.get(POLICIES).await.expect(200)["count"], json!(4));
    assert_eq!(audited(&world).await.len(), 1);
}
