//! What the Python product's dashboard sends that no recorded example holds.

use dilux_api::openapi;
use dilux_core::model::{BackupStatus, DeadLetterReason};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::dead_letters::set_aside;
use crate::seeds::{Seed, database, engine};
use crate::server::PASSWORD;
use crate::world::{START, World};

/// Reading routes that list, with each of their documented query parameters left empty.
fn lists_with_empty_filters() -> Vec<(String, String)> {
    let document = serde_json::to_value(openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut lists = Vec::new();
    for (path, item) in paths {
        let parameters = item["get"]["parameters"].as_array();
        let names: Vec<&str> = parameters
            .into_iter()
            .flatten()
            .filter(|it| it["in"] == "query" && it["required"] == false)
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        let is_json = item["get"]["responses"]["200"]["content"]["application/json"].is_object();
        let needs_more = parameters
            .into_iter()
            .flatten()
            .any(|it| it["required"] == true);
        if !names.is_empty() && is_json && !needs_more {
            let empty: Vec<String> = names.iter().map(|name| format!("{name}=")).collect();
            lists.push((path.clone(), format!("{path}?{}", empty.join("&"))));
        }
    }
    lists
}

#[tokio::test]
async fn an_empty_filter_is_no_filter() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let shop = database(&world, &engine, "shop").await;
    let seed = Seed {
        database: &shop,
        engine: &engine,
        label: "shop",
        at: START.parse().unwrap(),
        status: BackupStatus::Completed,
        data: b"data",
    };
    let backup = seed.plant(&world).await;
    let wish = json!({ "backup_id": backup.as_str() });
    world.post("/api/restores", &wish).await.expect(202);
    let body = json!({ "email": "ann@example.com" });
    world.post("/api/users", &body).await.expect(201);
    // For the alerts.
    let broken = database(&world, &engine, "broken").await;
    for minutes in [1, 2] {
        let failed = Seed {
            database: &broken,
            label: "broken",
            at: seed.at - SignedDuration::from_mins(minutes),
            status: BackupStatus::Failed,
            ..seed
        };
        failed.plant(&world).await;
    }
    let letter = DeadLetterReason::Unreadable;
    set_aside(&world, "no message of ours", letter, None).await;
    let token = json!({ "name": "a program", "role": "viewer" });
    world.post("/api/tokens", &token).await.expect(201);
    // The result of this one is not noted.
    world.faults.break_table("auditlogs");
    world.post("/api/tokens", &token).await.expect(201);
    world.faults.mend();
    world.clock.advance(SignedDuration::from_mins(16));
    let lists = lists_with_empty_filters();
    assert!(lists.len() >= 4, "{lists:?}");
    for (plain, filtered) in lists {
        let expected = world.get(&plain).await.expect(200);
        let lists: Vec<&Value> = expected
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, value)| *key != "damaged" && value.is_array())
            .map(|(_, value)| value)
            .collect();
        assert!(lists.iter().all(|list| list[0].is_object()), "{expected}");
        assert_eq!(
            world.get(&filtered).await.expect(200),
            expected,
            "{filtered}"
        );
    }
}

#[tokio::test]
async fn forms_come_with_all_their_fields_and_the_unused_ones_empty() {
    let world = World::new().await;
    let form = json!({
        "name": "New", "engine_type": "postgresql", "host": "pg.example.com", "port": 5432,
        "auth_method": "", "username": "", "password": "", "policy_id": "",
        "discover_databases": false,
    });
    world.post("/api/engines", &form).await.expect(201);
    let engine = engine(&world, "mysql", "one").await;
    let form = json!({
        "name": "Shop", "database_type": "mysql", "host": "one", "port": 3306,
        "database_name": "shop", "username": "", "password": "", "policy_id": "",
        "use_engine_policy": true, "engine_id": engine, "use_engine_credentials": true,
        "enabled": true, "compression": true,
    });
    let test = world.post("/api/databases/test-connection", &form).await;
    assert_eq!(test.expect(200)["success"], json!(true));
    let created = world.post("/api/databases", &form).await.expect(201);
    let id = created["database"]["id"].as_str().unwrap();
    let mut edited = form.clone();
    edited["name"] = json!("Shop 2");
    let path = format!("/api/databases/{id}");
    let edited = world.put(&path, &edited).await.expect(200);
    assert_eq!(edited["database"]["name"], json!("Shop 2"));
    assert_eq!(edited["database"]["use_engine_policy"], json!(true));
    let visits = world.server.visits.lock().unwrap().clone();
    assert_eq!(visits, [("one:3306".to_owned(), PASSWORD.to_owned())]);
}

#[tokio::test]
async fn the_form_of_a_policy_comes_with_all_tiers_and_all_their_fields() {
    let world = World::new().await;
    let tier = json!({
        "enabled": false, "keep_count": 0, "interval_hours": 1, "time": "02:00",
        "day_of_week": 0, "day_of_month": 1, "month": 1,
    });
    let mut form = json!({
        "name": "New", "hourly": tier, "daily": tier, "weekly": tier, "monthly": tier,
        "yearly": tier,
    });
    form["weekly"]["enabled"] = json!(true);
    form["weekly"]["keep_count"] = json!(4);
    form["weekly"]["day_of_week"] = json!(5);
    let made = world.post("/api/backup-policies", &form).await.expect(201);
    form["name"] = json!("New 2");
    let path = "/api/backup-policies/new";
    let edited = world.put(path, &form).await.expect(200);
    for answer in [made, edited] {
        for tier in ["hourly", "daily", "weekly", "monthly", "yearly"] {
            assert_eq!(answer["policy"][tier], form[tier], "{tier}");
        }
    }
}
