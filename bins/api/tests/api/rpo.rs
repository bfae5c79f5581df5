//! Recovery point objectives, evaluated without a scheduler.

use dilux_core::model::{BackupId, DatabaseId};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::jobs::shop;
use crate::world::{START, World};

async fn rpo(world: &World, database: &str) -> Value {
    let path = format!("/api/databases/{database}/rpo");
    let one = world.get(&path).await.expect(200);
    let path = format!("/api/databases/{database}");
    let read = world.get(&path).await.expect(200);
    assert_eq!(read["database"]["rpo"], one);
    let list = world.get("/api/databases").await.expect(200);
    assert_eq!(list["databases"][0]["rpo"], one);
    one
}

#[tokio::test]
async fn a_database_that_nobody_backs_up_becomes_at_risk_and_then_breached() {
    let world = World::new().await;
    let database = shop(&world).await;
    for (minutes, expected) in [(0, "met"), (75, "at_risk"), (15, "breached")] {
        world.clock.advance(SignedDuration::from_mins(minutes));
        let found = rpo(&world, &database).await;
        assert_eq!(found["state"], json!(expected), "{found}");
        assert_eq!(found["objective_minutes"], json!(90));
        assert_eq!(found["source"], json!("policy"));
    }
    let id: DatabaseId = database.parse().unwrap();
    let backup: BackupId = "some.backup".parse().unwrap();
    let now = world.installation.clock.now();
    let states = &world.installation.repositories.states;
    let changed = states.change(&id, |state| state.succeed(&backup, now));
    changed.await.unwrap();
    let found = rpo(&world, &database).await;
    assert_eq!(found["state"], json!("met"));
    assert_eq!(found["recovery_point"], json!(now.to_string()));
    assert_ne!(found["recovery_point"], json!(START));
}

#[tokio::test]
async fn an_objective_is_set_checked_and_taken_away() {
    let world = World::new().await;
    let database = shop(&world).await;
    let path = format!("/api/databases/{database}");
    let answer = world.put(&path, &json!({"rpo_minutes": 30})).await;
    assert_eq!(answer.expect(200)["database"]["rpo_minutes"], json!(30));
    let found = rpo(&world, &database).await;
    assert_eq!(found["objective_minutes"], json!(30));
    assert_eq!(found["source"], json!("database"));
    for wrong in [json!(14), json!(527_041), json!("30"), json!(30.5)] {
        let refused = world.put(&path, &json!({"rpo_minutes": wrong})).await;
        assert_eq!(refused.refused_fields(), ["rpo_minutes"]);
    }
    world
        .put(&path, &json!({"rpo_minutes": null, "enabled": false}))
        .await
        .expect(200);
    let found = rpo(&world, &database).await;
    assert_eq!(found["state"], json!("unknown"));
    assert_eq!(found["objective_minutes"], Value::Null);
}

#[tokio::test]
async fn an_engine_takes_a_limit_of_its_own() {
    let world = World::new().await;
    let engine = crate::seeds::engine(&world, "postgresql", "pg").await;
    let path = format!("/api/engines/{engine}");
    let changed = world.put(&path, &json!({"max_jobs": 2})).await.expect(200);
    assert_eq!(changed["engine"]["max_jobs"], json!(2));
    for wrong in [json!(0), json!(65), json!("2")] {
        let refused = world.put(&path, &json!({"max_jobs": wrong})).await;
        assert_eq!(refused.refused_fields(), ["max_jobs"]);
    }
    let cleared = world.put(&path, &json!({"max_jobs": null})).await;
    assert_eq!(cleared.expect(200)["engine"]["max_jobs"], Value::Null);
}
