//! Registering and listing engines.

use serde_json::{Value, json};

use crate::seeds::id;
use crate::server::PASSWORD;
use crate::world::World;

pub(crate) fn new_engine() -> Value {
    json!({
        "name": "Production MySQL", "engine_type": "mysql", "host": "mysql.example.com",
        "auth_method": "user_password", "username": "root", "password": PASSWORD,
    })
}

pub(crate) async fn stored_password(world: &World, engine: &str) -> Option<String> {
    world.password(&format!("dilux-engine-{engine}")).await
}

#[tokio::test]
async fn a_registered_engine_is_answered_listed_and_read_without_its_password() {
    let world = World::new().await;
    let answer = world.post("/api/engines", &new_engine()).await;
    let tag = answer.header("etag").to_owned();
    let created = answer.expect(201);
    insta::assert_json_snapshot!("engine_created", created);
    let id = id(&created["engine"]);
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
    let read = world.get(&format!("/api/engines/{id}")).await;
    assert_eq!(read.header("etag"), tag);
    insta::assert_json_snapshot!("engine_read", read.expect(200));
    let listed = world.get("/api/engines").await.expect(200);
    insta::assert_json_snapshot!("engines_listed", listed);
}

#[tokio::test]
async fn an_engine_without_credentials_takes_the_usual_port_and_cannot_be_asked() {
    let world = World::new().await;
    for (engine_type, port) in [("mysql", 3306), ("postgresql", 5432), ("sqlserver", 1433)] {
        let body = json!({"name": "x", "engine_type": engine_type, "host": "h", "port": null});
        let created = world.post("/api/engines", &body).await.expect(201);
        assert_eq!(created["engine"]["port"], json!(port));
        assert_eq!(created["engine"]["auth_method"], Value::Null);
        assert_eq!(created["engine"]["discovery_enabled"], json!(false));
        let id = id(&created["engine"]);
        for action in ["test", "discover"] {
            let answer = world
                .post(&format!("/api/engines/{id}/{action}"), &json!({}))
                .await;
            answer.expect(400);
        }
    }
}

#[tokio::test]
async fn every_bad_field_of_a_new_engine_is_named_at_once() {
    let world = World::new().await;
    let bad = json!({
        "name": "", "engine_type": "oracle", "host": "http://x", "port": 70000,
        "auth_method": "kerberos", "username": 7, "password": ["x"], "policy_id": "a/b",
        "discover_databases": "yes", "connection_string": "Server=x;Pasword=y",
    });
    let fields = world.post("/api/engines", &bad).await.refused_fields();
    let expected = [
        "auth_method",
        "connection_string",
        "discover_databases",
        "engine_type",
        "host",
        "name",
        "password",
        "policy_id",
        "port",
        "username",
    ];
    assert_eq!(fields, expected);
    let none = world.post("/api/engines", &json!({})).await;
    assert_eq!(none.refused_fields(), ["engine_type", "host", "name"]);
}

#[tokio::test]
async fn a_bad_field_of_a_new_engine_is_named_and_nothing_is_kept() {
    let world = World::new().await;
    for port in [
        json!(0),
        json!(-1),
        json!("3306"),
        json!(33.5),
        json!(true),
        json!(1e30),
    ] {
        let mut body = new_engine();
        body["port"] = port.clone();
        let fields = world.post("/api/engines", &body).await.refused_fields();
        assert_eq!(fields, ["port"], "{port}");
    }
    for (field, value, refused) in [
        ("auth_method", json!("managed_identity"), "password"),
        ("policy_id", json!("no-such-policy"), "policy_id"),
        ("host", json!("a b"), "host"),
        ("host", json!("-oProxyCommand=x"), "host"),
        ("name", json!("x".repeat(101)), "name"),
        ("password", json!("a\nb"), "password"),
    ] {
        let mut body = new_engine();
        body[field] = value.clone();
        let fields = world.post("/api/engines", &body).await.refused_fields();
        assert_eq!(fields, [refused], "{value}");
    }
    let listed = world.get("/api/engines").await.expect(200);
    assert_eq!(listed["total"], json!(0), "nothing of this was kept");
    assert_eq!(world.passwords().await, 0);
}

#[tokio::test]
async fn two_engines_at_one_address_are_refused_whatever_the_case_of_the_host() {
    let world = World::new().await;
    world.post("/api/engines", &new_engine()).await.expect(201);
    let mut other = new_engine();
    other["name"] = json!("Other");
    other["host"] = json!("MYSQL.example.COM");
    let refused = world.post("/api/engines", &other).await.expect(400);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("already exists"),
        "{refused}"
    );
    other["port"] = json!(3307);
    world.post("/api/engines", &other).await.expect(201);
}

#[tokio::test]
async fn fifty_registrations_of_one_engine_at_once_make_one() {
    let world = std::sync::Arc::new(World::new().await);
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let world = world.clone();
        attempts.spawn(async move { world.post("/api/engines", &new_engine()).await.status });
    }
    let statuses = attempts.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 49);
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_cut() {
    let world = World::new().await;
    for (name, engine_type, host) in [
        ("zeta", "mysql", "one"),
        ("Alpha", "postgresql", "two.example"),
        ("beta", "mysql", "three.example"),
    ] {
        let body = json!({"name": name, "engine_type": engine_type, "host": host});
        world.post("/api/engines", &body).await.expect(201);
    }
    for (query, expected, total) in [
        ("", vec!["Alpha", "beta", "zeta"], 3),
        ("?engine_type=mysql", vec!["beta", "zeta"], 2),
        ("?search=EXAMPLE", vec!["Alpha", "beta"], 2),
        ("?search=ZET", vec!["zeta"], 1),
        ("?limit=1&offset=1", vec!["beta"], 3),
        ("?offset=9", vec![], 3),
        (
            "?engine_type=&search=&limit=&unknown=1",
            vec!["Alpha", "beta", "zeta"],
            3,
        ),
    ] {
        let listed = world.get(&format!("/api/engines{query}")).await.expect(200);
        let names: Vec<&str> = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{query}");
        assert_eq!(listed["total"], json!(total), "{query}");
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "offset=-1",
        "engine_type=oracle",
    ] {
        let fields = world
            .get(&format!("/api/engines?{query}"))
            .await
            .refused_fields();
        assert_eq!(fields, [query.split('=').next().unwrap()]);
    }
}
