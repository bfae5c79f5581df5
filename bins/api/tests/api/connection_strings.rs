//! Connection strings: taken apart at once, checked as their parts are, kept nowhere as a whole.

use dilux_core::secret::SecretName;
use serde_json::{Value, json};

use crate::seeds::id;
use crate::server::PASSWORD;
use crate::world::World;

const URL: &str = "postgresql://backup:open%20sesame@db.example.com:6432/shop";
const ADO: &str =
    "Server=db.example.com;Port=6432;Database=shop;User Id=backup;Password='open sesame'";

async fn secret(world: &World, name: &str) -> Option<String> {
    let name = SecretName::new(name.to_owned()).unwrap();
    let found = world.installation.storage.secrets.get(&name).await.unwrap();
    found.map(|secret| secret.expose().to_owned())
}

fn assert_parts(engine: &Value) {
    for (field, expected) in [
        ("host", json!("db.example.com")),
        ("port", json!(6432)),
        ("username", json!("backup")),
        ("auth_method", json!("connection_string")),
        ("connection_string", Value::Null),
    ] {
        assert_eq!(engine[field], expected, "{field} of {engine}");
    }
}

#[tokio::test]
async fn an_engine_is_registered_by_a_connection_string_alone() {
    for body in [
        json!({"name": "e", "connection_string": URL}),
        json!({"name": "e", "engine_type": "postgresql", "connection_string": ADO}),
        json!({
            "name": "e", "engine_type": "postgresql", "host": "db.example.com", "port": 6432,
            "auth_method": "connection_string", "connection_string": URL,
        }),
    ] {
        let world = World::new().await;
        let created = world.post("/api/engines", &body).await.expect(201);
        assert_parts(&created["engine"]);
        let engine = id(&created["engine"]);
        let kept = secret(&world, &format!("dilux-engine-{engine}")).await;
        assert_eq!(
            kept.as_deref(),
            Some(PASSWORD),
            "the password alone is kept"
        );
        let path = format!("/api/engines/{engine}/test");
        let test = world.post(&path, &json!({})).await.expect(200);
        assert_eq!(test["success"], json!(true), "{test}");
        // A form sends back what it was given.
        let form = world
            .get(&format!("/api/engines/{engine}"))
            .await
            .expect(200);
        world
            .put(&format!("/api/engines/{engine}"), &form)
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_database_is_registered_and_tested_by_a_connection_string() {
    let world = World::new().await;
    let flat = json!({"name": "Shop", "connection_string": URL});
    let created = world.post("/api/databases", &flat).await.expect(201);
    assert_eq!(created["database"]["database_name"], json!("shop"));
    assert_parts(&created["database"]);
    let path = format!("/api/databases/{}", id(&created["database"]));
    let test = world.post(&format!("{path}/test"), &json!({})).await;
    let test = test.expect(200);
    assert_eq!(test["success"], json!(true), "{test}");
    let backup = world.post(&format!("{path}/backup"), &json!({})).await;
    backup.expect(202);
    let form = json!({"connection_string": URL});
    let test = world
        .post("/api/databases/test-connection", &form)
        .await
        .expect(200);
    assert_eq!(test["success"], json!(true), "{test}");
    let engine = created["database"]["engine_id"].clone();
    let nested = json!({"engine_id": engine, "database": {
        "name": "second", "connection_string": URL.replace("/shop", ""),
    }});
    let created = world.post("/api/databases", &nested).await.expect(201);
    assert_parts(&created["database"]);
}

#[tokio::test]
async fn a_connection_string_says_what_the_other_fields_say() {
    let world = World::new().await;
    let new = json!({"name": "e", "engine_type": "postgresql", "connection_string": URL});
    for (field, value) in [
        ("host", json!("other.example.com")),
        ("port", json!(5432)),
        ("username", json!("other")),
        ("password", json!("other")),
        ("auth_method", json!("user_password")),
        ("engine_type", json!("mysql")),
    ] {
        let mut body = new.clone();
        body[field] = value;
        let answer = world.post("/api/engines", &body).await;
        assert_eq!(answer.refused_fields(), [field]);
    }
    for text in [
        "Server=h;Pasword=x",
        "h",
        "http://h",
        "Server=h;SslMode=Required",
    ] {
        let body =
            json!({"name": "e", "engine_type": "mysql", "host": "h", "connection_string": text});
        let answer = world.post("/api/engines", &body).await;
        assert_eq!(answer.refused_fields(), ["connection_string"], "{text}");
    }
    let no_password = json!({"name": "e", "connection_string": "postgresql://backup@db"});
    let answer = world.post("/api/engines", &no_password).await;
    assert_eq!(answer.refused_fields(), ["connection_string"]);
    assert_eq!(world.passwords().await, 0);
}

#[tokio::test]
async fn the_credentials_of_a_connection_string_go_to_its_own_server_only() {
    let world = World::new().await;
    let new = json!({"name": "e", "connection_string": URL});
    let created = world.post("/api/engines", &new).await.expect(201);
    let engine = id(&created["engine"]);
    let elsewhere = URL.replace("db.example.com", "elsewhere.example.com");
    let path = format!("/api/engines/{engine}");
    let answer = world
        .put(&path, &json!({"connection_string": elsewhere}))
        .await;
    assert_eq!(answer.refused_fields(), ["host"]);
    let nested = json!({"engine_id": engine, "database": {
        "name": "shop", "connection_string": elsewhere,
    }});
    let answer = world.post("/api/databases", &nested).await;
    assert!(answer.status >= 400, "{}", answer.body);
    let nested = json!({"engine": {"name": "e2", "connection_string": URL}, "database": {
        "name": "shop", "connection_string": elsewhere,
    }});
    let answer = world.post("/api/databases", &nested).await;
    assert_eq!(answer.refused_fields(), ["database.connection_string"]);
    let credentials = format!("{path}/credentials");
    let no_password =
        json!({"connection_string": "postgresql://backup@elsewhere.example.com:6432"});
    let answer = world.put(&credentials, &no_password).await;
    assert_eq!(answer.refused_fields(), ["password"]);
    assert!(world.server.visits.lock().unwrap().is_empty());
    let moved = json!({"connection_string": elsewhere});
    let moved = world.put(&credentials, &moved).await.expect(200);
    assert_eq!(moved["engine"]["host"], json!("elsewhere.example.com"));
    let visits = world.server.visits.lock().unwrap().clone();
    assert_eq!(
        visits,
        [("elsewhere.example.com:6432".to_owned(), PASSWORD.to_owned())]
    );
}
