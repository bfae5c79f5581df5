//! Removing policies, and what keeps them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::policies::{follow, policy};
use crate::seeds::{database, engine};
use crate::world::World;

#[tokio::test]
async fn a_policy_in_use_is_kept_and_its_followers_are_named() {
    let world = World::new().await;
    let path = policy(&world, "Ours").await;
    let engine = engine(&world, "mysql", "one").await;
    let orders = database(&world, &engine, "orders").await;
    let crm = database(&world, &engine, "crm").await;
    follow(&world, &orders, &json!({"policy_id": "ours"})).await;
    let refused = world.delete(&path).await.expect(400);
    assert_eq!(
        refused["error"],
        json!("Policy is in use by 1 database(s) (orders). Reassign them first.")
    );
    follow(&world, &crm, &json!({"use_engine_policy": true})).await;
    let path_of_engine = format!("/api/engines/{engine}");
    let inherited = json!({"policy_id": "ours"});
    world.put(&path_of_engine, &inherited).await.expect(200);
    assert_eq!(world.get(&path).await.expect(200)["usage_count"], json!(2));
    let refused = world.delete(&path).await.expect(400);
    assert_eq!(
        refused["error"],
        json!(
            "Policy is in use by 2 database(s) (crm, orders) and 1 engine(s) (mysql at one). \
             Reassign them first."
        )
    );
    let other = json!({"policy_id": "development"});
    follow(&world, &orders, &other).await;
    follow(&world, &crm, &other).await;
    let refused = world.delete(&path).await.expect(400);
    assert_eq!(
        refused["error"],
        json!("Policy is in use by 1 engine(s) (mysql at one). Reassign them first."),
        "an engine nobody inherits from"
    );
    world.put(&path_of_engine, &other).await.expect(200);
    let deleted = world.delete(&path).await.expect(200);
    assert_eq!(deleted, json!({"message": "Policy 'ours' deleted"}));
    world.delete(&path).await.expect(404);
    world.put(&path, &json!({"name": "x"})).await.expect(404);
    world.get(&path).await.expect(404);
}

#[tokio::test]
async fn many_followers_are_counted_and_some_are_named() {
    let world = World::new().await;
    let path = policy(&world, "Ours").await;
    let engine = engine(&world, "mysql", "one").await;
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        let id = database(&world, &engine, name).await;
        follow(&world, &id, &json!({"policy_id": "ours"})).await;
    }
    let refused = world.delete(&path).await.expect(400);
    let reason = refused["error"].as_str().unwrap();
    assert!(
        reason.contains("7 database(s) (a, b, c, d, e and 2 more)"),
        "{reason}"
    );
}

/// Deletes a policy while `follow` lets something follow it: either of them is refused.
async fn race(world: &World, follow: (Method, &str, &Value), back: (&str, &Value)) {
    let path = policy(world, "Ours").await;
    let (method, path_of_follower, body) = follow;
    let (followed, deleted) = tokio::join!(
        world.call_with(method, path_of_follower, &[], Some(body)),
        world.delete(&path),
    );
    let is_there = world.get(&path).await.status == 200;
    assert_eq!(is_there, deleted.status == 400, "{deleted:?}");
    if is_there {
        assert!(followed.status < 300, "{followed:?}");
        let path_of_follower = match followed.body["database"]["id"].as_str() {
            Some(id) => format!("/api/databases/{id}"),
            None => back.0.to_owned(),
        };
        world.put(&path_of_follower, back.1).await.expect(200);
        world.delete(&path).await.expect(200);
    } else {
        assert_eq!(followed.refused_fields(), ["policy_id"]);
    }
}

#[tokio::test]
async fn a_policy_is_not_deleted_while_somebody_begins_to_follow_it() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    let path_of_engine = format!("/api/engines/{engine}");
    let shop = database(&world, &engine, "shop").await;
    let path_of_database = format!("/api/databases/{shop}");
    let (ours, other) = (
        json!({"policy_id": "ours"}),
        json!({"policy_id": "development"}),
    );
    for round in 0..8 {
        let new = json!({
            "engine_id": engine,
            "database": {"name": format!("new-{round}"), "policy_id": "ours"},
        });
        for (method, path, body) in [
            (Method::PUT, path_of_database.as_str(), &ours),
            (Method::PUT, path_of_engine.as_str(), &ours),
            (Method::POST, "/api/databases", &new),
        ] {
            race(&world, (method, path, body), (path, &other)).await;
        }
    }
}
