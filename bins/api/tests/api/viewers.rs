//! What the roles do not see, and what an operator may not do inside of an operation that they may.

use axum::http::Method;
use dilux_api::openapi;
use serde_json::{Value, json};

use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::who_may::token;
use crate::world::{Answer, World};

/// The account of everything that is registered here.
const ACCOUNT: &str = "marked-account";

/// An engine and a database with accounts of their own.
async fn registered(world: &World) -> (String, String) {
    let body = json!({
        "name": "one", "engine_type": "postgresql", "host": "one",
        "auth_method": "user_password", "username": ACCOUNT, "password": PASSWORD,
    });
    let engine = world.post("/api/engines", &body).await.expect(201);
    let engine = id(&engine["engine"]);
    let body = json!({
        "engine_id": engine,
        "database": { "name": "shop", "username": ACCOUNT, "password": PASSWORD },
    });
    let made = world.post("/api/databases", &body).await.expect(201);
    (engine, id(&made["database"]))
}

/// Every `GET` of the document, with these ids.
fn reads(engine: &str, database: &str) -> Vec<String> {
    let document = serde_json::to_value(openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let read = paths.iter().filter(|(_, item)| item["get"].is_object());
    read.map(|(path, _)| {
        path.replace("{engine_id}", engine)
            .replace("{database_id}", database)
            .replace("{policy_id}", "production-standard")
    })
    .collect()
}

/// The whole answer, also where it is no JSON.
fn text(answer: Answer) -> String {
    String::from_utf8(answer.bytes).unwrap()
}

#[tokio::test]
async fn no_answer_shows_a_viewer_an_account_or_where_its_password_is() {
    let world = World::new().await;
    let (engine, database) = registered(&world).await;
    let viewer = token(&world, "viewer", &[]).await;
    let operator = token(&world, "operator", &[]).await;
    let mut shown_to_operators = 0;
    for path in reads(&engine, &database) {
        let seen = text(world.call_as(Some(&viewer), Method::GET, &path, None).await);
        for hidden in [ACCOUNT, "dilux-engine-", "dilux-db-"] {
            assert!(!seen.contains(hidden), "{path}: {seen}");
        }
        let seen = text(
            world
                .call_as(Some(&operator), Method::GET, &path, None)
                .await,
        );
        shown_to_operators += usize::from(seen.contains(ACCOUNT));
    }
    assert_eq!(shown_to_operators, 4, "two lists and two details");
}

#[tokio::test]
async fn a_viewer_finds_every_key_that_others_find() {
    let world = World::new().await;
    let (engine, _) = registered(&world).await;
    let viewer = token(&world, "viewer", &[]).await;
    let path = format!("/api/engines/{engine}");
    let seen = world
        .call_as(Some(&viewer), Method::GET, &path, None)
        .await
        .expect(200);
    let whole = world.get(&path).await.expect(200);
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&seen), keys(&whole));
    assert_eq!(seen["username"], Value::Null);
    assert_eq!(seen["has_password"], json!(true));
}

#[tokio::test]
async fn an_operator_registers_databases_but_no_credentials_and_no_engines() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let operator = token(&world, "operator", &[]).await;
    let post = async |path: &str, body: Value| {
        world
            .call_as(Some(&operator), Method::POST, path, Some(&body))
            .await
    };
    let plain = json!({ "engine_id": engine, "database": { "name": "shop" } });
    post("/api/databases", plain).await.expect(201);
    let with_account = json!({
        "engine_id": engine,
        "database": { "name": "crm", "username": "u", "password": PASSWORD },
    });
    let new_engine = json!({
        "engine": { "name": "two", "engine_type": "mysql", "host": "two" },
        "database": { "name": "crm" },
    });
    let by_address = json!({
        "name": "crm", "database_type": "mysql", "host": "three", "port": 3306,
        "database_name": "crm",
    });
    for body in [with_account, new_engine, by_address] {
        let answer = post("/api/databases", body.clone()).await;
        assert_eq!(answer.status, 403, "{body}: {}", answer.body);
    }
    let path = format!("/api/engines/{engine}/databases");
    let copies = json!({ "databases": [{ "name": "erp" }], "use_engine_credentials": false });
    assert_eq!(post(&path, copies).await.status, 403);
    let inherits = json!({ "databases": [{ "name": "erp" }] });
    post(&path, inherits).await.expect(201);
    let engines = world.get("/api/engines").await.expect(200);
    assert_eq!(engines["total"], json!(1));
    let databases = world.get("/api/databases").await.expect(200);
    assert_eq!(databases["total"], json!(2));
}

#[tokio::test]
async fn an_operator_edits_a_database_but_not_how_it_signs_in() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let inherits = database(&world, &engine, "shop").await;
    let operator = token(&world, "operator", &[]).await;
    let path = format!("/api/databases/{inherits}");
    let put = async |body: Value| {
        world
            .call_as(Some(&operator), Method::PUT, &path, Some(&body))
            .await
    };
    let form = json!({
        "name": "Shop", "username": "", "password": "", "use_engine_credentials": true,
    });
    assert_eq!(
        put(form).await.expect(200)["database"]["name"],
        json!("Shop")
    );
    let own = json!({
        "use_engine_credentials": false, "username": "u", "password": PASSWORD,
    });
    assert_eq!(put(own).await.status, 403);
    let present = world.get(&path).await.expect(200);
    assert_eq!(present["database"]["use_engine_credentials"], json!(true));
}

#[tokio::test]
async fn an_operator_tests_stored_connections_and_sends_no_password_anywhere() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let operator = token(&world, "operator", &[]).await;
    let test = async |body: Value| {
        let path = "/api/databases/test-connection";
        world
            .call_as(Some(&operator), Method::POST, path, Some(&body))
            .await
    };
    let mut form = json!({
        "database_type": "postgresql", "host": "one", "port": 5432, "database_name": "shop",
        "engine_id": engine, "use_engine_credentials": true,
    });
    test(form.clone()).await.expect(200);
    form["use_engine_credentials"] = json!(false);
    form["username"] = json!("u");
    form["password"] = json!("guess");
    assert_eq!(test(form).await.status, 403);
    let visits = world.server.visits.lock().unwrap().clone();
    assert_eq!(visits, [("one:5432".to_owned(), PASSWORD.to_owned())]);
}
