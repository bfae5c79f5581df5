//! Acceptance scenario A-15: tokens that are not accepted, each by its name, and headers that
//! identify nobody.

mod cases;

use axum::http::Method;
use serde_json::{Value, json};

use cases::{bearer, malformed, now, wrong_claims, wrong_headers, wrong_schemes, wrong_signatures};

use super::issuer::{AUDIENCE, Issuer, Key, merged};
use crate::accounts::audited;
use crate::world::World;

async fn call(world: &World, headers: &[(&str, &str)]) -> crate::world::Answer {
    world
        .call_bare(Method::GET, "/api/users/me", headers, None)
        .await
}

/// Lets Ann in, so that each refused token differs from an accepted one in a single thing.
async fn register_ann(world: &World) {
    let ann = json!({ "email": "ann@example.com", "role": "viewer" });
    world.post("/api/users", &ann).await.expect(201);
}

#[tokio::test]
async fn a_15_unsigned_wrong_audience_expired_or_other_tenant_tokens_and_spoofed_identity_headers_are_refused()
 {
    let issuer = Issuer::start().await;
    let world = issuer.tenant_world().await;
    register_ann(&world).await;
    let good = bearer(&issuer.token(&json!({})));
    call(&world, &[("authorization", &good)]).await.expect(200);
    let log = audited(&world).await;
    let groups = [
        wrong_claims(&issuer),
        wrong_headers(&issuer),
        wrong_signatures(&issuer),
        malformed(&issuer),
        wrong_schemes(&issuer),
    ];
    let cases = groups.concat();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    for (name, value) in &cases {
        let answer = call(&world, &[("authorization", value)]).await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.body);
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{name}");
        let shown = answer.body.to_string();
        assert!(!shown.contains("subject-of-ann"), "{name}: {shown}");
    }
    refuses_spoofed_headers(&world, &good).await;
    call(&world, &[("authorization", &good)]).await.expect(200);
    assert_eq!(audited(&world).await, log, "refusals flood no log");
    let users = world.get("/api/users").await.expect(200);
    assert_eq!(users["count"], json!(1));
    let asked = world.get("/api/access-requests").await.expect(200);
    assert_eq!(asked["count"], json!(0));
}

/// Headers in which platforms say who somebody is, beside nothing, and beside what is refused.
async fn refuses_spoofed_headers(world: &World, good: &str) {
    let principal = json!({
        "auth_typ": "aad", "userId": "aaaaaaaa-0000-4000-8000-000000000001",
        "userDetails": "ann@example.com", "userRoles": ["admin"],
    });
    let principal = data_encoding::BASE64.encode(principal.to_string().as_bytes());
    let token = good.strip_prefix("Bearer ").unwrap();
    let spoofed = [
        (
            "x-ms-client-principal-id",
            "aaaaaaaa-0000-4000-8000-000000000001",
        ),
        ("x-ms-client-principal-name", "ann@example.com"),
        ("x-ms-client-principal-idp", "aad"),
        ("x-ms-client-principal", principal.as_str()),
        ("x-ms-token-aad-access-token", token),
        ("x-ms-token-aad-id-token", token),
        ("x-forwarded-user", "ann@example.com"),
        ("x-forwarded-email", "ann@example.com"),
        ("x-forwarded-access-token", token),
        ("x-auth-request-email", "ann@example.com"),
        ("remote-user", "ann@example.com"),
        ("x-remote-user", "ann@example.com"),
        ("x-user", "ann@example.com"),
        ("proxy-authorization", good),
        ("x-original-authorization", good),
        ("cookie", "access_token=x; AppServiceAuthSession=x"),
    ];
    for header in &spoofed {
        let answer = call(world, &[*header]).await;
        assert_eq!(answer.status, 401, "{header:?}");
    }
    assert_eq!(call(world, &spoofed).await.status, 401, "all of them");
    let twice = [("authorization", good), ("authorization", good)];
    assert_eq!(
        call(world, &twice).await.status,
        401,
        "two Authorization headers"
    );
    let mixed = [("authorization", "Bearer x"), ("authorization", good)];
    assert_eq!(
        call(world, &mixed).await.status,
        401,
        "the second is no good"
    );
}

#[tokio::test]
async fn good_tokens_are_accepted_whatever_their_algorithm_and_form() {
    let issuer = Issuer::start().await;
    let world = issuer.tenant_world().await;
    register_ann(&world).await;
    let keys = [
        (Key::p256("p256"), vec!["ES256"]),
        (Key::p384("p384"), vec!["ES384"]),
        (Key::ed25519("ed25519"), vec!["EdDSA"]),
        (
            Key::rsa("rsa"),
            vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        ),
    ];
    let published: Vec<Value> = keys.iter().map(|(key, _)| key.public()).collect();
    issuer.publish(&published);
    for (key, algorithms) in &keys {
        for algorithm in algorithms {
            let header = json!({ "typ": "JWT", "alg": algorithm, "kid": key.id });
            let value = bearer(&key.token(&header, &issuer.claims()));
            let answer = call(&world, &[("authorization", &value)]).await;
            assert_eq!(answer.status, 200, "{algorithm}: {}", answer.body);
        }
    }
    let now = now();
    let (key, _) = &keys[0];
    let header = json!({ "alg": "ES256", "kid": key.id });
    for changes in [
        json!({ "aud": [AUDIENCE] }),
        json!({ "aud": ["another-api", AUDIENCE] }),
        json!({ "exp": now - 59 }),
        json!({ "nbf": now + 60 }),
        json!({ "nbf": 0 }),
        json!({ "extra": { "deep": [1, 2, 3] } }),
        json!({ "name": null }),
    ] {
        let claims = merged(issuer.claims(), &changes);
        let value = bearer(&key.token(&header, &claims));
        let answer = call(&world, &[("authorization", &value)]).await;
        assert_eq!(answer.status, 200, "{changes}: {}", answer.body);
    }
    let token = key.token(
        &json!({ "typ": "at+JWT", "alg": "ES256", "kid": key.id }),
        &issuer.claims(),
    );
    for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer  "] {
        let value = format!("{scheme}{token}");
        let answer = call(&world, &[("authorization", &value)]).await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn without_an_identity_provider_no_token_of_one_is_accepted() {
    let issuer = Issuer::start().await;
    let world = World::new().await;
    let good = bearer(&issuer.token(&json!({})));
    assert_eq!(call(&world, &[("authorization", &good)]).await.status, 401);
    assert_eq!(issuer.fetches(), 0);
}
