//! The issuer's keys: fetched when needed, exchanged without a restart, and never fetched because
//! somebody sends a lot.

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::issuer::{Issuer, Key};
use crate::world::World;

async fn status(world: &World, token: &str) -> u16 {
    let value = format!("Bearer {token}");
    let headers = [("authorization", value.as_str())];
    let answer = world
        .call_bare(Method::GET, "/api/users/me", &headers, None)
        .await;
    answer.status
}

async fn world(issuer: &Issuer) -> World {
    let world = issuer.tenant_world().await;
    let ann = json!({ "email": "ann@example.com", "role": "viewer" });
    world.post("/api/users", &ann).await.expect(201);
    world
}

/// A good token that holds for days.
fn lasting(issuer: &Issuer, key: &Key) -> String {
    let mut claims = issuer.claims();
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 7 * 86_400);
    let header = json!({ "alg": "ES256", "kid": key.id });
    key.token(&header, &claims)
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_tokens() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let token = lasting(&issuer, &issuer.key);
    let calls = (0..20).map(|_| status(&world, &token));
    let statuses = futures::future::join_all(calls).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(issuer.fetches(), 1);
    world.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(status(&world, &token).await, 200);
    assert_eq!(issuer.fetches(), 1);
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(status(&world, &token).await, 200);
    assert_eq!(issuer.fetches(), 2, "once an hour");
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_a_minute_however_many_come() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let good = lasting(&issuer, &issuer.key);
    assert_eq!(status(&world, &good).await, 200);
    world.clock.advance(SignedDuration::from_secs(60));
    for n in 0..30 {
        let token = lasting(&issuer, &Key::p256(&format!("made-up-{n}")));
        assert_eq!(status(&world, &token).await, 401);
    }
    assert_eq!(issuer.fetches(), 2);
    assert_eq!(status(&world, &good).await, 200, "known keys go on");
    world.clock.advance(SignedDuration::from_secs(60));
    let token = lasting(&issuer, &Key::p256("made-up"));
    assert_eq!(status(&world, &token).await, 401);
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_believed_no_more() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let old = lasting(&issuer, &issuer.key);
    assert_eq!(status(&world, &old).await, 200);
    let next = Key::p256("second");
    issuer.publish(&[next.public()]);
    let new = lasting(&issuer, &next);
    assert_eq!(status(&world, &new).await, 401, "a fetch was a moment ago");
    world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(status(&world, &new).await, 200);
    assert_eq!(status(&world, &old).await, 401, "its key is withdrawn");
}

#[tokio::test]
async fn a_token_that_names_no_key_needs_the_issuer_to_have_one_only() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let nameless = issuer
        .key
        .token(&json!({ "alg": "ES256" }), &issuer.claims());
    assert_eq!(status(&world, &nameless).await, 200);
    let second = Key::p256("second");
    issuer.publish(&[issuer.key.public(), second.public()]);
    world.clock.advance(SignedDuration::from_hours(1));
    let claims = merged_expiry(&issuer);
    let nameless = issuer.key.token(&json!({ "alg": "ES256" }), &claims);
    assert_eq!(status(&world, &nameless).await, 401);
    let named = lasting(&issuer, &second);
    assert_eq!(status(&world, &named).await, 200);
}

fn merged_expiry(issuer: &Issuer) -> Value {
    let mut claims = issuer.claims();
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 86_400);
    claims
}

#[tokio::test]
async fn keys_for_other_purposes_and_of_other_kinds_verify_nothing() {
    let issuer = Issuer::start().await;
    for (name, value) in [
        ("use", json!("enc")),
        ("alg", json!("ES384")),
        ("key_ops", json!(["sign"])),
        ("crv", json!("P-384")),
        ("kty", json!("oct")),
    ] {
        let world = world(&issuer).await;
        let mut public = issuer.key.public();
        public[name] = value;
        issuer.publish(&[json!({ "kty": "new" }), public]);
        let token = lasting(&issuer, &issuer.key);
        assert_eq!(status(&world, &token).await, 401, "{name}");
    }
}

#[tokio::test]
async fn a_silent_issuer_is_no_reason_to_forget_its_keys_for_a_day() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let token = lasting(&issuer, &issuer.key);
    assert_eq!(status(&world, &token).await, 200);
    issuer.silence(true);
    world.clock.advance(SignedDuration::from_hours(23));
    assert_eq!(status(&world, &token).await, 200);
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(status(&world, &token).await, 503, "not for ever");
    issuer.silence(false);
    world.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(status(&world, &token).await, 200);
}

#[tokio::test]
async fn an_issuer_that_calls_itself_otherwise_is_not_believed() {
    let issuer = Issuer::start().await;
    issuer.rename("https://evil.example");
    let world = world(&issuer).await;
    let token = lasting(&issuer, &issuer.key);
    assert_eq!(status(&world, &token).await, 503);
    assert_eq!(issuer.fetches(), 0);
}
