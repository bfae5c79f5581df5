//! Exports: the history of backups as a file, and files that break off.

mod broken;

use std::collections::BTreeMap;

use axum::http::Method;
use dilux_core::model::{Backup, BackupStatus, JobId, Tier, Trigger};
use dilux_core::transfer::{Failure, FailureKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::seeds::{Seed, database, engine};
use crate::server::PASSWORD;
use crate::viewers::refusal;
use crate::who_may::token;
use crate::world::{START, World};

/// Lines of the history in these tests: more than two parts of an export.
pub(crate) const LINES: i64 = 450;

/// What a spreadsheet would run.
const FORMULA: &str = "=HYPERLINK(\"http://evil\",\"x\")";

/// One backup every half an hour, for two databases in turn, in all states.
pub(crate) async fn history(shop: &Shop) -> String {
    let mysql = engine(&shop.world, "mysql", "my").await;
    let other = database(&shop.world, &mysql, "crm").await;
    let start: Timestamp = START.parse().unwrap();
    for number in 0..LINES {
        let is_other = number % 3 == 0;
        let seed = Seed {
            at: start - SignedDuration::from_mins(30 * number),
            status: BackupStatus::ALL[usize::try_from(number % 8).unwrap()],
            database: if is_other { &other } else { &shop.database },
            engine: if is_other { &mysql } else { &shop.engine },
            label: if number == 7 {
                FORMULA
            } else {
                "shop, \"new\""
            },
            ..shop.seed()
        };
        put(&shop.world, number, &seed).await;
    }
    other
}

async fn put(world: &World, number: i64, seed: &Seed<'_>) {
    let job = JobId::derive(&seed.database.parse().unwrap(), &number.to_string());
    let mut line = seed.line(job, format!("postgresql/x/{number}.sql.gz"));
    dress(&mut line, number);
    let backups = &world.installation.repositories.backups;
    backups.put(&line).await.unwrap();
}

/// Gives some lines what others do not have.
fn dress(line: &mut Backup, number: i64) {
    if number % 3 == 0 {
        line.engine_type = "mysql".parse().unwrap();
    }
    if line.status == BackupStatus::Failed {
        let mut failure = Failure::new(FailureKind::Unreachable, "-1+1|'calc'!A1");
        failure.detail = "first line\r\nsecond".to_owned();
        line.failure = Some(failure);
    }
    if number % 5 == 0 {
        line.trigger = Trigger::Manual;
        line.tiers = vec![Tier::Daily, Tier::Weekly];
        line.marks.is_pinned = true;
        let label = ("for".to_owned(), "=audit".to_owned());
        line.marks.labels = [label].into();
    }
}

/// All pages of the list, one after another.
async fn listed(world: &World, query: &str) -> Vec<Value> {
    let (mut lines, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/backups?page_size=100&{query}{cursor}");
        let page = world.get(&path).await.expect(200);
        lines.extend(page["backups"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return lines,
        }
    }
}

async fn exported(world: &World, query: &str) -> String {
    let answer = world.get(&format!("/api/backups/export?{query}")).await;
    answer.is(200);
    String::from_utf8(answer.bytes).unwrap()
}

fn objects(jsonl: &str) -> Vec<Value> {
    let lines = jsonl.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The records of a CSV file as RFC 4180 has it, where each but the first line is quoted.
fn records(csv: &str) -> Vec<Vec<String>> {
    let (head, mut rest) = csv.split_once("\r\n").unwrap();
    let mut records = vec![head.split(',').map(str::to_owned).collect()];
    let mut record = Vec::new();
    while let Some(text) = rest.strip_prefix('"') {
        let mut cell = String::new();
        let mut parts = text;
        loop {
            let (part, after) = parts.split_once('"').expect("a quote that ends the cell");
            cell.push_str(part);
            if let Some(after) = after.strip_prefix('"') {
                cell.push('"');
                parts = after;
            } else {
                parts = after;
                break;
            }
        }
        record.push(cell);
        if let Some(after) = parts.strip_prefix("\r\n") {
            records.push(std::mem::take(&mut record));
            rest = after;
        } else {
            rest = parts
                .strip_prefix(',')
                .expect("a comma or the end of the line");
        }
    }
    assert!(rest.is_empty() && record.is_empty(), "{rest:?} {record:?}");
    records
}

/// What the cells of a line have to be, by column.
fn cells(line: &Value) -> BTreeMap<String, String> {
    let mut cells = BTreeMap::new();
    for (key, value) in line.as_object().unwrap() {
        match value {
            Value::Object(inner) if key == "retention" => {
                for (inner_key, value) in inner {
                    cells.insert(format!("{key}.{inner_key}"), cell(value));
                }
            }
            value => {
                cells.insert(key.clone(), cell(value));
            }
        }
    }
    cells
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '-']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn the_history_is_exported_as_it_is_listed_in_either_format() {
    let shop = Shop::new().await;
    history(&shop).await;
    let world = &shop.world;
    let all = listed(world, "").await;
    assert_eq!(all.len(), usize::try_from(LINES).unwrap());

    let jsonl = world.get("/api/backups/export").await;
    assert_eq!(jsonl.header("content-type"), "application/x-ndjson");
    assert_eq!(
        jsonl.header("content-disposition"),
        "attachment; filename=\"backups.jsonl\""
    );
    assert_eq!(objects(&String::from_utf8(jsonl.bytes).unwrap()), all);

    let csv = world.get("/api/backups/export?format=csv").await;
    assert_eq!(
        csv.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"backups.csv\""
    );
    let mut records = records(&String::from_utf8(csv.bytes).unwrap()).into_iter();
    let columns = records.next().unwrap();
    let rows: Vec<BTreeMap<String, String>> = records
        .map(|record| {
            assert_eq!(record.len(), columns.len());
            columns.iter().cloned().zip(record).collect()
        })
        .collect();
    assert_eq!(rows, all.iter().map(cells).collect::<Vec<_>>());
    assert_eq!(rows[7]["database_name"], format!("'{FORMULA}"));
    assert_eq!(rows[3]["error_message"], "'-1+1|'calc'!A1");
    assert_eq!(rows[5]["retention.labels"], r#"{"for":"=audit"}"#);
}

#[tokio::test]
async fn the_filters_of_the_list_are_those_of_the_export() {
    let shop = Shop::new().await;
    let other = history(&shop).await;
    let (world, database, engine) = (&shop.world, &shop.database, &shop.engine);
    for (query, count) in [
        (format!("database_id={other}"), 150),
        (format!("engine_id={engine}"), 300),
        ("status=completed".to_owned(), 56),
        ("status=failed".to_owned(), 112),
        ("status=missed".to_owned(), 56),
        ("triggered_by=manual".to_owned(), 90),
        ("database_type=mysql".to_owned(), 150),
        ("start_date=2026-01-31".to_owned(), 25),
        ("end_date=2026-01-22".to_owned(), 41),
        ("start_date=2026-01-25&end_date=2026-01-26".to_owned(), 96),
        (
            format!("database_id={database}&status=completed&triggered_by=manual"),
            8,
        ),
        (format!("database_id={other}&engine_id={engine}"), 0),
        ("database_id=none".to_owned(), 0),
        (format!("database_id={database}"), 300),
    ] {
        let expected = listed(world, &query).await;
        assert_eq!(expected.len(), count, "{query}");
        let jsonl = exported(world, &query).await;
        assert_eq!(objects(&jsonl), expected, "{query}");
        let csv = exported(world, &format!("format=csv&{query}")).await;
        let rows = records(&csv);
        assert_eq!(rows.len(), count + 1, "{query}");
        for (row, line) in rows[1..].iter().zip(&expected) {
            assert_eq!(row[0], line["id"], "{query}");
        }
    }
}

#[tokio::test]
async fn an_empty_history_is_a_file_without_lines() {
    let world = World::new().await;
    assert_eq!(exported(&world, "").await, "");
    let csv = exported(&world, "format=csv").await;
    assert_eq!(csv.lines().count(), 1);
    assert!(csv.starts_with("id,job_id,database_id,"), "{csv}");
    assert!(csv.ends_with("retention.reason,retention.text\r\n"));
}

#[tokio::test]
async fn senseless_filters_of_an_export_are_refused_by_name() {
    let world = World::new().await;
    for query in [
        "format=xml",
        "status=bogus",
        "triggered_by=me",
        "database_type=oracle",
        "start_date=10/12/2025",
        "end_date=2026-02-30",
    ] {
        let answer = world.get(&format!("/api/backups/export?{query}")).await;
        let field = query.split('=').next().unwrap();
        assert_eq!(answer.refused_fields(), [field]);
    }
}

#[tokio::test]
async fn whoever_may_see_the_list_may_export_it_and_finds_no_account_in_it() {
    const ACCOUNT: &str = "marked-account";
    let world = World::new().await;
    let body = json!({
        "name": "one", "engine_type": "postgresql", "host": "one",
        "auth_method": "user_password", "username": ACCOUNT, "password": PASSWORD,
    });
    let made = world.post("/api/engines", &body).await.expect(201);
    let engine = made["engine"]["id"].as_str().unwrap();
    let database = database(&world, engine, "shop").await;
    let seed = Seed {
        database: &database,
        engine,
        label: "shop",
        at: START.parse().unwrap(),
        status: BackupStatus::Completed,
        data: b"data",
    };
    seed.plant(&world).await;
    let mut failed = seed.line(
        JobId::derive(&database.parse().unwrap(), "failed"),
        String::new(),
    );
    failed.status = BackupStatus::Failed;
    failed.failure = Some(refusal(ACCOUNT));
    let backups = &world.installation.repositories.backups;
    backups.put(&failed).await.unwrap();
    for format in ["csv", "jsonl"] {
        let path = format!("/api/backups/export?format={format}");
        let whole = world.get(&path).await;
        for role in ["viewer", "operator", "admin"] {
            let token = token(&world, role, &[]).await;
            let answer = world.call_as(Some(&token), Method::GET, &path, None).await;
            answer.is(200);
            if role == "viewer" {
                let text = String::from_utf8(answer.bytes).unwrap();
                assert!(text.contains(&database), "{text}");
                assert!(text.contains("authentication"), "{text}");
                for hidden in [ACCOUNT, PASSWORD, "dilux-engine-", "dilux-db-"] {
                    assert!(!text.contains(hidden), "{text}");
                }
            } else {
                assert!(answer.bytes == whole.bytes, "{role}");
            }
        }
        let text = String::from_utf8(whole.bytes).unwrap();
        assert!(text.contains(&refusal(ACCOUNT).message), "{text}");
        let stranger = world.call_as(None, Method::GET, &path, None).await;
        stranger.expect(401);
    }
}
