//! Connection tests.

use dilux_drivers::{Drivers, Tools};
use serde_json::{Value, json};

use crate::databases::flat;
use crate::engines::new_engine;
use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::world::World;

#[tokio::test]
async fn a_connection_test_is_answered_well_or_badly_but_always_answered() {
    let world = World::new().await;
    let id = engine(&world, "postgresql", "one").await;
    let path = format!("/api/engines/{id}/test");
    let good = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(good["success"], json!(true));
    assert_eq!(good["message"], json!("Connection successful"));
    assert_eq!(good["server_version"], json!("played 1.0"));
    assert!(good["latency_ms"].is_number());
    world
        .put(&format!("/api/engines/{id}"), &json!({"password": "wrong"}))
        .await
        .expect(200);
    let bad = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(bad["success"], json!(false));
    assert_eq!(bad["error_type"], json!("ConnectionFailed"));
}

#[tokio::test]
async fn a_type_without_driver_is_said_to_be_unsupported() {
    let drivers = Drivers::of(Vec::new(), Tools::default());
    let world = World::with_drivers(drivers).await;
    let created = world.post("/api/engines", &new_engine()).await.expect(201);
    assert!(
        created["note"].as_str().unwrap().contains("no driver"),
        "{created}"
    );
    let path = format!("/api/engines/{}/test", id(&created["engine"]));
    let test = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(test["success"], json!(false));
    assert_eq!(test["error_type"], json!("UnsupportedType"), "{test}");
}

#[tokio::test]
async fn an_azure_identity_without_a_user_name_is_kept_and_said_to_lack_one() {
    let world = World::new().await;
    for (host, method) in [("one", "managed_identity"), ("two", "azure_ad")] {
        let body =
            json!({"name": "x", "engine_type": "postgresql", "host": host, "auth_method": method});
        let created = world.post("/api/engines", &body).await.expect(201);
        assert_eq!(created["engine"]["auth_method"], json!(method));
        assert_eq!(created["engine"]["discovery_enabled"], json!(false));
        let id = id(&created["engine"]);
        for action in ["test", "discover"] {
            let answer = world
                .post(&format!("/api/engines/{id}/{action}"), &json!({}))
                .await
                .expect(400);
            assert!(
                answer["error"].as_str().unwrap().contains(method),
                "{answer}"
            );
        }
        let database = database(&world, &id, "shop").await;
        let answer = world
            .post(&format!("/api/databases/{database}/backup"), &json!({}))
            .await
            .expect(400);
        assert!(
            answer["error"].as_str().unwrap().contains("No username"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_stored_connection_is_tested_with_the_credentials_of_its_backups() {
    let world = World::new().await;
    let id = id(&world.post("/api/databases", &flat()).await.expect(201)["database"]);
    let path = format!("/api/databases/{id}/test");
    let good = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(good["success"], json!(true));
    assert_eq!(good["error_type"], Value::Null);
    assert!(good["duration_ms"].is_number());
    *world.server.databases.lock().unwrap() = vec![("other", false)];
    let bad = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(bad["success"], json!(false));
    assert_eq!(bad["message"], json!("there is no such database"));
    world
        .post("/api/databases/none/test", &json!({}))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_form_is_tested_with_its_own_credentials_or_the_stored_ones() {
    let world = World::new().await;
    let path = "/api/databases/test-connection";
    let mut form = json!({
        "database_type": "postgresql", "host": "pg", "port": 5432, "database_name": "x",
        "username": "u", "password": PASSWORD,
    });
    let good = world.post(path, &form).await.expect(200);
    assert_eq!(good["success"], json!(true));
    form["password"] = json!("bad");
    let bad = world.post(path, &form).await.expect(200);
    assert_eq!(bad["error_type"], json!("ConnectionFailed"));
    assert!(!bad["message"].as_str().unwrap().contains("bad"), "{bad}");
    let engine = engine(&world, "postgresql", "pg").await;
    let stored = json!({
        "database_type": "postgresql", "host": "PG", "port": 5432, "database_name": "x",
        "engine_id": engine, "use_engine_credentials": true,
    });
    assert_eq!(
        world.post(path, &stored).await.expect(200)["success"],
        json!(true)
    );
    let mut body = stored.clone();
    body["engine_id"] = json!("none");
    world.post(path, &body).await.expect(404);
    for (body, expected) in [
        (
            json!({}),
            vec![
                "database_name",
                "database_type",
                "host",
                "password",
                "port",
                "username",
            ],
        ),
        (
            json!({"database_type": "mysql", "use_engine_credentials": true}),
            vec!["database_name", "engine_id", "host", "port"],
        ),
    ] {
        assert_eq!(world.post(path, &body).await.refused_fields(), expected);
    }
}

/// Else whoever may call the API could have the password sent to a host of their own.
#[tokio::test]
async fn stored_credentials_are_sent_to_the_stored_host_only() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let path = "/api/databases/test-connection";
    for (field, value) in [
        ("host", json!("evil.example")),
        ("port", json!(5433)),
        ("database_type", json!("mysql")),
    ] {
        let mut form = json!({
            "database_type": "postgresql", "host": "pg", "port": 5432, "database_name": "x",
            "engine_id": engine, "use_engine_credentials": true,
        });
        form[field] = value;
        assert_eq!(world.post(path, &form).await.refused_fields(), [field]);
    }
    assert!(world.server.visits.lock().unwrap().is_empty());
}
