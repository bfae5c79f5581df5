//! Discovery and import.

use serde_json::{Value, json};

use crate::engines::new_engine;
use crate::seeds::{database, engine, id};
use crate::world::World;

#[tokio::test]
async fn a_discovery_says_what_is_registered_what_is_new_and_what_is_gone() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let shop = database(&world, &engine, "shop").await;
    let gone = database(&world, &engine, "gone").await;
    *world.server.databases.lock().unwrap() =
        vec![("shop", false), ("postgres", true), ("new", false)];
    let found = world
        .post(&format!("/api/engines/{engine}/discover"), &json!({}))
        .await
        .expect(200);
    assert_eq!(found["engine_id"], json!(engine));
    assert_eq!(found["engine_name"], json!("postgresql at one"));
    let entry = |name: &str, existing: Option<&str>, is_system: bool, missing: bool| {
        json!({"name": name, "exists": existing.is_some(), "existing_id": existing,
               "is_system": is_system, "system": is_system, "missing": missing})
    };
    let expected = [
        entry("new", None, false, false),
        entry("postgres", None, true, false),
        entry("shop", Some(&shop), false, false),
        entry("gone", Some(&gone), false, true),
    ];
    assert_eq!(found["databases"], json!(expected));
    let read = world
        .get(&format!("/api/engines/{engine}"))
        .await
        .expect(200);
    assert_eq!(read["last_discovery"], json!("2026-01-31T12:00:00Z"));
}

#[tokio::test]
async fn a_failed_discovery_is_said_and_not_noted_as_one() {
    let world = World::new().await;
    let mut body = new_engine();
    body["password"] = json!("wrong");
    body["discover_databases"] = json!(true);
    let created = world.post("/api/engines", &body).await.expect(201);
    assert!(
        created["discovery_error"]
            .as_str()
            .unwrap()
            .contains("refused user"),
        "{created}"
    );
    assert!(created.get("discovered_databases").is_none());
    let id = id(&created["engine"]);
    database(&world, &id, "registered").await;
    let failed = world
        .post(&format!("/api/engines/{id}/discover"), &json!({}))
        .await
        .expect(400);
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .starts_with("Failed to discover databases")
    );
    let read = world.get(&format!("/api/engines/{id}")).await.expect(200);
    assert_eq!(read["last_discovery"], Value::Null);
}

#[tokio::test]
async fn registering_with_discovery_answers_the_databases() {
    let world = World::new().await;
    *world.server.databases.lock().unwrap() = vec![("orders_db", false), ("mysql", true)];
    let mut body = new_engine();
    body["discover_databases"] = json!(true);
    let created = world.post("/api/engines", &body).await.expect(201);
    let names: Vec<&Value> = created["discovered_databases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| &found["name"])
        .collect();
    assert_eq!(names, ["mysql", "orders_db"]);
}

#[tokio::test]
async fn an_import_registers_the_good_entries_and_names_the_bad_ones() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    let path = format!("/api/engines/{engine}/databases");
    let body = json!({"databases": [
        {"name": "orders", "alias": "Orders DB", "policy_id": "production-critical"},
        "plain", {"name": 7}, {"alias": "nameless"}, {"name": "plain"},
        {"name": "x", "policy_id": "no-such-policy"},
    ]});
    let imported = world.post(&path, &body).await.expect(201);
    assert_eq!(imported["total_created"], json!(2));
    assert_eq!(imported["total_errors"], json!(4));
    assert_eq!(imported["created"][0]["name"], json!("Orders DB"));
    assert_eq!(
        imported["created"][0]["use_engine_credentials"],
        json!(true)
    );
    assert_eq!(
        imported["created"][1]["policy_id"],
        json!("production-standard")
    );
    assert_eq!(imported["errors"][0]["database"], json!(7));
    assert_eq!(imported["errors"][1]["database"], Value::Null);
    assert!(
        imported["errors"]
            .as_array()
            .unwrap()
            .iter()
            .all(|error| error["error"].is_string())
    );
    let none = world
        .post(&path, &json!({"databases": [{"name": 7}]}))
        .await
        .expect(400);
    assert_eq!(
        (&none["total_created"], &none["total_errors"]),
        (&json!(0), &json!(1))
    );
    world
        .post(&path, &json!({"databases": []}))
        .await
        .expect(400);
    world.post(&path, &json!({})).await.expect(400);
    assert_eq!(
        world
            .post(&path, &json!({"databases": "x"}))
            .await
            .refused_fields(),
        ["databases"]
    );
    world
        .post("/api/engines/none/databases", &body)
        .await
        .expect(404);
}

#[tokio::test]
async fn an_import_with_own_credentials_copies_those_of_the_engine() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    let body = json!({"databases": ["orders"], "use_engine_credentials": false});
    let imported = world
        .post(&format!("/api/engines/{engine}/databases"), &body)
        .await
        .expect(201);
    let database = &imported["created"][0];
    assert_eq!(database["use_engine_credentials"], json!(false));
    assert_eq!(database["username"], json!("backup"));
    world
        .put(
            &format!("/api/engines/{engine}"),
            &json!({"password": "changed"}),
        )
        .await
        .expect(200);
    let path = format!("/api/databases/{}/test", id(database));
    let test = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(
        test["success"],
        json!(true),
        "the copy did not change with the original"
    );
}
