//! Behind a proxy: who calls, and by which name. A proxy is believed when settings name it.

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::sessions::{PASSPHRASE, Session, member};
use crate::world::{Answer, World};

/// The proxy, and somebody else on this machine.
const PROXY: &str = "127.0.0.1";
const OTHER: &str = "127.0.0.9";

const OURS: &str = "https://backup.example.org";

async fn behind_proxy() -> World {
    let proxies = ("DILUX_TRUSTED_PROXIES", PROXY);
    World::with_variables(&[proxies, ("DILUX_PUBLIC_URL", OURS)]).await
}

/// Tries to sign in over a connection from `peer`, with this `X-Forwarded-For`.
async fn attempt(world: &World, peer: &str, hops: &str, email: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSPHRASE });
    let headers = [("host", "localhost"), ("x-forwarded-for", hops)];
    let route = (Method::POST, "/api/auth/login");
    world.call_from(peer, route, &headers, Some(&body)).await
}

/// Where the newest sign-in came from, by the audit log.
async fn noted_address(world: &World) -> Value {
    let path = "/api/audit?action=user_login&limit=1";
    let page = world.get(path).await.expect(200);
    page["logs"][0]["ip_address"].clone()
}

/// A change in this session, as a page that was loaded through the proxy sends it.
async fn change(world: &World, session: &Session, headers: &[(&str, &str)]) -> u16 {
    let [cookie, own, _] = session.headers();
    let all = [&[cookie, own][..], headers].concat();
    let route = (Method::PUT, "/api/users/me/preferences");
    let body = json!({ "dark_mode": true });
    let answer = world.call_from(PROXY, route, &all, Some(&body)).await;
    answer.status
}

#[tokio::test]
async fn the_audit_log_has_the_address_behind_a_trusted_proxy_and_nobody_else_can_choose_it() {
    let world = behind_proxy().await;
    member(&world, "a@example.com", "viewer").await;
    for (peer, hops, expected) in [
        (PROXY, "203.0.113.7", "203.0.113.7"),
        (PROXY, "198.51.100.1, 203.0.113.8", "203.0.113.8"),
        (PROXY, "2001:db8::7", "2001:db8::7"),
        (OTHER, "203.0.113.9", OTHER),
    ] {
        world.clock.advance(SignedDuration::from_secs(1));
        let answer = attempt(&world, peer, hops, "a@example.com").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(noted_address(&world).await, json!(expected), "{hops}");
    }
}

#[tokio::test]
async fn failed_sign_ins_are_counted_by_the_address_behind_a_trusted_proxy() {
    let world = behind_proxy().await;
    let hops = |number: u32| format!("198.51.100.{number}, 203.0.113.7");
    let mut statuses = Vec::new();
    for number in 0..=20 {
        let email = format!("nobody{number}@example.com");
        let answer = attempt(&world, PROXY, &hops(number), &email).await;
        statuses.push(answer.status);
    }
    let (last, first) = statuses.split_last().unwrap();
    assert!(first.iter().all(|status| *status == 401), "{statuses:?}");
    assert_eq!(*last, 429, "whatever the client wrote before it");
    let neighbour = attempt(&world, PROXY, "203.0.113.8", "b@example.com").await;
    assert_eq!(neighbour.status, 401);
}

#[tokio::test]
async fn a_browser_changes_things_through_a_proxy_by_the_public_name() {
    let world = behind_proxy().await;
    let session = member(&world, "a@example.com", "viewer").await;
    let ways: [&[(&str, &str)]; 3] = [
        &[("host", "backup.example.org")],
        &[
            ("host", "127.0.0.1:7071"),
            ("x-forwarded-host", "backup.example.org"),
            ("x-forwarded-proto", "https"),
        ],
        &[("host", "localhost")],
    ];
    for way in ways {
        let with = |page: &[(&'static str, &'static str)]| [way, page].concat();
        let newer = with(&[("origin", OURS), ("sec-fetch-site", "same-origin")]);
        assert_eq!(change(&world, &session, &newer).await, 200, "{way:?}");
        let older = with(&[("origin", OURS)]);
        assert_eq!(change(&world, &session, &older).await, 200, "{way:?}");
        for foreign in [
            "https://evil.example",
            "http://backup.example.org",
            "https://backup.example.org:8443",
            "null",
        ] {
            let page = with(&[("origin", foreign)]);
            assert_eq!(change(&world, &session, &page).await, 403, "{foreign}");
        }
    }
}

#[tokio::test]
async fn the_public_name_is_answered_to_the_proxy_only_and_other_names_to_nobody() {
    let world = behind_proxy().await;
    let host_of = |name| [("host", name)];
    for (peer, name, expected) in [
        (PROXY, "backup.example.org", 200),
        (OTHER, "backup.example.org", 421),
        (PROXY, "evil.example", 421),
        (PROXY, "localhost:7071", 200),
    ] {
        let route = (Method::GET, "/api/health");
        let answer = world.call_from(peer, route, &host_of(name), None).await;
        assert_eq!(answer.status, expected, "{peer} {name}");
    }
    // What a page can send whose name was made to point here: everything but another Host.
    let rebound = [
        ("host", "evil.example:7071"),
        ("x-forwarded-host", "backup.example.org"),
        ("x-forwarded-for", "203.0.113.7"),
    ];
    let route = (Method::GET, "/api/health");
    let answer = world.call_from(PROXY, route, &rebound, None).await;
    assert_eq!(answer.status, 421);
}

#[tokio::test]
async fn what_a_trusted_proxy_says_is_readable_or_refused_and_what_others_say_is_ignored() {
    let world = behind_proxy().await;
    for header in [
        ("x-forwarded-for", "unknown"),
        ("x-forwarded-for", "203.0.113.7, "),
        ("x-forwarded-host", "localhost,evil.example"),
        ("x-forwarded-proto", "gopher"),
    ] {
        let headers = [("host", "localhost"), header];
        let route = (Method::GET, "/api/health");
        let answer = world.call_from(PROXY, route.clone(), &headers, None).await;
        assert_eq!(answer.status, 400, "{header:?}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(header.0), "{detail}");
        let answer = world.call_from(OTHER, route, &headers, None).await;
        assert_eq!(answer.status, 200, "{header:?}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_does_not_say_who_somebody_is() {
    let world = behind_proxy().await;
    member(&world, "a@example.com", "admin").await;
    for header in [
        "x-ms-client-principal-name",
        "x-forwarded-user",
        "x-forwarded-email",
        "x-auth-request-email",
        "remote-user",
    ] {
        let headers = [("host", "backup.example.org"), (header, "a@example.com")];
        let route = (Method::GET, "/api/engines");
        let answer = world.call_from(PROXY, route, &headers, None).await;
        assert_eq!(answer.status, 401, "{header}");
    }
}
