//! Credentials of engines: changed after a test, handed on to chosen databases, never half.

use std::sync::atomic::Ordering;

use axum::http::Method;
use serde_json::{Value, json};

use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::world::World;

async fn own(world: &World, engine: &str, name: &str, password: &str) -> String {
    let body = json!({
        "engine_id": engine,
        "database": {
            "name": name, "use_engine_credentials": false, "username": "own", "password": password,
        },
    });
    id(&world.post("/api/databases", &body).await.expect(201)["database"])
}

async fn secret(world: &World, engine: &str) -> String {
    let password = world.password(&format!("dilux-engine-{engine}")).await;
    password.unwrap()
}

fn names(split: &Value, key: &str) -> Vec<String> {
    let users = split[key].as_array().unwrap();
    users
        .iter()
        .map(|user| user["database_name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn new_credentials_are_tested_before_they_are_kept_and_the_split_is_told() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    database(&world, &engine, "one").await;
    own(&world, &engine, "two", "other").await;
    let path = format!("/api/engines/{engine}/credentials");
    let before = world.get(&path).await;
    let tag = before.header("etag").to_owned();
    assert_eq!(
        names(&before.expect(200)["databases"], "inheriting"),
        ["one"]
    );

    let wrong = world
        .put(&path, &json!({"username": "new", "password": "wrong"}))
        .await;
    let refused = wrong.expect(400);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("nothing was changed"),
        "{refused}"
    );
    let unchanged = world.get(&path).await;
    assert_eq!(unchanged.header("etag"), tag);
    assert_eq!(secret(&world, &engine).await, PASSWORD);

    let right = world
        .put(&path, &json!({"username": "new", "password": PASSWORD}))
        .await;
    let changed = right.expect(200);
    assert_eq!(changed["engine"]["username"], json!("new"));
    assert_eq!(changed["test"]["success"], json!(true));
    let split = &changed["databases"];
    assert_eq!(
        (&split["inheriting_count"], &split["own_count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(names(split, "own"), ["two"]);
    assert!(!changed.to_string().contains(PASSWORD));

    let untested = json!({"password": "not tried", "test": false});
    let changed = world.put(&path, &untested).await.expect(200);
    assert_eq!(changed["test"], json!(null));
    assert_eq!(secret(&world, &engine).await, "not tried");
}

#[tokio::test]
async fn another_host_gets_the_password_only_when_it_is_sent_again() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let path = format!("/api/engines/{engine}/credentials");
    for body in [
        json!({"host": "evil"}),
        json!({"port": 5433}),
        json!({"host": "evil", "test": false}),
    ] {
        let fields = world.put(&path, &body).await.refused_fields();
        assert_eq!(fields, ["password"]);
    }
    assert!(world.server.visits.lock().unwrap().is_empty());
    let moved = json!({"host": "pg2", "port": 5433, "password": PASSWORD});
    let moved = world.put(&path, &moved).await.expect(200);
    assert_eq!(
        (&moved["engine"]["host"], &moved["engine"]["port"]),
        (&json!("pg2"), &json!(5433))
    );
    let visits = world.server.visits.lock().unwrap().clone();
    assert_eq!(visits, [("pg2:5433".to_owned(), PASSWORD.to_owned())]);
}

#[tokio::test]
async fn an_engine_does_not_move_onto_another_nor_away_under_passwords_of_databases() {
    let world = World::new().await;
    let first = engine(&world, "postgresql", "pg").await;
    engine(&world, "postgresql", "taken").await;
    let path = format!("/api/engines/{first}/credentials");
    let onto = world
        .put(&path, &json!({"host": "taken", "password": PASSWORD}))
        .await;
    assert!(
        onto.expect(400)["error"]
            .as_str()
            .unwrap()
            .contains("already")
    );
    own(&world, &first, "two", "other").await;
    let away = world
        .put(&path, &json!({"host": "pg2", "password": PASSWORD}))
        .await;
    let away = away.expect(400);
    assert!(
        away["error"].as_str().unwrap().contains("of their own"),
        "{away}"
    );
}

#[tokio::test]
async fn chosen_databases_are_made_to_sign_in_as_their_engine_does_after_a_test() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let first = own(&world, &engine, "one", "a").await;
    let second = own(&world, &engine, "two", "b").await;
    let third = database(&world, &engine, "three").await;
    let other = crate::seeds::engine(&world, "postgresql", "other").await;
    let foreign = database(&world, &other, "foreign").await;
    let path = format!("/api/engines/{engine}/apply-credentials");
    for (body, field) in [
        (json!({}), "database_ids"),
        (json!({"database_ids": []}), "database_ids"),
        (json!({"database_ids": [foreign]}), "database_ids.0"),
        (
            json!({"database_ids": [first, "no-such"]}),
            "database_ids.1",
        ),
        (json!({"database_ids": ["a/b"]}), "database_ids.0"),
        (json!({"database_ids": [first], "all": true}), "all"),
        (json!({"all": "yes"}), "all"),
    ] {
        let fields = world.post(&path, &body).await.refused_fields();
        assert!(fields.contains(&field.to_owned()), "{body}: {fields:?}");
    }
    *world.server.databases.lock().unwrap() = vec![("one", false), ("three", false)];
    let body = json!({"database_ids": [first, second, third]});
    let applied = world.post(&path, &body).await.expect(200);
    assert_eq!(applied["updated"], json!([first]));
    assert_eq!(applied["unchanged"], json!([third]));
    assert_eq!(applied["errors"][0]["database_id"], json!(second));
    assert_eq!(names(&applied["databases"], "own"), ["two"]);
    let all = world
        .post(&path, &json!({"all": true, "test": false}))
        .await;
    assert_eq!(all.expect(200)["databases"]["own_count"], json!(0));
}

#[tokio::test]
async fn a_18_a_secret_store_that_fails_leaves_nothing_half_saved() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let one = own(&world, &engine, "one", "a").await;
    let engine_path = format!("/api/engines/{engine}");
    let database_path = format!("/api/databases/{one}");
    let before = world.get(&engine_path).await.expect(200);
    let database_before = world.get(&database_path).await.expect(200);
    let new_engine = json!({
        "name": "New", "engine_type": "mysql", "host": "new", "username": "u", "password": "p",
    });
    let new_database = json!({
        "engine_id": engine,
        "database": {"name": "two", "use_engine_credentials": false, "username": "u", "password": "p"},
    });
    let rotated = json!({"username": "rotated", "password": "another", "test": false});
    world.faults.secrets_are_down.store(true, Ordering::SeqCst);
    for (method, path, body) in [
        (Method::POST, "/api/engines", &new_engine),
        (Method::POST, "/api/databases", &new_database),
        (Method::PUT, engine_path.as_str(), &rotated),
        (Method::PUT, &format!("{engine_path}/credentials"), &rotated),
        (Method::PUT, database_path.as_str(), &rotated),
    ] {
        let answer = world.call_with(method.clone(), path, &[], Some(body)).await;
        assert_eq!(answer.status, 503, "{method} {path}: {}", answer.body);
    }
    world.faults.mend();
    assert_eq!(world.get(&engine_path).await.expect(200), before);
    assert_eq!(world.get(&database_path).await.expect(200), database_before);
    assert_eq!(secret(&world, &engine).await, PASSWORD);
    let engines = world.get("/api/engines").await.expect(200);
    let databases = world.get("/api/databases").await.expect(200);
    assert_eq!(
        (&engines["total"], &databases["total"]),
        (&json!(1), &json!(1))
    );

    // The secret is written, and then nobody knows whether the row is.
    world.faults.break_partition("databaseconfigs", "engine");
    let path = format!("{engine_path}/credentials");
    let other = json!({"password": "other", "test": false});
    assert_eq!(world.put(&path, &other).await.status, 503);
    world.faults.mend();
    assert_eq!(world.get(&engine_path).await.expect(200), before);
    let cleaning = world.clean_secrets().await;
    assert_eq!((cleaning.waiting, cleaning.unclear), (0, 0), "{cleaning:?}");
    assert_eq!(world.passwords().await, 2);
    assert_eq!(secret(&world, &engine).await, PASSWORD);
}

#[tokio::test]
async fn a_password_that_is_the_stored_one_is_not_written_again() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "pg").await;
    let path = format!("/api/engines/{engine}/credentials");
    let writes = || world.faults.secret_writes.load(Ordering::SeqCst);
    let before = writes();
    let same = json!({ "username": "other", "password": PASSWORD });
    let changed = world.put(&path, &same).await.expect(200);
    assert_eq!(changed["engine"]["username"], json!("other"), "{changed}");
    assert_eq!(writes(), before);
    let moved = json!({ "host": "two", "password": PASSWORD });
    world.put(&path, &moved).await.expect(200);
    assert_eq!(writes(), before);
    assert_eq!(secret(&world, &engine).await, PASSWORD);
    let other = json!({ "password": "another", "test": false });
    world.put(&path, &other).await.expect(200);
    assert_eq!(writes(), before + 1);
}

#[tokio::test]
async fn a_reference_to_a_secret_that_a_client_sends_is_ignored() {
    const FOREIGN: &str = "dilux-audit-00";
    let world = World::new().await;
    let body = json!({
        "name": "one", "engine_type": "postgresql", "host": "one", "auth_method": "user_password",
        "username": "u", "password": PASSWORD, "password_secret_name": FOREIGN,
    });
    let made = world.post("/api/engines", &body).await.expect(201);
    let engine = id(&made["engine"]);
    let engine_secret = json!(format!("dilux-engine-{engine}"));
    assert_eq!(made["engine"]["password_secret_name"], engine_secret);
    let body = json!({
        "engine_id": engine,
        "database": {
            "name": "shop", "use_engine_credentials": false, "username": "u",
            "password": PASSWORD, "password_secret_name": FOREIGN,
        },
    });
    let made = world.post("/api/databases", &body).await.expect(201);
    let database = id(&made["database"]);
    let database_secret = json!(format!("dilux-db-{database}"));
    assert_eq!(made["database"]["password_secret_name"], database_secret);
    let change = json!({ "name": "other", "password_secret_name": FOREIGN });
    for (path, kind, secret) in [
        (format!("/api/engines/{engine}"), "engine", engine_secret),
        (
            format!("/api/databases/{database}"),
            "database",
            database_secret,
        ),
    ] {
        world.put(&path, &change).await.expect(200);
        let read = world.get(&path).await.expect(200);
        let read = read.get(kind).unwrap_or(&read);
        assert_eq!(read["name"], json!("other"));
        assert_eq!(read["password_secret_name"], secret, "{path}");
    }
}
