//! While nobody is asked who they are: everybody is one admin, is told so all the time, and a web page
//! is still nobody.

use axum::http::Method;
use serde_json::json;

use crate::sessions::member;
use crate::world::World;

const OPEN: [(&str, &str); 2] = [("DILUX_AUTH", "off"), ("DILUX_EVERYBODY_IS_ADMIN", "yes")];

/// What a program or page of ours sends with a change.
const OWN: (&str, &str) = ("x-requested-with", "dilux");

async fn open() -> World {
    World::with_variables(&OPEN).await
}

#[tokio::test]
async fn everybody_is_one_admin_whom_the_audit_log_names() {
    let world = open().await;
    let me = world.call_bare(Method::GET, "/api/users/me", &[], None);
    let me = me.await.expect(200);
    assert_eq!(me["user"]["role"], json!("admin"));
    let body = json!({ "name": "robot", "role": "viewer" });
    let made = world.call_bare(Method::POST, "/api/tokens", &[OWN], Some(&body));
    made.await.expect(201);
    let page = world.call_bare(Method::GET, "/api/audit?limit=1", &[], None);
    let page = page.await.expect(200);
    assert_eq!(page["logs"][0]["action"], json!("token_created"));
    assert_eq!(page["logs"][0]["user_id"], json!("anybody"));
    assert_eq!(page["logs"][0]["user_email"], json!("anybody@localhost"));
    let events = world.call_bare(Method::GET, "/api/events", &[], None);
    events.await.is(200);
}

#[tokio::test]
async fn nobody_is_anybody_else_whatever_they_show() {
    let world = open().await;
    let body = json!({ "name": "robot", "role": "viewer" });
    let made = world.call_bare(Method::POST, "/api/tokens", &[OWN], Some(&body));
    let secret = made.await.expect(201)["secret"].clone();
    let bearer = format!("Bearer {}", secret.as_str().unwrap());
    for shown in [bearer.as_str(), "Bearer wrong", "nonsense"] {
        let headers = [("authorization", shown)];
        let me = world.call_bare(Method::GET, "/api/users/me", &headers, None);
        assert_eq!(me.await.expect(200)["user"]["id"], json!("anybody"));
    }
}

#[tokio::test]
async fn every_answer_and_the_list_of_ways_to_sign_in_warn_of_it() {
    let world = open().await;
    for (path, headers) in [
        ("/", &[][..]),
        ("/assets/main.js", &[]),
        ("/api/health", &[]),
        ("/api/auth/methods", &[]),
        ("/api/engines", &[]),
        ("/api/nothing", &[]),
        ("/api/openapi.json", &[]),
        ("/api/engines", &[("sec-fetch-site", "cross-site")]),
    ] {
        let answer = world.call_bare(Method::GET, path, headers, None).await;
        let warning = answer.header("x-dilux-warning");
        assert!(warning.contains("authentication is off"), "{path}");
    }
    let path = "/api/auth/methods";
    let answer = world.call_bare(Method::GET, path, &[], None).await;
    let warning = answer.header("x-dilux-warning").to_owned();
    let expected = json!({ "methods": [], "authentication": "off", "warning": warning });
    assert_eq!(answer.expect(200), expected);

    let closed = World::new().await;
    let answer = closed.call_bare(Method::GET, path, &[], None).await;
    assert!(answer.headers.get("x-dilux-warning").is_none());
    assert_eq!(answer.body["authentication"], json!("required"));
    assert_eq!(answer.body["warning"], json!(null));
}

#[tokio::test]
async fn a_web_page_cannot_drive_it() {
    let world = open().await;
    let body = json!({ "name": "robot", "role": "admin" });
    let forged: [&[(&str, &str)]; 7] = [
        // A form, or a script that may not set headers.
        &[],
        &[("origin", "https://evil.example")],
        // Scripts that do, by the word of the browser.
        &[OWN, ("origin", "https://evil.example")],
        &[OWN, ("origin", "null")],
        &[OWN, ("origin", "http://localhost:3000")],
        &[OWN, ("sec-fetch-site", "cross-site")],
        &[OWN, ("sec-fetch-site", "same-site")],
    ];
    for headers in forged {
        let path = "/api/tokens";
        let answer = world.call_bare(Method::POST, path, headers, Some(&body));
        assert_eq!(answer.await.status, 403, "{headers:?}");
    }
    let read = [("sec-fetch-site", "cross-site")];
    let answer = world.call_bare(Method::GET, "/api/engines", &read, None);
    assert_eq!(answer.await.status, 403, "not even reading");
    let tokens = world.call_bare(Method::GET, "/api/tokens", &[], None).await;
    let tokens = tokens.expect(200);
    assert_eq!(tokens["count"], json!(1), "that of the tests: {tokens}");
    // The page's name was made to point here, so that it counts as its own origin.
    let rebound = [
        ("host", "evil.example:7071"),
        ("origin", "http://evil.example:7071"),
        ("sec-fetch-site", "same-origin"),
        ("x-forwarded-host", "localhost:7071"),
        OWN,
    ];
    for method in [Method::GET, Method::POST] {
        let route = (method.clone(), "/api/tokens");
        let answer = world
            .call_from("127.0.0.1", route, &rebound, Some(&body))
            .await;
        assert_eq!(answer.status, 421, "{method}");
    }
    let own = [
        OWN,
        ("origin", "http://localhost:7071"),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer = world.call_bare(Method::POST, "/api/tokens", &own, Some(&body));
    answer.await.expect(201);
}

#[tokio::test]
async fn without_the_settings_nobody_is_anybody() {
    let world = World::with_variables(&[("DILUX_AUTH", "on"), ("DILUX_EVERYBODY_IS_ADMIN", "no")]);
    let world = world.await;
    member(&world, "a@example.com", "viewer").await;
    let answer = world.call_bare(Method::GET, "/api/users/me", &[OWN], None);
    assert_eq!(answer.await.status, 401);
}
