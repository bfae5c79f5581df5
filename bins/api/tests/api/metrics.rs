//! Metrics: read line by line as the format has it, and compared with what the API shows.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use dilux_core::model::{BackupStatus, DeadLetter, DeadLetterReason};
use dilux_core::timer::Timer;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::backups::Shop;
use crate::health::ran;
use crate::seeds::Seed;
use crate::server::PASSWORD;
use crate::who_may::token;
use crate::world::{START, TOKEN, World};

/// A line of the answer that is no comment.
#[derive(Debug)]
struct Sample {
    metric: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Sample {
    /// Reads `name{label="value",…} number`, where `\\`, `\"` and `\n` stand for themselves in values.
    fn read(line: &str) -> Option<Self> {
        let (head, value) = line.rsplit_once(' ')?;
        let (metric, labels) = match head.split_once('{') {
            None => (head, ""),
            Some((metric, labels)) => (metric, labels.strip_suffix('}')?),
        };
        let is_name = |text: &str| {
            let rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            !text.is_empty() && text.bytes().all(rest) && !text.as_bytes()[0].is_ascii_digit()
        };
        let mut read = BTreeMap::new();
        let mut rest = labels;
        while !rest.is_empty() {
            let (name, text) = rest.split_once("=\"")?;
            let (value, length) = quoted(text)?;
            let is_new = read.insert(name.to_owned(), value).is_none();
            if !is_name(name) || !is_new {
                return None;
            }
            rest = &text[length..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        is_name(metric).then_some(Self {
            metric: metric.to_owned(),
            labels: read,
            value: value.parse().ok()?,
        })
    }
}

/// The text up to the quote that ends it, and the bytes read, that quote included.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, index + 1)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                _ => return None,
            },
            _ => value.push(character),
        }
    }
    None
}

async fn scrape(world: &World) -> Vec<Sample> {
    let answer = world.get("/metrics").await;
    answer.is(200);
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = String::from_utf8(answer.bytes).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let described: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let sample = Sample::read(line).unwrap_or_else(|| panic!("not understood: {line}"));
        let endings = ["", "_total", "_info", "_bucket", "_sum", "_count"];
        let mut families = endings
            .iter()
            .filter_map(|end| sample.metric.strip_suffix(end));
        assert!(families.any(|name| described.contains(name)), "{line}");
        sample
    };
    lines.map(read).collect()
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has = |sample: &Sample, (key, value): &(&str, &str)| {
        sample.labels.get(*key).is_some_and(|found| found == value)
    };
    let found: Vec<&Sample> = samples
        .iter()
        .filter(|it| it.metric == name && labels.iter().all(|label| has(it, label)))
        .collect();
    assert!(found.len() <= 1, "{name} {labels:?}: {found:?}");
    found.first().map(|sample| sample.value)
}

/// Two backups, one of them three hours old, and a failure after them.
async fn shop() -> Shop {
    let shop = Shop::new().await;
    let start: Timestamp = START.parse().unwrap();
    for (hours, status) in [
        (30, BackupStatus::Completed),
        (3, BackupStatus::Completed),
        (2, BackupStatus::Failed),
    ] {
        let at = start - SignedDuration::from_hours(hours);
        let seed = Seed {
            at,
            status,
            ..shop.seed()
        };
        let backup = seed.plant(&shop.world).await;
        if status == BackupStatus::Completed {
            let states = &shop.world.installation.repositories.states;
            let id = shop.database.parse().unwrap();
            let note = |state: &mut dilux_core::model::DatabaseState| state.succeed(&backup, at);
            states.change(&id, note).await.unwrap();
        }
    }
    shop
}

#[tokio::test]
async fn backups_and_objectives_are_those_that_the_api_shows() {
    let shop = shop().await;
    let world = &shop.world;
    let samples = scrape(world).await;
    let get = |name: &str, labels: &[(&str, &str)]| value(&samples, name, labels);
    let status = world.get("/api/system-status?period=all").await.expect(200);
    let completed = status["backups"]["completed"].as_f64();
    assert_eq!(completed, Some(2.0));
    let of_result = |result| get("dilux_backups_total", &[("result", result)]);
    assert_eq!(of_result("completed"), completed);
    assert_eq!(of_result("failed"), status["backups"]["failed"].as_f64());
    let stored = status["storage"]["total_size_bytes"].as_f64();
    assert_eq!(get("dilux_backups_stored_bytes", &[]), stored);
    assert_eq!(get("dilux_backups_present", &[]), Some(2.0));

    let rpo = format!("/api/databases/{}/rpo", shop.database);
    let rpo = world.get(&rpo).await.expect(200);
    let of_shop = ("database_id", shop.database.as_str());
    let state = ("state", rpo["state"].as_str().unwrap());
    let standing = get("dilux_database_rpo_state", &[of_shop, state]);
    assert_eq!(standing, Some(1.0));
    let age = get("dilux_database_recovery_point_age_seconds", &[of_shop]);
    assert_eq!(age, Some(3.0 * 3600.0));
    assert_eq!(get("dilux_database_failures", &[of_shop]), Some(1.0));
    assert_eq!(get("dilux_database_stored_bytes", &[of_shop]), stored);
    let described = [of_shop, ("label", "shop"), ("engine_type", "postgresql")];
    assert_eq!(get("dilux_database", &described), Some(1.0));
}

#[tokio::test]
async fn work_alerts_and_timers_are_those_that_the_api_shows() {
    let shop = shop().await;
    let world = &shop.world;
    let start: Timestamp = START.parse().unwrap();
    let reason = DeadLetterReason::Unreadable;
    let letter = DeadLetter::new("not for us", reason, None, start);
    let letters = &world.installation.repositories.dead_letters;
    letters.set_aside(letter).await.unwrap();
    ran(world, Timer::Planning, "2026-01-31T12:15:00Z").await;
    let backup = format!("/api/databases/{}/backup", shop.database);
    world.post(&backup, &json!({})).await.expect(202);

    let samples = scrape(world).await;
    let get = |name: &str, labels: &[(&str, &str)]| value(&samples, name, labels);
    let pending = [("kind", "backup"), ("state", "pending")];
    assert_eq!(get("dilux_jobs_open", &pending), Some(1.0));
    assert_eq!(get("dilux_queue_messages", &[]), Some(1.0));
    let unreadable = [("reason", "unreadable")];
    assert_eq!(get("dilux_dead_letters", &unreadable), Some(1.0));
    let alerts = world.get("/api/alerts").await.expect(200);
    let all = samples.iter().filter(|it| it.metric == "dilux_alerts");
    assert_eq!(alerts["count"].as_f64(), Some(all.map(|it| it.value).sum()));
    let failing = [("kind", "backup_failing"), ("severity", "critical")];
    assert_eq!(get("dilux_alerts", &failing), Some(1.0));
    let planning = [("timer", "planning")];
    assert_eq!(
        get("dilux_timer_last_run_timestamp_seconds", &planning),
        Some(start.as_duration().as_secs_f64())
    );
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(get("dilux_build_info", &version), Some(1.0));
}

#[tokio::test]
async fn requests_are_counted_by_route_template_and_status() {
    let shop = Shop::new().await;
    let world = &shop.world;
    for id in ["one", "two", "three"] {
        world.get(&format!("/api/jobs/{id}")).await.expect(404);
    }
    let odd = Method::from_bytes(b"BREW").unwrap();
    world.call_as(Some(TOKEN), odd, "/api/jobs/one", None).await;
    world.get("/somewhere/else").await.expect(404);
    let samples = scrape(world).await;
    let count = |method, route, status| {
        let labels = [("method", method), ("route", route), ("status", status)];
        value(&samples, "dilux_api_requests_total", &labels)
    };
    assert_eq!(count("GET", "/api/jobs/:job_id", "404"), Some(3.0));
    assert_eq!(count("other", "/api/jobs/:job_id", "405"), Some(1.0));
    assert_eq!(count("GET", "none", "404"), Some(1.0));
    let latency = [("method", "GET"), ("route", "/api/jobs/:job_id")];
    let name = "dilux_api_request_duration_seconds_count";
    assert_eq!(value(&samples, name, &latency), Some(3.0));
}

#[tokio::test]
async fn metrics_name_no_account_and_no_secret_and_are_for_viewers() {
    let shop = shop().await;
    let world = &shop.world;
    let viewer = token(world, "viewer", &[]).await;
    for path in ["/metrics", "/api/metrics"] {
        let answer = world.call_as(Some(&viewer), Method::GET, path, None).await;
        answer.is(200);
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(text.contains(&shop.database), "{text}");
        for hidden in [PASSWORD, TOKEN, &viewer, "username", "\"backup\"} ", "@"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        let nobody = world.call_as(None, Method::GET, path, None).await;
        nobody.expect(401);
    }
}
