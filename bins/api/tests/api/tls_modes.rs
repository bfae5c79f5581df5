//! TLS modes of engines: shown, changed by admins alone, and in force wherever the API connects.

use axum::http::Method;
use dilux_core::model::TlsMode;
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation, Value as Cell};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::who_may::token;
use crate::world::World;

async fn mode(world: &World, engine: &str) -> Value {
    let read = world.get(&format!("/api/engines/{engine}")).await;
    read.expect(200)["tls_mode"].clone()
}

/// How the connections since the last call were to be protected.
fn modes(world: &World) -> Vec<TlsMode> {
    std::mem::take(&mut *world.server.modes.lock().unwrap())
}

async fn strict_engine(world: &World) -> String {
    let body = json!({
        "name": "Sales", "engine_type": "postgresql", "host": "pg", "tls_mode": "verify-full",
        "username": "backup", "password": PASSWORD,
    });
    id(&world.post("/api/engines", &body).await.expect(201)["engine"])
}

/// What the audit log says of the newest change.
async fn newest_details(world: &World, action: &str) -> Value {
    let path = format!("/api/audit?action={action}&limit=1");
    world.get(&path).await.expect(200)["logs"][0]["details"].clone()
}

#[tokio::test]
async fn an_engine_says_how_its_connections_are_protected() {
    let world = World::new().await;
    let usual = engine(&world, "postgresql", "usual").await;
    assert_eq!(mode(&world, &usual).await, json!("prefer"));
    for wanted in ["prefer", "require", "verify-full"] {
        let body = json!({
            "name": "e", "engine_type": "mysql", "host": wanted, "tls_mode": wanted,
        });
        let created = world.post("/api/engines", &body).await.expect(201);
        assert_eq!(created["engine"]["tls_mode"], json!(wanted));
        assert_eq!(mode(&world, &id(&created["engine"])).await, json!(wanted));
    }
    for wrong in [json!("disable"), json!("verify-ca"), json!(true), json!("")] {
        let body = json!({
            "name": "e", "engine_type": "mysql", "host": "other", "tls_mode": wrong,
        });
        let answer = world.post("/api/engines", &body).await;
        if wrong == json!("") {
            assert_eq!(answer.expect(201)["engine"]["tls_mode"], json!("prefer"));
        } else {
            assert_eq!(answer.refused_fields(), ["tls_mode"], "{wrong}");
        }
    }
}

#[tokio::test]
async fn a_mode_is_changed_by_admins_alone_and_the_audit_log_says_from_what_to_what() {
    let world = World::new().await;
    let engine = strict_engine(&world).await;
    let path = format!("/api/engines/{engine}");
    let weaker = json!({ "tls_mode": "prefer" });
    for role in ["viewer", "operator"] {
        let token = token(&world, role, &[]).await;
        for path in [path.clone(), format!("{path}/credentials")] {
            let answer = world
                .call_as(Some(&token), Method::PUT, &path, Some(&weaker))
                .await;
            answer.is(403);
        }
    }
    assert_eq!(mode(&world, &engine).await, json!("verify-full"));
    for (before, after) in [("verify-full", "require"), ("require", "prefer")] {
        world.clock.advance(SignedDuration::from_secs(1));
        let change = json!({ "tls_mode": after });
        let changed = world.put(&path, &change).await.expect(200);
        assert_eq!(changed["engine"]["tls_mode"], json!(after));
        let details = newest_details(&world, "update").await;
        assert_eq!(details["updated_fields"], json!(["tls_mode"]));
        assert_eq!(
            details["tls_mode"],
            json!({ "before": before, "after": after })
        );
    }
    let renamed = world.put(&path, &json!({ "name": "Renamed" })).await;
    assert_eq!(renamed.expect(200)["engine"]["tls_mode"], json!("prefer"));
    let answer = world.put(&path, &json!({ "tls_mode": null })).await;
    assert_eq!(answer.refused_fields(), ["tls_mode"]);
}

#[tokio::test]
async fn every_connection_of_an_engine_and_its_databases_is_protected_by_its_mode() {
    let world = World::new().await;
    let engine = strict_engine(&world).await;
    let inheriting = database(&world, &engine, "one").await;
    let body = json!({ "engine_id": engine, "database": {
        "name": "two", "username": "own", "password": PASSWORD,
    } });
    let own = id(&world.post("/api/databases", &body).await.expect(201)["database"]);
    for path in [
        format!("/api/engines/{engine}/test"),
        format!("/api/engines/{engine}/discover"),
        format!("/api/databases/{inheriting}/test"),
        format!("/api/databases/{own}/test"),
    ] {
        world.post(&path, &json!({})).await.expect(200);
        assert_eq!(modes(&world), [TlsMode::VerifyFull], "{path}");
    }
    let apply = json!({ "database_ids": [own] });
    let path = format!("/api/engines/{engine}/apply-credentials");
    world.post(&path, &apply).await.expect(200);
    assert_eq!(modes(&world), [TlsMode::VerifyFull]);
    let other = crate::seeds::engine(&world, "postgresql", "pg2").await;
    let moved = json!({ "engine_id": other });
    let path = format!("/api/databases/{inheriting}");
    world.put(&path, &moved).await.expect(200);
    assert_eq!(
        modes(&world),
        [TlsMode::Prefer],
        "the mode of where it goes"
    );
    let moved = json!({ "engine_id": engine });
    world.put(&path, &moved).await.expect(200);
    assert_eq!(modes(&world), [TlsMode::VerifyFull]);
}

#[tokio::test]
async fn a_form_is_tested_as_it_says_and_never_less_protected_than_its_engine() {
    let world = World::new().await;
    let engine = strict_engine(&world).await;
    let test = "/api/databases/test-connection";
    let stored = json!({
        "database_type": "postgresql", "host": "pg", "port": 5432, "database_name": "shop",
        "use_engine_credentials": true, "engine_id": engine, "tls_mode": "prefer",
    });
    let typed = json!({
        "database_type": "postgresql", "host": "PG", "port": 5432, "database_name": "shop",
        "username": "backup", "password": PASSWORD,
    });
    for form in [stored, typed.clone()] {
        world.post(test, &form).await.expect(200);
        assert_eq!(modes(&world), [TlsMode::VerifyFull], "{form}");
    }
    for (said, mode) in [("prefer", TlsMode::Prefer), ("require", TlsMode::Require)] {
        let mut form = typed.clone();
        form["host"] = json!("elsewhere");
        form["tls_mode"] = json!(said);
        world.post(test, &form).await.expect(200);
        assert_eq!(modes(&world), [mode]);
    }
    let form = json!({
        "connection_string": "postgresql://backup:open%20sesame@other:5432/shop?sslmode=require",
    });
    world.post(test, &form).await.expect(200);
    assert_eq!(modes(&world), [TlsMode::Require]);
}

#[tokio::test]
async fn a_mode_sent_with_credentials_is_tried_before_it_is_kept() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    world.server.untrusted.lock().unwrap().push("pg");
    let path = format!("/api/engines/{engine}/credentials");
    let strict = json!({ "tls_mode": "verify-full" });
    let refused = world.put(&path, &strict).await.expect(400);
    let words = refused["error"].as_str().unwrap();
    assert!(words.contains("nothing was changed"), "{words}");
    assert!(words.contains("not trusted"), "{words}");
    assert_eq!(mode(&world, &engine).await, json!("prefer"));
    let test = format!("/api/engines/{engine}/test");
    let plain = world.post(&test, &json!({})).await.expect(200);
    assert_eq!(plain["success"], json!(true));
    world.server.untrusted.lock().unwrap().clear();
    let changed = world.put(&path, &strict).await.expect(200);
    assert_eq!(changed["engine"]["tls_mode"], json!("verify-full"));
    let details = newest_details(&world, "engine_credentials_updated").await;
    assert_eq!(details["updated_fields"], json!(["tls_mode"]));
    let change = json!({ "before": "prefer", "after": "verify-full" });
    assert_eq!(details["tls_mode"], change);
    world.server.untrusted.lock().unwrap().push("pg");
    let failed = world.post(&test, &json!({})).await.expect(200);
    assert_eq!(failed["error_type"], json!("ConnectionFailed"), "{failed}");
}

#[tokio::test]
async fn a_connection_string_that_insists_becomes_the_mode_of_its_engine() {
    for (words, mode) in [
        ("sslmode=prefer", "prefer"),
        ("sslmode=require", "require"),
        ("sslmode=verify-ca", "verify-full"),
        ("sslmode=verify-full", "verify-full"),
        ("ssl=true", "verify-full"),
    ] {
        let world = World::new().await;
        let text = format!("postgresql://backup:open%20sesame@pg/shop?{words}");
        let body = json!({ "name": "e", "connection_string": text });
        let created = world.post("/api/engines", &body).await.expect(201);
        assert_eq!(created["engine"]["tls_mode"], json!(mode), "{words}");
        let engine = id(&created["engine"]);
        // What says less than the engine demands is satisfied; what says more is not.
        let less = json!({ "engine_id": engine, "database": {
            "name": "shop", "connection_string": text,
        } });
        world.post("/api/databases", &less).await.expect(201);
    }
    let world = World::new().await;
    let weak = engine(&world, "postgresql", "pg").await;
    let present = database(&world, &weak, "present").await;
    let text = "postgresql://backup:open%20sesame@pg:5432/shop?sslmode=require";
    let flat = json!({ "name": "Shop", "connection_string": text });
    let nested = json!({ "engine_id": weak, "database": {
        "name": "shop", "connection_string": text,
    } });
    let described = json!({
        "engine": { "name": "e", "engine_type": "postgresql", "host": "pg", "tls_mode": "require" },
        "database": { "name": "shop" },
    });
    for body in [flat, nested, described] {
        let answer = world.post("/api/databases", &body).await;
        assert_eq!(answer.refused_fields(), ["tls_mode"], "{body}");
    }
    let path = format!("/api/databases/{present}");
    let change = json!({ "tls_mode": "require" });
    assert_eq!(
        world.put(&path, &change).await.refused_fields(),
        ["tls_mode"]
    );
    let path = format!("/api/engines/{weak}");
    let change = json!({ "connection_string": text });
    world.put(&path, &change).await.expect(200);
    assert_eq!(mode(&world, &weak).await, json!("require"));
    let contradiction = json!({ "connection_string": text, "tls_mode": "prefer" });
    let answer = world.put(&path, &contradiction).await;
    assert_eq!(answer.refused_fields(), ["tls_mode"]);
}

#[tokio::test]
async fn a_database_brings_its_new_engine_the_mode_that_it_insists_on() {
    let text = "postgresql://backup:open%20sesame@pg:5432/shop?sslmode=verify-full";
    for body in [
        json!({ "name": "Shop", "connection_string": text }),
        json!({
            "name": "Shop", "database_type": "postgresql", "host": "pg", "port": 5432,
            "database_name": "shop", "tls_mode": "verify-full",
        }),
        json!({
            "engine": { "name": "e", "engine_type": "postgresql", "host": "pg" },
            "database": { "name": "shop", "connection_string": text },
        }),
        json!({
            "engine": { "name": "e", "connection_string": text }, "database": { "name": "shop" },
        }),
    ] {
        let world = World::new().await;
        let created = world.post("/api/databases", &body).await.expect(201);
        let engine = created["database"]["engine_id"].as_str().unwrap();
        assert_eq!(mode(&world, engine).await, json!("verify-full"), "{body}");
    }
}

#[tokio::test]
async fn a_configuration_carries_the_mode_and_one_without_it_leaves_it() {
    let world = World::new().await;
    let engine = strict_engine(&world).await;
    let document = world.get("/api/configuration/export").await.expect(200);
    assert_eq!(document["engines"][0]["tls_mode"], json!("verify-full"));
    let new = World::new().await;
    new.post("/api/configuration/import", &document)
        .await
        .expect(200);
    assert_eq!(mode(&new, &engine).await, json!("verify-full"));

    let mut silent = document.clone();
    silent["engines"][0]
        .as_object_mut()
        .unwrap()
        .remove("tls_mode");
    let import = "/api/configuration/import";
    new.post(import, &silent).await.expect(200);
    assert_eq!(mode(&new, &engine).await, json!("verify-full"));
    let mut weaker = document;
    weaker["engines"][0]["tls_mode"] = json!("prefer");
    let dry = new.post(&format!("{import}?dry_run=true"), &weaker).await;
    let items = dry.expect(200)["items"].clone();
    let items = items.as_array().unwrap();
    let item = items.iter().find(|item| item["kind"] == json!("engine"));
    assert_eq!(item.unwrap()["fields"], json!(["tls_mode"]));
    assert_eq!(mode(&new, &engine).await, json!("verify-full"));
    new.clock.advance(SignedDuration::from_secs(1));
    new.post(import, &weaker).await.expect(200);
    assert_eq!(mode(&new, &engine).await, json!("prefer"));
    let details = newest_details(&new, "update").await;
    let change = json!({ "before": "verify-full", "after": "prefer" });
    assert_eq!(details["tls_mode"], change);
}

#[tokio::test]
async fn a_row_without_a_mode_means_the_usual_one_and_an_unknown_mode_is_not_taken_for_it() {
    let world = World::new().await;
    let text = |text: &str| Cell::String(text.to_owned());
    for (id, mode) in [("old", None), ("odd", Some("verify-some"))] {
        let mut row = Entity::new(EntityKey::new("engine", id))
            .with("name", text(id))
            .with("engine_type", text("postgresql"))
            .with("host", text(id))
            .with("port", Cell::I32(5432))
            .with("created_at", text("2025-01-31T12:00:00Z"))
            .with("updated_at", text("2025-01-31T12:00:00Z"));
        if let Some(mode) = mode {
            row = row.with("tls_mode", text(mode));
        }
        let table = TableName::new("databaseconfigs").unwrap();
        let write = TableOperation::Replace(row, Condition::None);
        let tables = &world.installation.storage.tables;
        tables.write(&table, write).await.unwrap();
    }
    let listed = world.get("/api/engines").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["items"][0]["id"], json!("old"));
    assert_eq!(listed["items"][0]["tls_mode"], json!("prefer"));
    assert_eq!(listed["damaged"].as_array().unwrap().len(), 1, "{listed}");
    assert!(listed["damaged"].to_string().contains("tls_mode"));
    world.get("/api/engines/odd").await.is(500);
}
