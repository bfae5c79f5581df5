//! Who gets in, and what surrounds every answer.

use axum::body::Body;
use axum::http::{Method, Request};
use dilux_api::openapi;
use serde_json::{Value, json};

use crate::world::{Answer, TOKEN, World};

/// Every operation of the document, with ids filled in.
pub(crate) fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if let Ok(method) = method.to_uppercase().parse::<Method>()
                && ["GET", "PUT", "POST", "DELETE", "PATCH"].contains(&method.as_str())
            {
                let filled: Vec<&str> = path
                    .split('/')
                    .map(|part| {
                        if part.starts_with('{') {
                            "some-id"
                        } else {
                            part
                        }
                    })
                    .collect();
                found.push((method, filled.join("/")));
            }
        }
    }
    found
}

async fn knock(world: &World, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method.clone()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

fn is_problem(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["status"], json!(answer.status));
    assert_eq!(answer.body["error"], answer.body["detail"]);
    assert!(answer.body["errors"].is_array(), "{}", answer.body);
    let id = answer.header("x-request-id");
    assert!(!id.is_empty());
    assert_eq!(answer.body["request_id"], json!(id));
}

#[tokio::test]
async fn every_operation_but_health_and_signing_in_needs_a_token() {
    let world = World::new().await;
    let operations = operations();
    assert!(operations.len() > 20, "found only {operations:?}");
    let mut open = Vec::new();
    for (method, path) in operations {
        let wrong = format!("Bearer {TOKEN}x");
        let basic = format!("Basic {TOKEN}");
        let attempts = [
            None,
            Some(wrong.as_str()),
            Some(basic.as_str()),
            Some("Bearer "),
        ];
        for attempt in attempts {
            let mut headers = vec![("host", "localhost:7071")];
            headers.extend(attempt.map(|value| ("authorization", value)));
            let answer = knock(&world, &method, &path, &headers).await;
            if answer.status == 401 {
                is_problem(&answer);
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            } else {
                open.push(path.clone());
            }
        }
    }
    open.dedup();
    let expected = [
        "/api/auth/invitation",
        "/api/auth/login",
        "/api/auth/methods",
        "/api/auth/oidc/callback",
        "/api/auth/oidc/start",
        "/api/health",
    ];
    assert_eq!(open, expected);
}

#[tokio::test]
async fn every_operation_is_served_and_never_fails_on_an_id_that_is_not_there() {
    let world = World::new().await;
    for (method, path) in operations() {
        let answer = world
            .call_with(method.clone(), &path, &[], Some(&json!({})))
            .await;
        assert!(answer.status < 500, "{method} {path}: {}", answer.body);
        let kind = answer.body["type"].as_str().unwrap_or_default();
        assert_ne!(kind, "urn:dilux:problem:no-such-route", "{method} {path}");
        assert_ne!(
            kind, "urn:dilux:problem:method-not-allowed",
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn what_no_route_serves_is_hidden_behind_the_door() {
    let world = World::new().await;
    let local = [("host", "127.0.0.1:7071")];
    for path in [
        "/index.html",
        "/assets",
        "/assets/",
        "/assets/nothing.js",
        "/assets/../Cargo.toml",
        "/api",
        "/api/nothing",
        "/api/engines/a/b/c",
    ] {
        assert_eq!(
            knock(&world, &Method::GET, path, &local).await.status,
            401,
            "{path}"
        );
        let answer = world.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        is_problem(&answer);
    }
}

#[tokio::test]
async fn another_method_is_refused_and_the_served_ones_are_named() {
    let world = World::new().await;
    let answer = world
        .call_with(Method::PATCH, "/api/engines", &[], None)
        .await;
    assert_eq!(answer.status, 405);
    is_problem(&answer);
    assert!(
        answer.header("allow").contains("POST"),
        "{:?}",
        answer.headers
    );
}

#[tokio::test]
async fn a_request_to_a_foreign_name_is_refused_even_with_the_token() {
    let world = World::new().await;
    let bearer = format!("Bearer {TOKEN}");
    for host in [
        "evil.example",
        "localhost.evil.example:7071",
        "10.0.0.7:7071",
        "",
    ] {
        for path in ["/api/health", "/api/engines", "/api/openapi.json"] {
            let headers = [("host", host), ("authorization", bearer.as_str())];
            let answer = knock(&world, &Method::GET, path, &headers).await;
            assert_eq!(answer.status, 421, "{host} {path}");
            is_problem(&answer);
        }
    }
    let answer = knock(&world, &Method::GET, "/api/health", &[]).await;
    assert_eq!(answer.status, 421, "no host at all");
}

#[tokio::test]
async fn every_answer_carries_the_protective_headers_and_the_id_that_the_client_gave() {
    let world = World::new().await;
    for path in ["/api/health", "/api/engines", "/api/nothing"] {
        let answer = world
            .call_with(Method::GET, path, &[("x-request-id", "my-id-1")], None)
            .await;
        assert_eq!(answer.header("x-request-id"), "my-id-1");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        let policy = answer.header("content-security-policy");
        assert_eq!(
            policy,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
    }
    let document = world.call_as(None, Method::GET, "/api/docs/", None).await;
    document.is(200);
    let policy = document.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'self'; style-src"),
        "{policy}"
    );
    assert!(!policy.contains("script-src"), "scripts from here alone");
    let hostile = "x".repeat(65);
    let answer = world
        .call_with(
            Method::GET,
            "/api/health",
            &[("x-request-id", &hostile)],
            None,
        )
        .await;
    assert_ne!(answer.header("x-request-id"), hostile);
}

#[tokio::test]
async fn health_and_version_and_readiness_say_what_they_know() {
    let world = World::new().await;
    let health = world.get("/api/health").await.expect(200);
    assert_eq!(
        health,
        json!({
            "status": "healthy", "service": "dilux-backup-api",
            "version": env!("CARGO_PKG_VERSION"), "timestamp": "2026-01-31T12:00:00Z",
        })
    );
    let version = world.get("/api/version").await.expect(200);
    assert_eq!(version["environment"], json!("production"));
    assert_eq!(version["installation_id"].as_str().map(str::len), Some(12));
    assert_eq!(
        world.get("/api/ready").await.expect(200),
        json!({ "status": "ready" })
    );
}

#[tokio::test]
async fn an_installation_has_one_id_whoever_asks_first() {
    let world = World::new().await;
    let asked = (0..16).map(|_| world.installation.id());
    let ids = futures::future::join_all(asked).await;
    let ids: Vec<_> = ids.into_iter().map(Result::unwrap).collect();
    let digits = |id: &str| id.len() == 12 && id.chars().all(|c| c.is_ascii_hexdigit());
    assert!(digits(ids[0].as_str()), "{}", ids[0]);
    assert!(ids.iter().all(|id| *id == ids[0]));
    let version = world.get("/api/version").await.expect(200);
    assert_eq!(version["installation_id"], json!(ids[0].as_str()));
    let another = World::new().await;
    another.installation.random.fill(&mut [0; 8]);
    assert_ne!(another.installation.id().await.unwrap(), ids[0]);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused_clearly() {
    let world = World::new().await;
    for path in [
        "/api/engines",
        "/api/databases",
        "/api/databases/test-connection",
    ] {
        for bytes in [&b"{"[..], b"", b"nope", b"\xff\xfe", b"{\"a\":1}x"] {
            let answer = world.post_bytes(path, bytes.to_vec()).await;
            assert_eq!(answer.status, 400, "{path} {bytes:?}");
            is_problem(&answer);
        }
        for bytes in [&b"[]"[..], b"null", b"1", b"\"x\""] {
            let answer = world.post_bytes(path, bytes.to_vec()).await;
            is_problem(&answer);
            assert_eq!(answer.refused_fields(), ["body"]);
        }
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert_eq!(world.post_bytes(path, deep).await.status, 400);
        let long = format!("{{\"name\":\"{}\"}}", "x".repeat(1024 * 1024));
        let answer = world.post_bytes(path, long.into_bytes()).await;
        assert_eq!(answer.status, 413, "{path}");
        is_problem(&answer);
    }
}

#[tokio::test]
async fn an_unavailable_store_is_said_and_never_read_as_empty() {
    let world = World::new().await;
    world
        .faults
        .tables_are_down
        .store(true, std::sync::atomic::Ordering::SeqCst);
    for path in [
        "/api/engines",
        "/api/engines/some-id",
        "/api/databases",
        "/api/backup-policies",
        "/api/jobs",
        "/api/backups",
        "/api/ready",
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        is_problem(&answer);
    }
    world.faults.mend();
    assert_eq!(world.get("/api/ready").await.status, 200);
}

#[tokio::test]
async fn the_document_and_its_page_are_open_and_need_nobody_else() {
    let world = World::new().await;
    let local = [("host", "localhost:7071")];
    let document = knock(&world, &Method::GET, "/api/openapi.json", &local).await;
    assert_eq!(document.status, 200);
    assert_eq!(document.body, serde_json::to_value(openapi()).unwrap());
    let page = knock(&world, &Method::GET, "/api/docs/", &local).await;
    assert_eq!(page.status, 200);
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(html.contains("swagger-ui"), "{html}");
    for foreign in ["http://", "https://", "\"//"] {
        assert!(!html.contains(foreign), "{html}");
    }
    let file = knock(
        &world,
        &Method::GET,
        "/api/docs/swagger-ui-bundle.js",
        &local,
    )
    .await;
    assert_eq!((file.status, file.body), (200, Value::Null));
}
