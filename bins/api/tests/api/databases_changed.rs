//! Changing and removing databases.

use axum::http::Method;
use serde_json::json;

use crate::databases::{flat, stored_password};
use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::world::World;

#[tokio::test]
async fn a_whole_form_sent_back_changes_nothing() {
    let world = World::new().await;
    let id = id(&world.post("/api/databases", &flat()).await.expect(201)["database"]);
    let path = format!("/api/databases/{id}");
    let before = world.get(&path).await.expect(200)["database"].clone();
    let mut form = before.clone();
    form["password"] = json!("");
    let after = world.put(&path, &form).await.expect(200)["database"].clone();
    assert_eq!(after, before);
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
}

#[tokio::test]
async fn credentials_may_be_given_changed_and_dropped() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let id = database(&world, &engine, "shop").await;
    let path = format!("/api/databases/{id}");
    let own = json!({"use_engine_credentials": false, "username": "u", "password": "p"});
    let changed = world.put(&path, &own).await.expect(200)["database"].clone();
    assert_eq!(changed["username"], json!("u"));
    assert_eq!(changed["has_password"], json!(true));
    let name = changed["password_secret_name"].as_str().unwrap();
    assert!(name.starts_with(&format!("dilux-db-{id}-")), "{name}");
    world
        .put(&path, &json!({"password": "q"}))
        .await
        .expect(200);
    assert_eq!(stored_password(&world, &id).await.as_deref(), Some("q"));
    let refused = json!({"use_engine_credentials": true, "password": "x"});
    assert_eq!(
        world.put(&path, &refused).await.refused_fields(),
        ["password"]
    );
    let back = world
        .put(&path, &json!({"use_engine_credentials": true}))
        .await
        .expect(200);
    assert_eq!(back["database"]["username"], json!("backup"));
    assert_eq!(back["database"]["has_password"], json!(false));
    assert_eq!(
        stored_password(&world, &id).await,
        None,
        "an unreferenced secret is gone"
    );
}

#[tokio::test]
async fn what_belongs_to_the_engine_cannot_be_changed_on_a_database() {
    let world = World::new().await;
    let one = engine(&world, "mysql", "one").await;
    engine(&world, "mysql", "two").await;
    let path = format!("/api/databases/{}", database(&world, &one, "shop").await);
    let change = json!({"host": "two", "port": 1, "database_type": "postgresql"});
    let fields = world.put(&path, &change).await.refused_fields();
    assert_eq!(fields, ["database_type", "host", "port"]);
    for (change, field) in [
        (json!({"name": null}), "name"),
        (json!({"enabled": "x"}), "enabled"),
        (json!({"port": "abc"}), "port"),
        (json!({"policy_id": "no-such-policy"}), "policy_id"),
        (
            json!({"backup_destination": "Else where"}),
            "backup_destination",
        ),
    ] {
        assert_eq!(world.put(&path, &change).await.refused_fields(), [field]);
    }
    world
        .put(&path, &json!({"use_engine_policy": true}))
        .await
        .expect(200);
    let off = world.put(&path, &json!({"use_engine_policy": false})).await;
    assert_eq!(off.refused_fields(), ["policy_id"]);
    let own = world
        .put(&path, &json!({"policy_id": "development"}))
        .await
        .expect(200);
    assert_eq!(own["database"]["use_engine_policy"], json!(false));
}

#[tokio::test]
async fn a_change_of_an_outdated_version_is_refused() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    let path = format!("/api/databases/{}", database(&world, &engine, "shop").await);
    let tag = world.get(&path).await.header("etag").to_owned();
    let stale = [("if-match", tag.as_str())];
    let change = json!({"name": "first"});
    world
        .call_with(Method::PUT, &path, &stale, Some(&change))
        .await
        .expect(200);
    world
        .call_with(Method::PUT, &path, &stale, Some(&change))
        .await
        .expect(412);
    world
        .call_with(Method::DELETE, &path, &stale, None)
        .await
        .expect(412);
    world.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_removed_database_takes_its_password_and_its_waiting_job_along_and_leaves_its_backups() {
    let world = World::new().await;
    let id = id(&world.post("/api/databases", &flat()).await.expect(201)["database"]);
    let path = format!("/api/databases/{id}");
    let job = world
        .post(&format!("{path}/backup"), &json!({}))
        .await
        .expect(202);
    let job = job["job_id"].as_str().unwrap().to_owned();
    world.get(&path).await.expect(200);
    let deleted = world.delete(&path).await.expect(200);
    assert_eq!(
        deleted,
        json!({ "message": format!("Database '{id}' deleted") })
    );
    world.delete(&path).await.expect(404);
    assert_eq!(stored_password(&world, &id).await, None);
    let job = world.get(&format!("/api/jobs/{job}")).await.expect(200);
    assert_eq!(job["status"], json!("cancelled"));
}
