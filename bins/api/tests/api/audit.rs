//! The audit log.

use std::collections::BTreeSet;

use axum::http::Method;
use dilux_core::model::{AuditAction, AuditEntry, AuditResourceType, AuditStatus};
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation, Value as Cell};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::World;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A success of one user about database `shop`; tests change what matters to them.
pub(crate) fn entry(id: &str, at: Timestamp) -> AuditEntry {
    AuditEntry {
        id: id.parse().unwrap(),
        at,
        user_id: "user-1".to_owned(),
        user_email: "alice@example.com".to_owned(),
        action: AuditAction::DatabaseUpdated,
        resource_type: AuditResourceType::Database,
        resource_id: "db-1".to_owned(),
        resource_name: "Shop".to_owned(),
        details: serde_json::Map::new(),
        status: AuditStatus::Success,
        error_message: None,
        ip_address: None,
        intent_id: None,
    }
}

async fn append(world: &World, entry: &AuditEntry) {
    let audit = &world.installation.repositories.audit;
    audit.append(entry).await.unwrap();
}

/// Writes a row as the Python product did: without zone, in `partition`.
async fn append_as_python(world: &World, partition: &str, id: &str, at: Timestamp) {
    let micros = 9_999_999_999_999_999 - at.as_microsecond();
    let mut row = Entity::new(EntityKey::new(partition, format!("{micros:016}_{id}")));
    let time = at.to_string().replace('Z', "");
    for (name, text) in [
        ("id", id),
        ("timestamp", &time),
        ("user_id", "user-1"),
        ("user_email", "alice@example.com"),
        ("action", "database_updated"),
        ("resource_type", "database"),
        ("resource_id", "db-1"),
        ("resource_name", "Shop"),
        ("status", "success"),
        ("ip_address", "unknown"),
        ("details", "{\"database_type\": \"mysql\"}"),
    ] {
        row = row.with(name, Cell::String(text.to_owned()));
    }
    let table = TableName::new("auditlogs").unwrap();
    let tables = &world.installation.storage.tables;
    let write = TableOperation::Replace(row, Condition::None);
    tables.write(&table, write).await.unwrap();
}

fn ids(page: &Value) -> Vec<String> {
    let logs = page["logs"].as_array().unwrap();
    logs.iter()
        .map(|log| log["id"].as_str().unwrap().to_owned())
        .collect()
}

fn times(page: &Value) -> Vec<Timestamp> {
    let logs = page["logs"].as_array().unwrap();
    logs.iter()
        .map(|log| at(log["timestamp"].as_str().unwrap()))
        .collect()
}

/// A log over a turn of the year: rows of the Python product by day and by month, then ours, some
/// of one instant. Answers the ids that the filter `status=success` finds.
async fn turn_of_the_year(world: &World) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for (partition, id, time) in [
        ("2025-12-09", "python-day", "2025-12-09T10:00:00Z"),
        ("202510", "python-october", "2025-10-15T08:31:00Z"),
        ("202512", "python-early", "2025-12-01T00:00:00Z"),
        ("202512", "python-late", "2025-12-27T23:59:59.5Z"),
        ("2024-06-01", "python-old", "2024-06-01T10:00:00Z"),
    ] {
        append_as_python(world, partition, id, at(time)).await;
        wanted.insert(id.to_owned());
    }
    let start = at("2025-12-28T00:00:00Z");
    for number in 0..60_i64 {
        // Three of each instant, nine hours apart: from the old year into the new one.
        let mut entry = entry(
            &format!("ours-{number:02}"),
            start + SignedDuration::from_hours(9 * (number / 3)),
        );
        if number % 4 == 1 {
            entry.status = AuditStatus::Failed;
        } else {
            wanted.insert(entry.id.to_string());
        }
        append(world, &entry).await;
    }
    wanted
}

#[tokio::test]
async fn a_25_audit_across_a_year_boundary_is_newest_first_with_a_stable_cursor_and_no_loss() {
    let world = World::new().await;
    let wanted = turn_of_the_year(&world).await;
    let whole = world.get("/api/audit?status=success&limit=500").await;
    let whole = whole.expect(200);
    let found: BTreeSet<String> = ids(&whole).into_iter().collect();
    assert_eq!(found, wanted);
    assert_eq!(whole["total"], json!(wanted.len()));
    let order = times(&whole);
    assert!(order.is_sorted_by(|newer, older| newer >= older));
    assert_eq!(order.first().unwrap().to_string(), "2026-01-04T03:00:00Z");
    assert_eq!(order.last().unwrap().to_string(), "2024-06-01T10:00:00Z");

    for size in [1, 2, 7] {
        let (mut seen, mut cursor, mut appended) = (Vec::new(), String::new(), 0);
        loop {
            let path = format!("/api/audit?status=success&limit={size}{cursor}");
            let page = world.get(&path).await.expect(200);
            seen.extend(ids(&page));
            // Somebody goes on working while the pages are turned.
            appended += 1;
            let id = format!("later-{size}-{appended}");
            append(&world, &entry(&id, at("2026-02-01T00:00:00Z"))).await;
            let Some(next) = page["next_cursor"].as_str() else {
                assert_eq!(page["has_more"], json!(false));
                break;
            };
            assert_eq!(page["has_more"], json!(true));
            cursor = format!("&cursor={next}");
        }
        let of_before = seen.split_off(seen.len() - wanted.len());
        assert_eq!(of_before, ids(&whole), "pages of {size}");
        assert!(seen.iter().all(|id| id.starts_with("later-")), "{seen:?}");
    }
}

#[tokio::test]
async fn pages_by_offset_and_limit_cover_the_log_as_documented() {
    let world = World::new().await;
    for number in 0..5 {
        let time = at("2026-01-31T23:59:58Z") + SignedDuration::from_secs(number);
        append(&world, &entry(&format!("entry-{number}"), time)).await;
    }
    for (query, expected, has_more) in [
        ("limit=2", vec!["entry-4", "entry-3"], true),
        ("limit=2&offset=2", vec!["entry-2", "entry-1"], true),
        ("limit=2&offset=4", vec!["entry-0"], false),
        ("limit=2&offset=3", vec!["entry-1", "entry-0"], false),
        ("offset=1000", vec![], false),
        ("limit=0", vec![], true),
        ("limit=100000&offset=4", vec!["entry-0"], false),
    ] {
        let page = world.get(&format!("/api/audit?{query}")).await.expect(200);
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!(page["count"], json!(expected.len()));
        assert_eq!(page["total"], json!(5));
        assert_eq!(page["has_more"], json!(has_more), "{query}");
    }
}

#[tokio::test]
async fn filters_mean_what_they_say() {
    let world = World::new().await;
    let mut first = entry("first", at("2025-12-31T23:59:59.999Z"));
    first.details = json!({"database_type": "mysql", "engine_id": "engine-1"})
        .as_object()
        .unwrap()
        .clone();
    append(&world, &first).await;
    let mut second = entry("second", at("2026-01-01T00:00:00Z"));
    second.action = AuditAction::PolicyCreated;
    second.resource_type = AuditResourceType::Policy;
    second.resource_id = "nightly-archive".to_owned();
    second.resource_name = "Nightly Archive".to_owned();
    second.user_id = "user-2".to_owned();
    second.user_email = "bob@example.com".to_owned();
    second.status = AuditStatus::Failed;
    append(&world, &second).await;
    let (one, two) = (vec!["first"], vec!["second"]);
    for (query, expected) in [
        ("start_date=2026-01-01", &two),
        ("start_date=2026-01-01T00:00:00", &two),
        ("end_date=2025-12-31", &one),
        ("start_date=2025-12-31&end_date=2025-12-31", &one),
        ("user_id=user-2", &two),
        ("action=policy_created", &two),
        ("resource_type=database", &one),
        ("status=failed", &two),
        ("search=NIGHTLY", &two),
        ("search=bob%40", &two),
        ("search=db-1", &one),
        ("database_type=MySQL", &one),
        ("engine_id=engine-1", &one),
        ("resource_name=sho", &one),
        ("resource_type=policy&status=success", &vec![]),
        ("user_id=x'%20or%20'1'='1", &vec![]),
        ("status=&action=&search=", &vec!["second", "first"]),
    ] {
        let page = world.get(&format!("/api/audit?{query}")).await.expect(200);
        assert_eq!(ids(&page), *expected, "{query}");
        assert_eq!(page["total"], json!(expected.len()), "{query}");
        let stats = world.get(&format!("/api/audit/stats?{query}")).await;
        assert_eq!(stats.expect(200)["total"], page["total"], "{query}");
    }
}

#[tokio::test]
async fn values_that_cannot_be_are_refused_by_name() {
    let world = World::new().await;
    for (query, field) in [
        ("action=explode", "action"),
        ("resource_type=thing", "resource_type"),
        ("status=odd", "status"),
        ("database_type=oracle", "database_type"),
        ("start_date=2025-13-40", "start_date"),
        ("end_date=x", "end_date"),
    ] {
        for route in ["", "/stats", "/export"] {
            let answer = world.get(&format!("/api/audit{route}?{query}")).await;
            assert_eq!(answer.refused_fields(), [field], "{route} {query}");
        }
    }
    for (path, field) in [
        ("?limit=x", "limit"),
        ("?offset=-1", "offset"),
        ("?cursor=x", "cursor"),
        // `202512|a/b`
        ("?cursor=MjAyNTEyfGEvYg", "cursor"),
        ("/export?format=xml", "format"),
    ] {
        let answer = world.get(&format!("/api/audit{path}")).await;
        assert_eq!(answer.refused_fields(), [field], "{path}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_told_and_hides_no_other() {
    let world = World::new().await;
    append(&world, &entry("good", at("2026-01-31T10:00:00Z"))).await;
    append_as_python(&world, "202601", "poison", at("2026-01-30T10:00:00Z")).await;
    let table = TableName::new("auditlogs").unwrap();
    let tables = &world.installation.storage.tables;
    let micros = 9_999_999_999_999_999 - at("2026-01-30T10:00:00Z").as_microsecond();
    let key = EntityKey::new("202601", format!("{micros:016}_poison"));
    let odd = Entity::new(key).with("action", Cell::String("explode".to_owned()));
    let write = TableOperation::Merge(odd, Condition::Exists);
    tables.write(&table, write).await.unwrap();
    append_as_python(&world, "202601", "other", at("2026-01-29T10:00:00Z")).await;
    let page = world.get("/api/audit").await.expect(200);
    assert_eq!(ids(&page), ["good", "other"]);
    assert_eq!(page["damaged"].as_array().unwrap().len(), 1);
    assert!(
        page["damaged"][0]["id"]
            .as_str()
            .unwrap()
            .ends_with("_poison")
    );
}

#[tokio::test]
async fn what_the_api_does_is_listed_with_the_documented_keys() {
    let world = World::new().await;
    let engine = json!({"name": "pg", "engine_type": "postgresql", "host": "pg.example"});
    world.post("/api/engines", &engine).await.expect(201);
    let page = world.get("/api/audit").await.expect(200);
    insta::assert_json_snapshot!("audit_listed", page);
}

#[tokio::test]
async fn an_export_holds_every_entry_that_matches_in_either_format() {
    let world = World::new().await;
    let start = at("2025-12-30T00:00:00Z");
    for number in 0..450_i64 {
        let time = start + SignedDuration::from_mins(number * 10);
        let mut entry = entry(&format!("entry-{number:03}"), time);
        if number == 7 {
            entry.resource_name = "=HYPERLINK(\"http://evil\")".to_owned();
        }
        append(&world, &entry).await;
    }
    let csv = world.get("/api/audit/export?format=csv").await;
    assert_eq!(
        csv.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"audit.csv\""
    );
    let text = String::from_utf8(csv.bytes).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 451);
    assert!(lines[0].starts_with("id,timestamp,user_id"));
    assert!(lines[1].starts_with("\"entry-449\","));
    assert!(lines[450].starts_with("\"entry-000\","));
    assert!(lines[443].contains(r#","'=HYPERLINK(""http://evil"")","#));

    let jsonl = world.get("/api/audit/export?end_date=2025-12-31").await;
    assert_eq!(jsonl.header("content-type"), "application/x-ndjson");
    let text = String::from_utf8(jsonl.bytes).unwrap();
    let entries: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries.len(), 288);
    let page = world
        .get("/api/audit?limit=288&offset=162")
        .await
        .expect(200);
    assert_eq!(Value::Array(entries), page["logs"]);

    let none = world.call_with(Method::GET, "/api/audit/export?user_id=no", &[], None);
    assert!(none.await.bytes.is_empty());
}
