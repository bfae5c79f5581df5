//! Registering databases.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::world::World;

pub(crate) fn flat() -> Value {
    json!({
        "name": "Orders", "database_type": "postgresql", "host": "pg.example.com", "port": 5432,
        "database_name": "orders", "username": "orders_backup", "password": PASSWORD,
        "tags": {"env": "prod"},
    })
}

/// The body "manual, new engine" of the design document, its policy apart.
fn nested_on_new_engine() -> Value {
    json!({
        "engine": {
            "name": "Staging Server", "engine_type": "postgresql",
            "host": "staging.db.com", "port": 5432,
        },
        "database": {
            "name": "app_db", "alias": "Staging App DB", "use_engine_credentials": false,
            "auth_method": "user_password", "username": "app_user", "password": PASSWORD,
            "backup_policy_id": "production-critical",
        },
    })
}

pub(crate) async fn stored_password(world: &World, database: &str) -> Option<String> {
    world.password(&format!("dilux-db-{database}")).await
}

async fn counts(world: &World) -> (usize, usize, usize) {
    let repositories = &world.installation.repositories;
    (
        repositories.engines.list().await.unwrap().items.len(),
        repositories.databases.list().await.unwrap().items.len(),
        world.passwords().await,
    )
}

#[tokio::test]
async fn the_flat_body_registers_the_engine_too_without_credentials() {
    let world = World::new().await;
    let answer = world.post("/api/databases", &flat()).await;
    let tag = answer.header("etag").to_owned();
    let created = answer.expect(201);
    insta::assert_json_snapshot!("database_created_flat", created);
    let id = id(&created["database"]);
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
    let engine = created["database"]["engine_id"].as_str().unwrap();
    let engine = world
        .get(&format!("/api/engines/{engine}"))
        .await
        .expect(200);
    assert_eq!(engine["name"], json!("PostgreSQL - pg.example.com"));
    assert_eq!(engine["auth_method"], Value::Null);
    assert_eq!(engine["discovery_enabled"], json!(false));
    assert_eq!(engine["database_count"], json!(1));
    let read = world.get(&format!("/api/databases/{id}")).await;
    assert_eq!(read.header("etag"), tag);
    insta::assert_json_snapshot!("database_read", read.expect(200));
    let listed = world.get("/api/databases").await.expect(200);
    insta::assert_json_snapshot!("databases_listed", listed);
}

#[tokio::test]
async fn a_second_database_at_the_same_address_joins_the_engine() {
    let world = World::new().await;
    let first = world.post("/api/databases", &flat()).await.expect(201);
    let mut body = flat();
    body["database_name"] = json!("crm");
    body["host"] = json!("PG.example.com");
    let second = world.post("/api/databases", &body).await.expect(201);
    assert_eq!(
        first["database"]["engine_id"],
        second["database"]["engine_id"]
    );
    assert_eq!(counts(&world).await, (1, 2, 2));
}

#[tokio::test]
async fn both_nested_bodies_of_the_design_document_are_taken() {
    let world = World::new().await;
    let created = world
        .post("/api/databases", &nested_on_new_engine())
        .await
        .expect(201);
    insta::assert_json_snapshot!("database_created_on_new_engine", created);
    let engine = engine(&world, "mysql", "mysql.example.com").await;
    let body = json!({
        "engine_id": engine,
        "database": {
            "name": "new_db", "alias": "New Database", "use_engine_credentials": true,
            "backup_policy_id": "development",
        },
    });
    let created = world.post("/api/databases", &body).await.expect(201);
    insta::assert_json_snapshot!("database_created_on_engine", created);
    // An engine may bring its own credentials, and a database without any inherits them.
    let body = json!({
        "engine": {"name": "x", "engine_type": "mysql", "host": "other", "username": "u", "password": "p"},
        "database": {"name": "d"},
    });
    let created = world.post("/api/databases", &body).await.expect(201);
    assert_eq!(created["database"]["use_engine_credentials"], json!(true));
    assert_eq!(created["database"]["username"], json!("u"));
    assert_eq!(created["database"]["name"], json!("d"));
}

#[tokio::test]
async fn a_described_engine_that_is_there_is_joined_unless_it_brings_other_credentials() {
    let world = World::new().await;
    world
        .post("/api/databases", &nested_on_new_engine())
        .await
        .expect(201);
    let mut body = nested_on_new_engine();
    body["database"]["name"] = json!("second");
    world.post("/api/databases", &body).await.expect(201);
    assert_eq!(counts(&world).await, (1, 2, 2));
    body["database"]["name"] = json!("third");
    body["engine"]["username"] = json!("u");
    let refused = world.post("/api/databases", &body).await.expect(400);
    assert!(
        refused["error"].as_str().unwrap().contains("engine_id"),
        "{refused}"
    );
    assert_eq!(counts(&world).await, (1, 2, 2));
}

#[tokio::test]
async fn when_the_database_cannot_be_saved_its_new_engine_and_passwords_go_again() {
    let world = World::new().await;
    let mut body = nested_on_new_engine();
    body["engine"]["username"] = json!("u");
    body["engine"]["password"] = json!("p");
    world.faults.break_partition("databaseconfigs", "database");
    world.post("/api/databases", &body).await.expect(503);
    world.post("/api/databases", &flat()).await.expect(503);
    world.faults.mend();
    world.clean_secrets().await;
    assert_eq!(counts(&world).await, (0, 0, 0));
    world.faults.secrets_are_down.store(true, Ordering::SeqCst);
    world.post("/api/databases", &flat()).await.expect(503);
    world.faults.mend();
    assert_eq!(counts(&world).await, (0, 0, 0));
    world.post("/api/databases", &body).await.expect(201);
}

#[tokio::test]
async fn a_name_is_registered_once_for_each_engine() {
    let world = World::new().await;
    let first = engine(&world, "mysql", "one").await;
    let second = engine(&world, "mysql", "two").await;
    database(&world, &first, "shop").await;
    database(&world, &second, "shop").await;
    let other = database(&world, &first, "Shop").await;
    let again = json!({"engine_id": first, "database": {"name": "shop", "alias": "again"}});
    world.post("/api/databases", &again).await.expect(400);
    let renamed = world
        .put(
            &format!("/api/databases/{other}"),
            &json!({"database_name": "shop"}),
        )
        .await;
    renamed.expect(400);
    let same = world
        .put(
            &format!("/api/databases/{other}"),
            &json!({"database_name": "Shop"}),
        )
        .await;
    same.expect(200);
}

#[tokio::test]
async fn every_bad_field_of_a_new_database_is_named_at_once() {
    let world = World::new().await;
    let flat_bad = json!({
        "id": "my-own", "name": " ", "database_type": "azure_sql", "host": "", "port": 0,
        "database_name": "a\u{0}b", "username": "a\nb", "password": {}, "enabled": "yes",
        "policy_id": "../x", "tags": {"n": 1}, "compression": "lzma",
        "backup_destination": "../else", "use_engine_credentials": 0,
    });
    let fields = world
        .post("/api/databases", &flat_bad)
        .await
        .refused_fields();
    let expected = [
        "backup_destination",
        "compression",
        "database_name",
        "database_type",
        "enabled",
        "host",
        "id",
        "name",
        "password",
        "policy_id",
        "port",
        "tags",
        "use_engine_credentials",
        "username",
    ];
    assert_eq!(fields, expected);
    assert_eq!(counts(&world).await, (0, 0, 0));
}

#[tokio::test]
async fn a_new_database_lacks_nothing_whichever_body_it_comes_in() {
    let world = World::new().await;
    for (body, expected) in [
        (
            json!({}),
            vec!["database_name", "database_type", "host", "name", "port"],
        ),
        (
            json!({"engine_id": "none", "name": "x"}),
            vec!["database_name"],
        ),
        (
            json!({"engine_id": "a/b", "name": "x", "database_name": "x"}),
            vec!["engine_id"],
        ),
        (
            json!({"engine": {}, "database": {}}),
            vec![
                "database.name",
                "engine.engine_type",
                "engine.host",
                "engine.name",
            ],
        ),
        (
            json!({"engine": 1, "database": 2}),
            vec!["database", "engine"],
        ),
        (json!({"database": {"name": "x"}}), vec!["engine_id"]),
        (
            json!({"engine_id": "x", "engine": {}, "database": {"name": "x"}}),
            vec!["engine_id"],
        ),
        (json!({"engine_id": "x"}), vec!["database_name", "name"]),
    ] {
        let fields = world.post("/api/databases", &body).await.refused_fields();
        assert_eq!(fields, expected, "{body}");
    }
    assert_eq!(counts(&world).await, (0, 0, 0));
}

#[tokio::test]
async fn what_a_new_database_refers_to_must_exist_and_agree() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    let base = json!({"engine_id": engine, "name": "x", "database_name": "x"});
    for (field, value, refused) in [
        ("engine_id", json!("no-such-engine"), "engine_id"),
        ("policy_id", json!("no-such-policy"), "policy_id"),
        ("host", json!("other"), "host"),
        ("port", json!(1), "port"),
        ("database_type", json!("postgresql"), "database_type"),
    ] {
        let mut body = base.clone();
        body[field] = value;
        assert_eq!(
            world.post("/api/databases", &body).await.refused_fields(),
            [refused]
        );
    }
    for (extra, refused) in [
        (
            json!({"use_engine_credentials": true, "password": "x"}),
            "password",
        ),
        (
            json!({"backup_policy_id": "development", "policy_id": "production-critical"}),
            "backup_policy_id",
        ),
        (
            json!({"compression": false, "compression_method": "gzip"}),
            "compression_method",
        ),
        (
            json!({"compression": "zstd", "compression_method": "gzip"}),
            "compression_method",
        ),
        (
            json!({"connection_string": "Server=x;Pasword=y"}),
            "connection_string",
        ),
    ] {
        let mut body = base.clone();
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        assert_eq!(
            world.post("/api/databases", &body).await.refused_fields(),
            [refused]
        );
    }
    assert_eq!(counts(&world).await, (1, 0, 1));
}

#[tokio::test]
async fn compression_is_a_flag_or_a_method_and_defaults_to_the_settings() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    for (number, (extra, expected)) in [
        (json!({}), "gzip"),
        (json!({"compression": true}), "gzip"),
        (json!({"compression": false}), "none"),
        (json!({"compression": "zstd"}), "zstd"),
        (
            json!({"compression": true, "compression_method": "zstd"}),
            "zstd",
        ),
        (json!({"compression_method": "none"}), "none"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body =
            json!({"engine_id": engine, "name": "x", "database_name": format!("d{number}")});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let created = world.post("/api/databases", &body).await.expect(201)["database"].clone();
        assert_eq!(created["compression_method"], json!(expected), "{extra}");
        assert_eq!(created["compression"], json!(expected != "none"));
        if expected == "zstd" {
            let path = format!("/api/databases/{}", id(&created));
            let kept = world
                .put(&path, &json!({"compression": true}))
                .await
                .expect(200);
            assert_eq!(kept["database"]["compression_method"], json!("zstd"));
        }
    }
}
