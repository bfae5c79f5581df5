//! Signing in with a browser through the provider: from the first click to the session, and every way
//! in which somebody else might end up in it.

use std::collections::HashMap;

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::issuer::{Issuer, Key, TENANT, encoded, merged};
use crate::accounts::audited;
use crate::world::{Answer, World};

const START: &str = "/api/auth/oidc/start";
const CALLBACK: &str = "/api/auth/oidc/callback";

/// A browser that was sent to the provider.
struct Browser {
    cookie: String,
    /// What it asks the provider for.
    asked: HashMap<String, String>,
}

fn pairs(text: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

fn cookies(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all("set-cookie").iter();
    all.map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

impl Browser {
    async fn begin(world: &World, path: &str) -> Self {
        let answer = world.call_bare(Method::GET, path, &[], None).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie = cookies(&answer).remove(0);
        for attribute in [
            "Path=/",
            "Secure",
            "HttpOnly",
            "SameSite=Lax",
            "Max-Age=600",
        ] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        let url = Url::parse(answer.header("location")).unwrap();
        assert!(url.path() == "/authorize" && url.host_str() == Some("127.0.0.1"));
        Self {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            asked: pairs(url.query().unwrap()),
        }
    }

    /// Comes back with these parameters beside the state.
    async fn come_back(&self, world: &World, more: &str) -> Answer {
        let query = format!("state={}&{more}", self.asked["state"]);
        self.call(world, &query).await
    }

    async fn call(&self, world: &World, query: &str) -> Answer {
        let headers = [("cookie", self.cookie.as_str())];
        let path = format!("{CALLBACK}?{query}");
        world.call_bare(Method::GET, &path, &headers, None).await
    }
}

/// The claims of Ann's ID token for a browser.
fn claims(issuer: &Issuer, browser: &Browser) -> Value {
    let changes = json!({
        "aud": "client-of-the-test", "nonce": browser.asked["nonce"], "nbf": null,
    });
    merged(issuer.claims(), &changes)
}

/// Has the issuer give out this ID token, for the right verifier, however often.
fn hand_out(issuer: &Issuer, browser: &Browser, token: String) {
    let challenge = browser.asked["code_challenge"].clone();
    issuer.exchange_by(Box::new(move |form| {
        let form = pairs(form);
        let verifier = Sha256::digest(form["code_verifier"].as_bytes());
        let is_right = encoded(verifier) == challenge
            && form["code"] == "the-code"
            && form["grant_type"] == "authorization_code"
            && form["client_id"] == "client-of-the-test"
            && form["redirect_uri"] == "http://localhost:7071/api/auth/oidc/callback";
        if is_right {
            let access = "access-token-of-the-test";
            (
                200,
                json!({ "id_token": token, "access_token": access, "token_type": "Bearer" }),
            )
        } else {
            (400, json!({ "error": "invalid_grant" }))
        }
    }));
}

async fn world(issuer: &Issuer) -> World {
    let world = issuer.tenant_world().await;
    let ann = json!({ "email": "ann@example.com", "role": "operator" });
    world.post("/api/users", &ann).await.expect(201);
    world
}

#[tokio::test]
async fn a_browser_signs_in_through_the_provider_and_gets_a_session_and_no_token() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let browser = Browser::begin(&world, &format!("{START}?return_to=/databases%3Fpage=2")).await;
    let asked = &browser.asked;
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], "client-of-the-test");
    assert_eq!(asked["scope"], "openid profile email");
    assert_eq!(asked["code_challenge_method"], "S256");
    let own = ["state", "nonce", "code_challenge"].map(|name| asked[name].as_str());
    assert!(own.iter().all(|text| text.len() == 43), "{own:?}");
    let token = issuer
        .key
        .token(&issuer.header(), &claims(&issuer, &browser));
    hand_out(&issuer, &browser, token.clone());
    let answer = browser.come_back(&world, "code=the-code").await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(answer.header("location"), "/databases?page=2");
    let given = cookies(&answer);
    assert!(given[0].starts_with("__Host-dilux_session="), "{given:?}");
    assert!(given[0].contains("SameSite=Strict"));
    assert!(given[1].starts_with("__Host-dilux_sign_in=;") && given[1].contains("Max-Age=0"));
    let shown = format!("{:?}{:?}", answer.headers, answer.bytes);
    assert!(!shown.contains(&token) && !shown.contains("access-token"));
    let session = given[0].split(';').next().unwrap();
    let headers = [("cookie", session)];
    let path = "/api/users/me";
    let me = world.call_bare(Method::GET, path, &headers, None).await;
    let me = me.expect(200);
    assert_eq!(me["user"]["role"], json!("operator"));
    let log = audited(&world).await;
    assert_eq!(log, ["user_created", "user_login", "user_login"]);
    let again = browser.come_back(&world, "code=the-code").await;
    assert_eq!(again.status, 400, "the same answer counts once");
    assert_eq!(issuer.exchanged().len(), 1);
}

#[tokio::test]
async fn what_was_not_begun_in_this_browser_ends_in_no_session() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let victim = Browser::begin(&world, START).await;
    let attacker = Browser::begin(&world, START).await;
    let token = issuer
        .key
        .token(&issuer.header(), &claims(&issuer, &attacker));
    hand_out(&issuer, &attacker, token);
    let state = attacker.asked["state"].as_str();
    let good = format!("code=the-code&state={state}");
    let tampered = Browser {
        cookie: attacker.cookie.replace("Lw", "L2V2aWw"),
        asked: HashMap::new(),
    };
    assert_ne!(
        tampered.cookie, attacker.cookie,
        "another path to return to"
    );
    let bare = Browser {
        cookie: "other=1".to_owned(),
        asked: HashMap::new(),
    };
    for (name, browser, query) in [
        ("no cookie", &bare, good.clone()),
        ("the cookie of somebody else", &victim, good.clone()),
        ("a cookie with another path", &tampered, good.clone()),
        ("no state", &attacker, "code=the-code".to_owned()),
        (
            "an empty state",
            &attacker,
            "code=the-code&state=".to_owned(),
        ),
        (
            "another state",
            &attacker,
            format!("code=the-code&state={state}x"),
        ),
        ("the nonce as the state", &attacker, {
            format!("code=the-code&state={}", attacker.asked["nonce"])
        }),
        (
            "another issuer",
            &attacker,
            format!("{good}&iss=https://evil.example"),
        ),
    ] {
        let answer = browser.call(&world, &query).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.body);
        assert!(cookies(&answer).is_empty(), "{name}");
    }
    assert_eq!(issuer.exchanged().len(), 0, "no code was spent");
    let named = format!("{good}&iss={}", issuer.url);
    assert_eq!(attacker.call(&world, &named).await.status, 303);
    world.clock.advance(SignedDuration::from_mins(10));
    let late = victim.come_back(&world, "code=the-code").await;
    assert_eq!(late.status, 400, "ten minutes are over");
}

#[tokio::test]
async fn an_id_token_that_is_not_for_this_sign_in_is_refused() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let stranger = Key::p256(&issuer.key.id);
    let now = issuer.claims()["iat"].as_i64().unwrap();
    let changes = [
        json!({ "nonce": null }),
        json!({ "nonce": "" }),
        json!({ "nonce": "another" }),
        json!({ "nonce": ["x"] }),
        json!({ "aud": "api-of-the-test" }),
        json!({ "aud": ["client-of-the-test", "another"] }),
        json!({ "azp": "another" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "tid": "other" }),
        json!({ "exp": now - 60 }),
        json!({ "exp": null }),
        json!({ "iat": null }),
        json!({ "iat": now + 61 }),
        json!({ "iat": now.to_string() }),
        json!({ "nbf": now + 61 }),
        json!({ "sub": null }),
    ];
    for changes in changes {
        let browser = Browser::begin(&world, START).await;
        let claims = merged(claims(&issuer, &browser), &changes);
        hand_out(
            &issuer,
            &browser,
            issuer.key.token(&issuer.header(), &claims),
        );
        let answer = browser.come_back(&world, "code=the-code").await;
        assert_eq!(answer.status, 401, "{changes}: {}", answer.body);
        assert!(cookies(&answer).is_empty(), "{changes}");
    }
    for token in [
        (|issuer: &Issuer, _: &Key, claims: &Value| {
            let header = json!({ "alg": "none" });
            issuer.key.token(&header, claims)
        }) as fn(&Issuer, &Key, &Value) -> String,
        |issuer, stranger, claims| stranger.token(&issuer.header(), claims),
        |_, _, _| "no token".to_owned(),
    ] {
        let browser = Browser::begin(&world, START).await;
        let token = token(&issuer, &stranger, &claims(&issuer, &browser));
        hand_out(&issuer, &browser, token);
        let answer = browser.come_back(&world, "code=the-code").await;
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    let asked = world.get("/api/users").await.expect(200);
    assert_eq!(asked["users"][0]["last_login"], Value::Null);
    assert_eq!(issuer.claims()["tid"], json!(TENANT));
}

#[tokio::test]
async fn a_provider_that_refuses_or_fails_is_told_of_without_its_words() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    let refusing = [
        ("error=access_denied", "access_denied"),
        ("error=%3Cscript%3E", "no reason"),
        ("error=access_denied&code=the-code", "access_denied"),
        ("", "no reason"),
    ];
    for (query, expected) in refusing {
        let browser = Browser::begin(&world, START).await;
        let answer = browser.come_back(&world, query).await;
        assert_eq!(answer.status, 401, "{query}");
        let sentence = answer.body["error"].as_str().unwrap();
        assert!(sentence.contains(expected), "{sentence}");
    }
    let browser = Browser::begin(&world, START).await;
    let token = issuer
        .key
        .token(&issuer.header(), &claims(&issuer, &browser));
    hand_out(&issuer, &browser, token);
    let answer = browser.come_back(&world, "code=another-code").await;
    assert_eq!(answer.status, 401);
    let browser = Browser::begin(&world, START).await;
    issuer.exchange_by(Box::new(|_| (500, json!({}))));
    let answer = browser.come_back(&world, "code=the-code").await;
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn somebody_unknown_or_disabled_gets_no_session_from_the_provider() {
    let issuer = Issuer::start().await;
    let world = issuer.tenant_world().await;
    let browser = Browser::begin(&world, START).await;
    let token = issuer
        .key
        .token(&issuer.header(), &claims(&issuer, &browser));
    hand_out(&issuer, &browser, token);
    let answer = browser.come_back(&world, "code=the-code").await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(cookies(&answer).is_empty());
    let asked = world.get("/api/access-requests").await.expect(200);
    assert_eq!(asked["count"], json!(1));
}

#[tokio::test]
async fn whose_browser_comes_back_for_nothing_is_told_so_on_a_page() {
    let issuer = Issuer::start().await;
    let world = issuer.tenant_world().await;
    let browser = Browser::begin(&world, START).await;
    let claims = claims(&issuer, &browser);
    hand_out(
        &issuer,
        &browser,
        issuer.key.token(&issuer.header(), &claims),
    );
    let path = format!("{CALLBACK}?code=the-code&state={}", browser.asked["state"]);
    let accept = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let headers = [("cookie", browser.cookie.as_str()), accept];
    let answer = world.call_bare(Method::GET, &path, &headers, None).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    assert!(cookies(&answer).is_empty());
    let page = String::from_utf8(answer.bytes).unwrap();
    let notice = "<meta name=\"dilux-notice\" content=\"";
    let (_, notice) = page.split_once(notice).unwrap();
    let (notice, _) = notice.split_once("\">").unwrap();
    assert!(notice.contains("a request was noted"), "{notice}");
}

#[tokio::test]
async fn the_secret_of_the_app_goes_to_the_provider_and_nowhere_else() {
    let issuer = Issuer::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cret of the app\n").unwrap();
    let path = file.path().to_str().unwrap();
    for setting in [
        ("DILUX_OIDC_CLIENT_SECRET", "s3cret of the app"),
        ("DILUX_OIDC_CLIENT_SECRET_FILE", path),
    ] {
        let world = issuer.world(&[setting]).await;
        let browser = Browser::begin(&world, START).await;
        issuer.exchange_by(Box::new(|_| (400, json!({}))));
        let answer = browser.come_back(&world, "code=the-code").await;
        assert_eq!(answer.status, 401);
        assert!(!answer.body.to_string().contains("s3cret"));
        let sent = issuer.exchanged().pop().unwrap();
        let (credentials, form) = sent.split_once('\n').unwrap();
        let pair = data_encoding::BASE64.encode(b"client-of-the-test:s3cret+of+the+app");
        assert_eq!(credentials, format!("Basic {pair}"));
        assert!(!form.contains("s3cret"), "{form}");
    }
}

#[tokio::test]
async fn nobody_is_sent_to_another_site_and_the_methods_are_told() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    for foreign in [
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
    ] {
        let path = format!("{START}?return_to={foreign}");
        let answer = world.call_bare(Method::GET, &path, &[], None).await;
        assert_eq!(answer.refused_fields(), ["return_to"], "{foreign}");
    }
    let methods = async |world: &World| {
        let path = "/api/auth/methods";
        let answer = world.call_bare(Method::GET, path, &[], None).await;
        answer.expect(200)["methods"].clone()
    };
    let password = json!({ "kind": "password", "start": null, "issuer": null });
    let oidc = json!({ "kind": "oidc", "start": START, "issuer": issuer.url });
    assert_eq!(methods(&world).await, json!([oidc, password]));
    let plain = World::new().await;
    assert_eq!(methods(&plain).await, json!([password]));
    for path in [START, CALLBACK] {
        let answer = plain.call_bare(Method::GET, path, &[], None).await;
        assert_eq!(answer.status, 404);
    }
}
