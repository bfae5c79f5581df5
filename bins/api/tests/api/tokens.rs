//! API tokens: made, listed, used, expired, revoked.

use axum::http::Method;
use dilux_core::model::ApiTokenId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::seeds::id;
use crate::world::World;

async fn made(world: &World, body: &Value) -> (String, String) {
    let made = world.post("/api/tokens", body).await.expect(201);
    let text = made["secret"].as_str().unwrap().to_owned();
    (id(&made["token"]), text)
}

async fn status(world: &World, text: &str) -> u16 {
    let answer = world.call_as(Some(text), Method::GET, "/api/version", None);
    answer.await.status
}

async fn last_use(world: &World, id: &str) -> Option<Timestamp> {
    let id: ApiTokenId = id.parse().unwrap();
    let tokens = &world.installation.repositories.api_tokens;
    tokens.get(&id).await.unwrap().unwrap().value.last_used
}

#[tokio::test]
async fn a_token_is_shown_once_and_kept_as_a_hash_only() {
    let world = World::new().await;
    let body = json!({ "name": "report", "role": "viewer" });
    let made = world.post("/api/tokens", &body).await.expect(201);
    let text = made["secret"].as_str().unwrap();
    assert!(text.starts_with("dilux_api_") && text.len() > 64, "{text}");
    assert_eq!(made["token"]["role"], json!("viewer"));
    assert_eq!(
        made["token"]["expires_at"],
        json!("2026-05-01T12:00:00Z"),
        "90 days"
    );
    let list = world.get("/api/tokens").await.expect(200);
    assert_eq!(list["count"], json!(2), "that of the tests is one too");
    assert!(list["tokens"].as_array().unwrap().contains(&made["token"]));
    let secret = text.rsplit('_').next().unwrap();
    assert!(!list.to_string().contains(secret));
    for entry in std::fs::read_dir(world.directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "the token stands in {}", path.display());
        }
    }
}

#[tokio::test]
async fn a_token_works_until_it_expires_or_is_revoked() {
    let world = World::new().await;
    let body = json!({ "name": "short", "role": "viewer", "expires_in_days": 1 });
    let (_, short) = made(&world, &body).await;
    let (long_id, long) = made(&world, &json!({ "name": "long", "role": "viewer" })).await;
    assert_eq!(
        (status(&world, &short).await, status(&world, &long).await),
        (200, 200)
    );
    world.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(
        (status(&world, &short).await, status(&world, &long).await),
        (401, 200)
    );
    let path = format!("/api/tokens/{long_id}");
    world.delete(&path).await.expect(200);
    assert_eq!(status(&world, &long).await, 401);
    assert_eq!(world.delete(&path).await.status, 404);
}

#[tokio::test]
async fn a_token_of_another_text_with_the_same_id_opens_nothing() {
    let world = World::new().await;
    let (_, text) = made(&world, &json!({ "name": "a", "role": "admin" })).await;
    let (head, _) = text.rsplit_once('_').unwrap();
    for wrong in [
        head.to_owned(),
        format!("{head}_"),
        format!("{head}_{}", "0".repeat(64)),
        format!("{text}0"),
        text.to_uppercase(),
    ] {
        assert_eq!(status(&world, &wrong).await, 401, "{wrong}");
    }
}

#[tokio::test]
async fn use_is_recorded_at_most_once_a_minute() {
    let world = World::new().await;
    let (id, text) = made(&world, &json!({ "name": "a", "role": "viewer" })).await;
    assert_eq!(last_use(&world, &id).await, None);
    assert_eq!(status(&world, &text).await, 200);
    let first = last_use(&world, &id).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(status(&world, &text).await, 200);
    assert_eq!(last_use(&world, &id).await, Some(first));
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(status(&world, &text).await, 200);
    let second = last_use(&world, &id).await.unwrap();
    assert_eq!(second.duration_since(first), SignedDuration::from_mins(1));
}

#[tokio::test]
async fn a_store_that_takes_no_writes_does_not_lock_tokens_out() {
    let world = World::new().await;
    let (id, text) = made(&world, &json!({ "name": "a", "role": "viewer" })).await;
    world.faults.break_table("apitokens");
    assert_eq!(status(&world, &text).await, 200);
    world.faults.mend();
    assert_eq!(last_use(&world, &id).await, None);
}

#[tokio::test]
async fn an_unavailable_store_is_no_wrong_token() {
    let world = World::new().await;
    let (_, text) = made(&world, &json!({ "name": "a", "role": "viewer" })).await;
    let down = &world.faults.tables_are_down;
    down.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(status(&world, &text).await, 503);
}

#[tokio::test]
async fn every_wrong_field_of_a_new_token_is_named() {
    let world = World::new().await;
    let body = json!({ "name": "", "role": "root", "expires_in_days": 0, "grants": ["all"] });
    let answer = world.post("/api/tokens", &body).await;
    assert_eq!(
        answer.refused_fields(),
        ["expires_in_days", "grants.0", "name", "role"]
    );
    for days in [
        json!(367),
        json!(-1),
        json!("90"),
        json!(1.5),
        json!(u64::MAX),
    ] {
        let body = json!({ "name": "a", "role": "viewer", "expires_in_days": days });
        let answer = world.post("/api/tokens", &body).await;
        assert_eq!(answer.refused_fields(), ["expires_in_days"], "{days}");
    }
}
