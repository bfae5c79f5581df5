//! Databases move to another engine of their type: tried first, with credentials that may go there.

use dilux_core::model::BackupStatus;
use serde_json::{Value, json};

use crate::seeds::{Seed, database, engine};
use crate::server::PASSWORD;
use crate::world::{START, World};

async fn two_engines(world: &World) -> (String, String) {
    let old = engine(world, "postgresql", "old").await;
    let new = engine(world, "postgresql", "new").await;
    (old, new)
}

async fn engine_of(world: &World, database: &str) -> Value {
    let read = world.get(&format!("/api/databases/{database}")).await;
    read.expect(200)["database"]["engine_id"].clone()
}

fn visits(world: &World) -> Vec<String> {
    let visits = world.server.visits.lock().unwrap();
    visits.iter().map(|(address, _)| address.clone()).collect()
}

#[tokio::test]
async fn a_database_moves_to_another_engine_and_its_backups_stay() {
    let world = World::new().await;
    let (old, new) = two_engines(&world).await;
    let shop = database(&world, &old, "shop").await;
    let seed = Seed {
        database: &shop,
        engine: &old,
        label: "shop",
        at: START.parse().unwrap(),
        status: BackupStatus::Completed,
        data: b"data",
    };
    let backup = seed.plant(&world).await;
    let path = format!("/api/databases/{shop}");
    // As a form does that was filled from the present state.
    let form = json!({
        "engine_id": new, "name": "shop", "database_name": "shop", "database_type": "postgresql",
        "host": "old", "port": 5432, "use_engine_credentials": true, "password": "",
    });
    let moved = world.put(&path, &form).await.expect(200);
    assert_eq!(moved["database"]["engine_id"], json!(new));
    assert_eq!(moved["database"]["host"], json!("new"));
    assert_eq!(engine_of(&world, &shop).await, json!(new));
    assert_eq!(
        visits(&world),
        ["new:5432"],
        "it was opened there and nowhere else"
    );
    let listed = world
        .get(&format!("/api/backups?database_id={shop}"))
        .await
        .expect(200);
    assert_eq!(
        listed["backups"][0]["id"],
        json!(backup.as_str()),
        "{listed}"
    );
    let restore = format!("/api/backups/{backup}/restore");
    let booked = world
        .post(&restore, &json!({"target_database": "copy"}))
        .await
        .expect(202);
    let job = world
        .get(&format!("/api/jobs/{}", booked["job_id"].as_str().unwrap()))
        .await;
    assert_eq!(job.expect(200)["restore"]["target_engine_id"], json!(old));
    let audited = world
        .get("/api/audit?action=database_updated")
        .await
        .expect(200);
    let changes = &audited["logs"][0]["details"]["changes"]["engine_id"];
    assert_eq!(changes, &json!({"from": old, "to": new}), "{audited}");
    // The same again changes nothing and opens nothing.
    world
        .put(&path, &json!({"engine_id": new}))
        .await
        .expect(200);
    assert_eq!(visits(&world).len(), 1);
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_there_stays_where_it_is() {
    let world = World::new().await;
    let (old, new) = two_engines(&world).await;
    let shop = database(&world, &old, "shop").await;
    let path = format!("/api/databases/{shop}");
    world.server.down.lock().unwrap().push("new");
    let refused = world
        .put(&path, &json!({"engine_id": new, "enabled": false}))
        .await
        .expect(400);
    assert!(
        refused["error"].to_string().contains("nothing was changed"),
        "{refused}"
    );
    assert_eq!(engine_of(&world, &shop).await, json!(old));
    world.server.down.lock().unwrap().clear();
    world
        .server
        .databases
        .lock()
        .unwrap()
        .push(("other", false));
    world
        .put(&path, &json!({"engine_id": new}))
        .await
        .expect(400);
    let mysql = engine(&world, "mysql", "new").await;
    for (target, field) in [(mysql.as_str(), "engine_id"), ("no-such", "engine_id")] {
        let answer = world.put(&path, &json!({"engine_id": target})).await;
        assert_eq!(answer.refused_fields(), [field]);
    }
    let elsewhere = json!({"engine_id": new, "host": "elsewhere"});
    assert_eq!(
        world.put(&path, &elsewhere).await.refused_fields(),
        ["host"]
    );
    assert_eq!(engine_of(&world, &shop).await, json!(old));
}

#[tokio::test]
async fn a_name_that_is_taken_there_is_refused_before_anything_is_opened() {
    let world = World::new().await;
    let (old, new) = two_engines(&world).await;
    let shop = database(&world, &old, "shop").await;
    database(&world, &new, "shop").await;
    let path = format!("/api/databases/{shop}");
    let refused = world
        .put(&path, &json!({"engine_id": new}))
        .await
        .expect(400);
    assert!(
        refused["error"].to_string().contains("registered already"),
        "{refused}"
    );
    assert!(visits(&world).is_empty());
    world
        .put(&path, &json!({"engine_id": new, "database_name": "shop2"}))
        .await
        .expect(200);
    assert_eq!(engine_of(&world, &shop).await, json!(new));
}

#[tokio::test]
async fn a_stored_password_never_goes_to_the_other_server() {
    let world = World::new().await;
    let (old, new) = two_engines(&world).await;
    let body = json!({"engine_id": old, "database": {
        "name": "shop", "username": "own", "password": "kept for the old server",
    }});
    let answer = world.post("/api/databases", &body).await.expect(201);
    let shop = answer["database"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/databases/{shop}");
    let answer = world.put(&path, &json!({"engine_id": new})).await;
    assert_eq!(answer.refused_fields(), ["password"]);
    assert!(visits(&world).is_empty());
    let again = json!({"engine_id": new, "password": PASSWORD});
    world.put(&path, &again).await.expect(200);
    let seen = world.server.visits.lock().unwrap().clone();
    assert_eq!(seen, [("new:5432".to_owned(), PASSWORD.to_owned())]);
    // Or it gives its own credentials up.
    let back = json!({"engine_id": old, "use_engine_credentials": true});
    world.put(&path, &back).await.expect(200);
    assert_eq!(world.passwords().await, 2, "its own password is gone");
}

#[tokio::test]
async fn a_change_that_somebody_overtook_moves_nothing() {
    let world = World::new().await;
    let (old, new) = two_engines(&world).await;
    let shop = database(&world, &old, "shop").await;
    let path = format!("/api/databases/{shop}");
    let tag = world.get(&path).await.header("etag").to_owned();
    world
        .put(&path, &json!({"enabled": false}))
        .await
        .expect(200);
    let headers = [("if-match", tag.as_str())];
    let body = json!({"engine_id": new});
    let answer = world
        .call_with(axum::http::Method::PUT, &path, &headers, Some(&body))
        .await;
    assert_eq!(answer.status, 412, "{}", answer.body);
    assert_eq!(engine_of(&world, &shop).await, json!(old));
}
