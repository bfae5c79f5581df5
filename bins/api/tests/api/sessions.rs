//! Sessions: begun by signing in, ended by time, by signing out and by every change that must.

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::{Answer, TOKEN, World};

/// Everybody's password here.
pub(crate) const PASSPHRASE: &str = "a long passphrase";

/// What a browser holds.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    cookie: String,
}

impl Session {
    /// Sends what a page of ours would send.
    pub(crate) async fn call(
        &self,
        world: &World,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        world.call_bare(method, path, &self.headers(), body).await
    }

    /// The headers that go with it.
    pub(crate) fn headers(&self) -> [(&'static str, &str); 3] {
        [
            ("cookie", self.cookie.as_str()),
            ("x-requested-with", "dilux"),
            ("sec-fetch-site", "same-origin"),
        ]
    }

    pub(crate) async fn get(&self, world: &World, path: &str) -> Answer {
        self.call(world, Method::GET, path, None).await
    }

    pub(crate) async fn user_id(&self, world: &World) -> String {
        let me = self.get(world, "/api/users/me").await.expect(200);
        me["user"]["id"].as_str().unwrap().to_owned()
    }

    async fn status(&self, world: &World) -> u16 {
        self.get(world, "/api/users/me").await.status
    }
}

/// Tries to sign in.
async fn attempt(world: &World, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    let path = "/api/auth/login";
    world.call_as(None, Method::POST, path, Some(&body)).await
}

/// The session that an answer gives.
fn given(answer: &Answer) -> Session {
    let cookie = answer.header("set-cookie");
    let (pair, attributes) = cookie.split_once(';').unwrap();
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(attributes.contains(attribute), "{cookie}");
    }
    assert!(pair.starts_with("__Host-") && pair.len() > 64, "{cookie}");
    Session {
        cookie: pair.to_owned(),
    }
}

/// Signs somebody in.
pub(crate) async fn sign_in(world: &World, email: &str) -> Session {
    let answer = attempt(world, email, PASSPHRASE).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    given(&answer)
}

/// Somebody who was invited, accepted and signed in.
pub(crate) async fn member(world: &World, email: &str, role: &str) -> Session {
    let body = json!({ "email": email, "role": role });
    let made = world.post("/api/users", &body).await.expect(201);
    let accept = json!({
        "email": email, "invitation": made["invitation"], "password": PASSPHRASE,
    });
    let path = "/api/auth/invitation";
    world
        .call_as(None, Method::POST, path, Some(&accept))
        .await
        .expect(200);
    sign_in(world, email).await
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_person_get_the_same_answer() {
    let world = World::new().await;
    member(&world, "a@example.com", "viewer").await;
    let wrong = attempt(&world, "a@example.com", "another passphrase").await;
    let unknown = attempt(&world, "nobody@example.com", PASSPHRASE).await;
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.body["error"], unknown.body["error"]);
    assert_eq!(wrong.header("set-cookie"), "");
}

#[tokio::test]
async fn failures_delay_the_account_and_the_right_password_waits_no_longer_than_that() {
    let world = World::new().await;
    member(&world, "a@example.com", "viewer").await;
    for _ in 0..3 {
        let answer = attempt(&world, "a@example.com", "wrong wrong wrong").await;
        assert_eq!(answer.status, 401);
    }
    let answer = attempt(&world, "A@example.com", PASSPHRASE).await;
    assert_eq!(answer.status, 429, "whatever the case of the address");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(
        attempt(&world, "b@example.com", "x").await.status,
        401,
        "others may"
    );
    world.clock.advance(SignedDuration::from_secs(1));
    sign_in(&world, "a@example.com").await;
    let answer = attempt(&world, "a@example.com", "wrong wrong wrong").await;
    assert_eq!(answer.status, 401, "the failures are forgotten");
}

#[tokio::test]
async fn a_session_ends_when_it_lies_idle_and_at_the_latest_after_its_lifetime() {
    let world = World::new().await;
    let session = member(&world, "a@example.com", "viewer").await;
    for _ in 0..13 {
        world.clock.advance(SignedDuration::from_mins(55));
        assert_eq!(session.status(&world).await, 200);
    }
    world.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(session.status(&world).await, 401, "12 hours are over");
    let session = sign_in(&world, "a@example.com").await;
    world.clock.advance(SignedDuration::from_mins(60));
    assert_eq!(session.status(&world).await, 401, "it lay idle");
    sign_in(&world, "a@example.com").await;
    let kept = world
        .installation
        .repositories
        .sessions
        .list()
        .await
        .unwrap();
    assert_eq!(kept.items.len(), 1, "sessions that are over are deleted");
}

#[tokio::test]
async fn the_text_of_a_session_is_kept_nowhere() {
    let world = World::new().await;
    let session = member(&world, "a@example.com", "viewer").await;
    let (_, text) = session.cookie.split_once('=').unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(world.directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for secret in [text, PASSPHRASE] {
                let found = bytes
                    .windows(secret.len())
                    .any(|it| it == secret.as_bytes());
                assert!(!found, "it stands in {}", path.display());
            }
        }
    }
    assert!(files > 0);
}

#[tokio::test]
async fn signing_out_ends_this_session_and_no_other() {
    let world = World::new().await;
    let first = member(&world, "a@example.com", "viewer").await;
    let second = sign_in(&world, "a@example.com").await;
    assert_ne!(
        first.cookie, second.cookie,
        "each sign-in begins a session of its own"
    );
    let answer = first
        .call(&world, Method::POST, "/api/auth/logout", None)
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(first.status(&world).await, 401);
    assert_eq!(second.status(&world).await, 200);
}

#[tokio::test]
async fn disabling_demoting_and_removing_somebody_ends_their_sessions_at_once() {
    let world = World::new().await;
    let put = async |session: &Session, body: Value| {
        let path = format!("/api/users/{}", session.user_id(&world).await);
        world.put(&path, &body).await.expect(200);
    };
    let session = member(&world, "a@example.com", "operator").await;
    put(&session, json!({ "name": "Ann" })).await;
    assert_eq!(session.status(&world).await, 200, "a name is no right");
    let id = session.user_id(&world).await;
    put(&session, json!({ "role": "viewer" })).await;
    assert_eq!(session.status(&world).await, 401);
    let session = sign_in(&world, "a@example.com").await;
    put(&session, json!({ "grants": ["data"] })).await;
    assert_eq!(session.status(&world).await, 401);
    let session = sign_in(&world, "a@example.com").await;
    put(&session, json!({ "enabled": false })).await;
    let answer = session.get(&world, "/api/users/me").await;
    assert_eq!(answer.status, 401);
    let told = "Your account has been disabled. Please contact an administrator.";
    assert_eq!(answer.body["error"], json!(told));
    let answer = attempt(&world, "a@example.com", PASSPHRASE).await;
    assert_eq!((answer.status, &answer.body["error"]), (401, &json!(told)));
    let path = format!("/api/users/{id}");
    world
        .put(&path, &json!({ "enabled": true }))
        .await
        .expect(200);
    assert_eq!(session.status(&world).await, 401, "it does not come back");
    let session = sign_in(&world, "a@example.com").await;
    world.delete(&path).await.expect(200);
    assert_eq!(session.status(&world).await, 401);
    assert_eq!(
        attempt(&world, "a@example.com", PASSPHRASE).await.status,
        401
    );
}

#[tokio::test]
async fn another_password_ends_every_session_and_begins_a_new_one() {
    let world = World::new().await;
    let first = member(&world, "a@example.com", "viewer").await;
    let second = sign_in(&world, "a@example.com").await;
    let path = "/api/users/me/password";
    let wrong = json!({ "current_password": "wrong", "new_password": "another passphrase" });
    let answer = first.call(&world, Method::PUT, path, Some(&wrong)).await;
    assert_eq!(answer.refused_fields(), ["current_password"]);
    let weak = json!({ "current_password": PASSPHRASE, "new_password": "short" });
    let answer = first.call(&world, Method::PUT, path, Some(&weak)).await;
    assert_eq!(answer.refused_fields(), ["new_password"]);
    let body = json!({ "current_password": PASSPHRASE, "new_password": "another passphrase" });
    let answer = first.call(&world, Method::PUT, path, Some(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let new = given(&answer);
    let statuses = [
        first.status(&world).await,
        second.status(&world).await,
        new.status(&world).await,
    ];
    assert_eq!(statuses, [401, 401, 200]);
    assert_eq!(
        attempt(&world, "a@example.com", PASSPHRASE).await.status,
        401
    );
    let answer = attempt(&world, "a@example.com", "another passphrase").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_with_a_new_invitation() {
    let world = World::new().await;
    let session = member(&world, "a@example.com", "viewer").await;
    let path = format!("/api/users/{}/invitation", session.user_id(&world).await);
    let invited = world.post(&path, &json!({})).await.expect(201);
    assert_eq!(
        session.status(&world).await,
        200,
        "nothing changes until it is accepted"
    );
    let accept = json!({
        "email": "a@example.com", "invitation": invited["invitation"],
        "password": "another passphrase",
    });
    let path = "/api/auth/invitation";
    world
        .call_as(None, Method::POST, path, Some(&accept))
        .await
        .expect(200);
    assert_eq!(session.status(&world).await, 401);
    let answer = attempt(&world, "a@example.com", "another passphrase").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_with_the_cookie() {
    let world = World::new().await;
    let session = member(&world, "a@example.com", "admin").await;
    let body = json!({ "name": "made", "role": "admin" });
    let post = async |headers: &[(&str, &str)]| {
        let cookie = [("cookie", session.cookie.as_str())];
        let headers = [&cookie, headers].concat();
        let path = "/api/tokens";
        world
            .call_bare(Method::POST, path, &headers, Some(&body))
            .await
    };
    let own = ("x-requested-with", "dilux");
    for headers in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/x-www-form-urlencoded")],
        vec![own, ("sec-fetch-site", "cross-site")],
        vec![own, ("sec-fetch-site", "same-site")],
        vec![own, ("origin", "https://evil.example")],
        vec![own, ("origin", "null")],
    ] {
        let answer = post(&headers).await;
        assert_eq!(answer.status, 403, "{headers:?}: {}", answer.body);
    }
    assert_eq!(
        world.get("/api/tokens").await.expect(200)["count"],
        json!(1),
        "that of the tests"
    );
    assert_eq!(post(&[own]).await.status, 201);
    assert_eq!(
        post(&[own, ("origin", "http://localhost:7071")])
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_foreign_page_signs_nobody_in() {
    let world = World::new().await;
    member(&world, "a@example.com", "viewer").await;
    let body = json!({ "email": "a@example.com", "password": PASSPHRASE });
    for headers in [
        [("sec-fetch-site", "cross-site")],
        [("origin", "https://evil.example")],
    ] {
        let path = "/api/auth/login";
        let answer = world
            .call_bare(Method::POST, path, &headers, Some(&body))
            .await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn a_wrong_token_is_not_made_good_by_a_session_beside_it() {
    let world = World::new().await;
    let session = member(&world, "a@example.com", "viewer").await;
    let wrong = format!("Bearer {TOKEN}x");
    for value in [wrong.as_str(), "Basic YTpi", "Bearer "] {
        let headers = [
            ("cookie", session.cookie.as_str()),
            ("authorization", value),
        ];
        let answer = world
            .call_bare(Method::GET, "/api/users/me", &headers, None)
            .await;
        assert_eq!(answer.status, 401, "{value}");
    }
}

#[tokio::test]
async fn identity_headers_of_platforms_are_ignored() {
    let world = World::new().await;
    for headers in [
        [
            ("x-ms-client-principal-id", "x"),
            ("x-ms-client-principal-name", "a@example.com"),
        ],
        [
            ("x-ms-client-principal", "e30="),
            ("x-forwarded-user", "admin"),
        ],
    ] {
        let answer = world
            .call_bare(Method::GET, "/api/users/me", &headers, None)
            .await;
        assert_eq!(answer.status, 401);
    }
}
