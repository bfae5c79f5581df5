//! Changing and removing engines.

use std::sync::atomic::Ordering;

use axum::http::Method;
use dilux_core::secret::SecretName;
use serde_json::{Value, json};

use crate::engines::{new_engine, stored_password};
use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::world::World;

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_an_empty_password_means_keep() {
    let world = World::new().await;
    let id = id(&world.post("/api/engines", &new_engine()).await.expect(201)["engine"]);
    let path = format!("/api/engines/{id}");
    let whole_form = json!({
        "name": "Renamed", "engine_type": "mysql", "host": "MySQL.example.com", "port": 3306,
        "auth_method": "user_password", "username": "root", "password": "",
        "policy_id": "production-critical",
    });
    let changed = world.put(&path, &whole_form).await.expect(200);
    assert_eq!(changed["engine"]["name"], json!("Renamed"));
    assert_eq!(changed["engine"]["policy_id"], json!("production-critical"));
    assert_eq!(changed["engine"]["host"], json!("mysql.example.com"));
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
    world.clock.advance(jiff::SignedDuration::from_hours(1));
    let unchanged = world.put(&path, &json!({})).await.expect(200);
    assert_eq!(unchanged["engine"]["username"], json!("root"));
    assert_eq!(
        unchanged["engine"]["updated_at"],
        json!("2026-01-31T13:00:00Z")
    );
    world
        .put(&path, &json!({"password": "new one"}))
        .await
        .expect(200);
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some("new one")
    );
    let cleared = world
        .put(&path, &json!({"policy_id": ""}))
        .await
        .expect(200);
    assert_eq!(cleared["engine"]["policy_id"], Value::Null);
    let cleared = world
        .put(&path, &json!({"auth_method": null}))
        .await
        .expect(200);
    assert_eq!(cleared["engine"]["has_password"], json!(false));
    assert_eq!(cleared["engine"]["username"], Value::Null);
    assert_eq!(stored_password(&world, &id).await, None);
    let given = world
        .put(&path, &json!({"username": "u", "password": "p"}))
        .await
        .expect(200);
    assert_eq!(given["engine"]["auth_method"], json!("user_password"));
    assert_eq!(given["engine"]["discovery_enabled"], json!(true));
}

#[tokio::test]
async fn the_address_of_an_engine_cannot_be_changed() {
    let world = World::new().await;
    let id = engine(&world, "mysql", "one").await;
    let change = json!({"host": "two", "port": 3307, "engine_type": "postgresql", "name": "x"});
    let answer = world.put(&format!("/api/engines/{id}"), &change).await;
    assert_eq!(answer.refused_fields(), ["engine_type", "host", "port"]);
    let read = world.get(&format!("/api/engines/{id}")).await.expect(200);
    assert_ne!(read["name"], json!("x"));
}

#[tokio::test]
async fn a_change_of_an_outdated_version_is_refused() {
    let world = World::new().await;
    let id = engine(&world, "mysql", "one").await;
    let path = format!("/api/engines/{id}");
    let tag = world.get(&path).await.header("etag").to_owned();
    let change = |name: &str| json!({ "name": name });
    let with = |tag: String, name: &'static str| {
        let (path, world) = (path.clone(), &world);
        async move {
            let body = change(name);
            world
                .call_with(Method::PUT, &path, &[("if-match", &tag)], Some(&body))
                .await
        }
    };
    let first = with(tag.clone(), "first").await;
    let newer = first.header("etag").to_owned();
    first.expect(200);
    with(tag.clone(), "second").await.expect(412);
    with(format!("\"other\", {newer}"), "third")
        .await
        .expect(200);
    with("*".to_owned(), "fourth").await.expect(200);
    let answer = world
        .call_with(Method::DELETE, &path, &[("if-match", &tag)], None)
        .await;
    answer.expect(412);
    world.delete(&path).await.expect(200);
    with("*".to_owned(), "fifth").await.expect(404);
}

#[tokio::test]
async fn a_change_may_be_applied_to_all_databases() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    database(&world, &engine, "inherits").await;
    let own = json!({ "engine_id": engine, "database": {
        "name": "own", "username": "u", "password": "p" } });
    let own = id(&world.post("/api/databases", &own).await.expect(201)["database"]);
    let secret = SecretName::new(format!("dilux-db-{own}")).unwrap();
    let secrets = world.installation.storage.secrets.clone();
    assert!(secrets.get(&secret).await.unwrap().is_some());
    let path = format!("/api/engines/{engine}");
    let none = world
        .put(&path, &json!({"apply_policy_to_all_databases": true}))
        .await
        .expect(200);
    assert!(
        none.get("databases_policy_updated").is_none(),
        "the engine has no policy"
    );
    let change = json!({
        "policy_id": "production-critical",
        "apply_to_all_databases": true, "apply_policy_to_all_databases": true,
    });
    let changed = world.put(&path, &change).await.expect(200);
    assert_eq!(changed["databases_updated"], json!(2));
    assert_eq!(changed["databases_policy_updated"], json!(2));
    let read = world
        .get(&format!("/api/databases/{own}"))
        .await
        .expect(200)["database"]
        .clone();
    assert_eq!(read["use_engine_credentials"], json!(true));
    assert_eq!(read["username"], json!("backup"));
    assert_eq!(read["policy_id"], json!("production-critical"));
    assert!(
        secrets.get(&secret).await.unwrap().is_none(),
        "its own password is gone"
    );
}

#[tokio::test]
async fn an_engine_with_databases_goes_only_when_they_may_go_with_it() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let shop = database(&world, &engine, "shop").await;
    let path = format!("/api/engines/{engine}");
    let refused = world.delete(&path).await.expect(400);
    assert_eq!(
        refused["error"],
        json!(
            "Cannot delete engine with 1 associated database(s). Delete databases first or use delete_databases=true."
        )
    );
    world
        .get(&format!("/api/databases/{shop}"))
        .await
        .expect(200);
    let deleted = world
        .delete(&format!("{path}?delete_databases=true"))
        .await
        .expect(200);
    assert_eq!(deleted, json!({"deleted": true, "databases_deleted": 1}));
    world
        .get(&format!("/api/databases/{shop}"))
        .await
        .expect(404);
    world.get(&path).await.expect(404);
    assert_eq!(world.passwords().await, 0);
}

#[tokio::test]
async fn a_failing_secret_store_fails_the_request_and_nothing_is_half_saved() {
    let world = World::new().await;
    let path = format!("/api/engines/{}", engine(&world, "mysql", "one").await);
    world.faults.secrets_are_down.store(true, Ordering::SeqCst);
    world.post("/api/engines", &new_engine()).await.expect(503);
    let change = json!({"name": "changed", "password": "changed"});
    world.put(&path, &change).await.expect(503);
    world.faults.mend();
    let listed = world.get("/api/engines").await.expect(200);
    assert_eq!(listed["total"], json!(1));
    assert_eq!(listed["items"][0]["name"], json!("mysql at one"));
    assert_eq!(
        stored_password(&world, &path["/api/engines/".len()..])
            .await
            .as_deref(),
        Some(PASSWORD)
    );
}

#[tokio::test]
async fn a_failing_table_leaves_the_old_password_and_for_a_day_the_new_one() {
    let world = World::new().await;
    let id = engine(&world, "mysql", "one").await;
    world.faults.break_partition("databaseconfigs", "engine");
    world.post("/api/engines", &new_engine()).await.expect(503);
    world
        .put(
            &format!("/api/engines/{id}"),
            &json!({"password": "changed"}),
        )
        .await
        .expect(503);
    world.faults.mend();
    let path = format!("/api/engines/{id}/test");
    let test = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(test["success"], json!(true));
    world.clean_secrets().await;
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
    assert_eq!(world.passwords().await, 1);
}
