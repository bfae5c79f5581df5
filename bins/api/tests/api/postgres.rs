//! Connection tests and discovery against a real PostgreSQL.

use dilux_core::config::Settings;
use dilux_drivers::Drivers;
use dilux_testkit::postgres::PostgresServer;
use serde_json::{Value, json};

use crate::seeds::{database, id};
use crate::world::World;

async fn real(server: &PostgresServer) -> (World, Value) {
    let settings = Settings::read(&|_| None).unwrap();
    let world = World::with_drivers(Drivers::discover(&settings).await).await;
    let credentials = server.credentials();
    let body = json!({
        "name": "Real", "engine_type": "postgresql",
        "host": server.host().as_str(), "port": server.port().get(),
        "username": credentials.username.as_str(), "password": credentials.password.expose(),
    });
    (world, body)
}

#[tokio::test]
async fn a_real_server_is_tested_and_asked_for_its_databases() {
    let server = PostgresServer::start().unwrap();
    let hostile = "a b'\"; --file=/etc/passwd";
    for name in ["shop", hostile] {
        server.create_database(name).unwrap();
    }
    let (world, body) = real(&server).await;
    let engine = id(&world.post("/api/engines", &body).await.expect(201)["engine"]);
    let test = world
        .post(&format!("/api/engines/{engine}/test"), &json!({}))
        .await
        .expect(200);
    assert_eq!(test["success"], json!(true), "{test}");
    assert!(
        test["server_version"]
            .as_str()
            .unwrap()
            .starts_with("postgresql "),
        "{test}"
    );
    let found = world
        .post(&format!("/api/engines/{engine}/discover"), &json!({}))
        .await
        .expect(200);
    let flags = |name: &str| {
        let rows = found["databases"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == json!(name));
        row.unwrap_or_else(|| panic!("{name} is missing in {found}"))["is_system"].clone()
    };
    assert_eq!(flags("shop"), json!(false));
    assert_eq!(flags(hostile), json!(false));
    assert_eq!(flags("postgres"), json!(true));
    for (name, expected) in [(hostile, true), ("no such database", false)] {
        let path = format!(
            "/api/databases/{}/test",
            database_named(&world, &engine, name).await
        );
        let test = world.post(&path, &json!({})).await.expect(200);
        assert_eq!(test["success"], json!(expected), "{test}");
    }
}

/// The label may not be as odd as the name.
async fn database_named(world: &World, engine: &str, name: &str) -> String {
    if name == "shop" {
        return database(world, engine, name).await;
    }
    let body = json!({"engine_id": engine, "database": {"name": name, "alias": "odd"}});
    id(&world.post("/api/databases", &body).await.expect(201)["database"])
}

#[tokio::test]
async fn a_real_server_refuses_a_wrong_password_and_the_answer_does_not_repeat_it() {
    let server = PostgresServer::start().unwrap();
    let (world, mut body) = real(&server).await;
    body["password"] = json!("wrong-canary");
    let engine = id(&world.post("/api/engines", &body).await.expect(201)["engine"]);
    let test = world
        .post(&format!("/api/engines/{engine}/test"), &json!({}))
        .await
        .expect(200);
    assert_eq!(
        (&test["success"], &test["error_type"]),
        (&json!(false), &json!("ConnectionFailed"))
    );
    assert!(!test.to_string().contains("wrong-canary"), "{test}");
    let found = world
        .post(&format!("/api/engines/{engine}/discover"), &json!({}))
        .await
        .expect(400);
    assert!(!found.to_string().contains("wrong-canary"), "{found}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let server = PostgresServer::start().unwrap();
    let (world, mut body) = real(&server).await;
    drop(server);
    body["database_type"] = json!("postgresql");
    body["database_name"] = json!("shop");
    let test = world
        .post("/api/databases/test-connection", &body)
        .await
        .expect(200);
    assert_eq!(
        (&test["success"], &test["error_type"]),
        (&json!(false), &json!("ConnectionFailed"))
    );
}
