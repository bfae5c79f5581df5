//! Alerts: one for each condition, while it lasts; and who has taken note of it.

use axum::http::Method;
use dilux_core::model::{BackupId, BackupStatus, DeadLetter, DeadLetterReason};
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation};
use dilux_core::timer::Timer;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::health::ran;
use crate::seeds::{Seed, database};
use crate::who_may::token;
use crate::world::{START, World};

/// So many hours before the start.
fn ago(hours: i64) -> Timestamp {
    let start: Timestamp = START.parse().unwrap();
    start - SignedDuration::from_hours(hours)
}

async fn plant(shop: &Shop, hours_ago: i64, status: BackupStatus) -> BackupId {
    let seed = Seed {
        at: ago(hours_ago),
        status,
        ..shop.seed()
    };
    seed.plant(&shop.world).await
}

/// A backup that was made and found damaged an hour ago.
async fn plant_damaged(shop: &Shop, hours_ago: i64) -> BackupId {
    let id = plant(shop, hours_ago, BackupStatus::Completed).await;
    let backups = &shop.world.installation.repositories.backups;
    let job = id.job().unwrap();
    let mut line = backups.get(&job, ago(hours_ago)).await.unwrap().unwrap();
    line.value.status = BackupStatus::Damaged;
    line.value.marks.damaged_since = Some(ago(1));
    line.value.marks.sentence = Some("its data is cut short".to_owned());
    backups.put(&line.value).await.unwrap();
    id
}

async fn set_aside(world: &World) {
    let reason = DeadLetterReason::Unreadable;
    let letter = DeadLetter::new("not for us", reason, None, ago(2));
    let letters = &world.installation.repositories.dead_letters;
    letters.set_aside(letter).await.unwrap();
}

async fn listed(world: &World, query: &str) -> Vec<Value> {
    let path = format!("/api/alerts?{query}");
    let answer = world.get(&path).await.expect(200);
    let alerts = answer["alerts"].as_array().unwrap().clone();
    assert_eq!(answer["count"], json!(alerts.len()));
    assert_eq!(answer["damaged"], json!([]));
    for alert in &alerts {
        let path = format!("/api/alerts/{}", id(alert));
        assert_eq!(world.get(&path).await.expect(200), *alert);
    }
    alerts
}

/// The one alert that there is.
async fn only(world: &World) -> Value {
    let mut alerts = listed(world, "").await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    alerts.remove(0)
}

fn id(alert: &Value) -> &str {
    alert["id"].as_str().unwrap()
}

fn kinds(alerts: &[Value]) -> Vec<&str> {
    let kinds = alerts.iter().map(|alert| alert["kind"].as_str().unwrap());
    kinds.collect()
}

fn acknowledge(alert: &Value) -> String {
    format!("/api/alerts/{}/acknowledge", id(alert))
}

#[tokio::test]
async fn backups_that_fail_are_one_alert_until_one_succeeds() {
    let shop = Shop::new().await;
    plant(&shop, 9, BackupStatus::Completed).await;
    assert_eq!(listed(&shop.world, "").await, Vec::<Value>::new());
    plant(&shop, 8, BackupStatus::Failed).await;
    let first = only(&shop.world).await;
    let expected = json!({
        "id": first["id"],
        "kind": "backup_failing",
        "severity": "warning",
        "status": "open",
        "subject": { "type": "database", "id": shop.database, "name": "shop" },
        "database_id": shop.database,
        "database_name": "shop",
        "engine_id": shop.engine,
        "message": "the last backup failed at 2026-01-31T04:00:00Z; mend the cause, and start a \
                    backup to see that it is gone",
        "since": "2026-01-31T04:00:00Z",
        "last_seen_at": "2026-01-31T04:00:00Z",
        "count": 1,
        "acknowledged_at": null,
        "acknowledged_by": null,
        "note": null,
    });
    assert_eq!(first, expected);
    plant(&shop, 7, BackupStatus::Failed).await;
    let again = only(&shop.world).await;
    assert_eq!(
        (&again["id"], &again["since"]),
        (&first["id"], &first["since"])
    );
    assert_eq!(again["count"], json!(2));
    assert_eq!(again["last_seen_at"], json!("2026-01-31T05:00:00Z"));
    plant(&shop, 6, BackupStatus::Completed).await;
    assert_eq!(listed(&shop.world, "").await, Vec::<Value>::new());
    let path = format!("/api/alerts/{}", id(&first));
    shop.world.get(&path).await.expect(404);
    plant(&shop, 5, BackupStatus::Failed).await;
    assert_ne!(only(&shop.world).await["id"], first["id"], "it came again");
}

#[tokio::test]
async fn an_objective_that_is_breached_is_one_alert_and_none_beside_failures() {
    let shop = Shop::new().await;
    shop.world.clock.advance(SignedDuration::from_mins(91));
    let breached = only(&shop.world).await;
    assert_eq!(breached["kind"], json!("rpo_breached"));
    assert_eq!(breached["severity"], json!("critical"));
    assert_eq!(breached["since"], json!("2026-01-31T13:30:00Z"));
    plant(&shop, 1, BackupStatus::Failed).await;
    let failing = only(&shop.world).await;
    assert_eq!(failing["kind"], json!("backup_failing"));
    assert_eq!(failing["severity"], json!("critical"));
    let made = plant(&shop, 0, BackupStatus::Completed).await;
    let now = shop.world.installation.clock.now();
    let states = &shop.world.installation.repositories.states;
    let database = shop.database.parse().unwrap();
    let changed = states.change(&database, |state| state.succeed(&made, now));
    changed.await.unwrap();
    assert_eq!(listed(&shop.world, "").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_scheduler_that_fell_silent_is_one_alert_whatever_it_leaves_undone() {
    let world = World::new().await;
    ran(&world, Timer::Planning, "2026-01-31T12:15:00Z").await;
    ran(&world, Timer::Health, "2026-01-31T18:00:00Z").await;
    world.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(listed(&world, "").await, Vec::<Value>::new());
    world.clock.advance(SignedDuration::from_hours(10));
    let silent = only(&world).await;
    assert_eq!(silent["kind"], json!("scheduler_silent"));
    assert_eq!(silent["since"], json!("2026-01-31T12:15:00Z"));
    assert_eq!(silent["subject"]["id"], json!("planning"));
    let timers = &world.installation.repositories.timers;
    let stored = timers.get(&Timer::Planning).await.unwrap().unwrap();
    let mut plans = stored.value;
    plans.next = Some("2026-01-31T23:00:00Z".parse().unwrap());
    timers.replace(plans, &stored.version).await.unwrap();
    let late = only(&world).await;
    assert_eq!(late["kind"], json!("timer_late"));
    assert_eq!(late["subject"]["id"], json!("health"));
}

#[tokio::test]
async fn damaged_backups_are_named_also_when_their_database_is_registered_no_more() {
    let shop = Shop::new().await;
    let damaged = plant_damaged(&shop, 9).await;
    plant(&shop, 8, BackupStatus::Failed).await;
    let alerts = listed(&shop.world, "").await;
    assert_eq!(kinds(&alerts), ["backup_damaged", "backup_failing"]);
    let alert = &alerts[0];
    assert_eq!(alert["subject"]["type"], json!("backup"));
    assert_eq!(alert["subject"]["id"], json!(damaged.as_str()));
    assert_eq!(alert["since"], json!(ago(1).to_string()));
    let message = alert["message"].as_str().unwrap();
    assert!(message.starts_with("its data is cut short"), "{message}");
    let path = format!("/api/databases/{}", shop.database);
    shop.world.delete(&path).await.expect(200);
    let left = only(&shop.world).await;
    assert_eq!(left["id"], alert["id"]);
    assert_eq!(left["database_name"], json!("shop"));
    assert_eq!(left["engine_id"], Value::Null);
}

#[tokio::test]
async fn filters_mean_what_they_say() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let other = database(world, &shop.engine, "crm").await;
    plant(&shop, 8, BackupStatus::Failed).await;
    plant_damaged(&shop, 9).await;
    set_aside(world).await;
    let all = listed(world, "").await;
    let newest_first = ["backup_damaged", "dead_letter", "backup_failing"];
    assert_eq!(kinds(&all), newest_first);
    world
        .post(&acknowledge(&all[1]), &json!({}))
        .await
        .expect(200);
    let engine = format!("engine_id={}", shop.engine);
    let of_shop = format!("database_id={}", shop.database);
    let of_other = format!("database_id={other}");
    let expected: [(&str, &[&str]); 12] = [
        ("status=open", &["backup_damaged", "backup_failing"]),
        ("status=acknowledged", &["dead_letter"]),
        ("kind=backup_failing", &["backup_failing"]),
        ("kind=timer_late", &[]),
        ("severity=critical", &["backup_damaged"]),
        ("severity=warning", &["dead_letter", "backup_failing"]),
        (&engine, &["backup_damaged", "backup_failing"]),
        ("engine_id=none", &[]),
        (&of_shop, &["backup_damaged", "backup_failing"]),
        (&of_other, &[]),
        ("severity=warning&status=open", &["backup_failing"]),
        (
            "status=&kind=&severity=&database_id=&engine_id=",
            &newest_first,
        ),
    ];
    for (query, kinds_found) in expected {
        assert_eq!(kinds(&listed(world, query).await), kinds_found, "{query}");
    }
    let wrong = "/api/alerts?status=closed&kind=disk&severity=high";
    let refused = world.get(wrong).await.refused_fields();
    assert_eq!(refused, ["kind", "severity", "status"]);
}

#[tokio::test]
async fn who_takes_note_first_stays_noted_and_is_audited_once() {
    let shop = Shop::new().await;
    let world = &shop.world;
    plant(&shop, 8, BackupStatus::Failed).await;
    let alert = only(world).await;
    let path = acknowledge(&alert);
    let operator = token(world, "operator", &[]).await;
    let viewer = token(world, "viewer", &[]).await;
    let body = json!({ "note": "the disk is being replaced" });
    let refused = world.call_as(Some(&viewer), Method::POST, &path, Some(&body));
    assert_eq!(refused.await.status, 403);
    assert_eq!(only(world).await["status"], json!("open"));
    let too_long = json!({ "note": "x".repeat(1001) });
    assert_eq!(
        world.post(&path, &too_long).await.refused_fields(),
        ["note"]
    );
    let noted = world.call_as(Some(&operator), Method::POST, &path, Some(&body));
    let noted = noted.await.expect(200);
    assert_eq!(noted["status"], json!("acknowledged"));
    assert_eq!(noted["acknowledged_by"], json!("token:a operator"));
    assert_eq!(noted["acknowledged_at"], json!(START));
    assert_eq!(noted["note"], body["note"]);
    world.clock.advance(SignedDuration::from_mins(1));
    let again = json!({ "note": "me too" });
    assert_eq!(world.post(&path, &again).await.expect(200), noted);
    assert_eq!(only(world).await, noted);
    let seen = world.call_as(Some(&viewer), Method::GET, "/api/alerts", None);
    let seen = seen.await.expect(200);
    assert_eq!(seen["alerts"][0]["acknowledged_by"], Value::Null);
    assert_eq!(seen["alerts"][0]["note"], body["note"]);
    let total = async |query: &str| {
        let path = format!("/api/audit?action=alert_acknowledged&{query}");
        world.get(&path).await.expect(200)["total"].clone()
    };
    assert_eq!(total("status=success").await, json!(1));
    assert_eq!(total("status=failed").await, json!(2));
    assert_eq!(
        total("status=intended").await,
        json!(3),
        "and not the viewer's"
    );
    world.clock.advance(SignedDuration::from_mins(16));
    let open = world.get("/api/audit/unfinished").await.expect(200);
    assert_eq!(open["count"], json!(0), "{open}");
}

#[tokio::test]
async fn an_acknowledgement_lasts_as_long_as_what_it_is_about() {
    let shop = Shop::new().await;
    let world = &shop.world;
    plant(&shop, 9, BackupStatus::Failed).await;
    let alert = only(world).await;
    // A body is not needed.
    let path = acknowledge(&alert);
    world
        .call_with(Method::POST, &path, &[], None)
        .await
        .expect(200);
    plant(&shop, 8, BackupStatus::Failed).await;
    assert_eq!(only(world).await["status"], json!("acknowledged"));
    plant(&shop, 7, BackupStatus::Completed).await;
    world.post(&path, &json!({})).await.expect(404);
    plant(&shop, 6, BackupStatus::Failed).await;
    let fresh = only(world).await;
    assert_eq!(fresh["status"], json!("open"), "it came again");
    world
        .post(&acknowledge(&fresh), &json!({}))
        .await
        .expect(200);
    let kept = &world.installation.repositories.acknowledgements;
    let kept = kept.list().await.unwrap().items;
    assert_eq!(kept.len(), 1, "what is over is forgotten");
    assert_eq!(kept[0].value.alert_id.as_str(), id(&fresh));
}

#[tokio::test]
async fn failures_whose_lines_are_deleted_are_told_no_more() {
    let shop = Shop::new().await;
    let failed = plant(&shop, 8, BackupStatus::Failed).await;
    only(&shop.world).await;
    let path = format!("/api/backups/{failed}");
    shop.world.delete(&path).await.expect(200);
    assert_eq!(listed(&shop.world, "").await, Vec::<Value>::new());
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_named_and_silence_is_not_all_well() {
    let shop = Shop::new().await;
    let world = &shop.world;
    plant(&shop, 8, BackupStatus::Failed).await;
    let table = TableName::new("databaseconfigs").unwrap();
    let odd = Entity::new(EntityKey::new("database", "odd"));
    let write = TableOperation::Replace(odd, Condition::None);
    let tables = &world.installation.storage.tables;
    tables.write(&table, write).await.unwrap();
    let answer = world.get("/api/alerts").await.expect(200);
    assert_eq!(answer["count"], json!(1));
    assert_eq!(answer["damaged"][0]["id"], json!("odd"));
    world
        .faults
        .tables_are_down
        .store(true, std::sync::atomic::Ordering::SeqCst);
    world.get("/api/alerts").await.expect(503);
}
