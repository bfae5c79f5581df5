//! Who may listen, how many, for how long, and what it costs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::Method;
use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{Stream, ask, listen, listen_as};
use crate::jobs::{shop, trigger};
use crate::sessions::{Session, member};
use crate::who_may::token;
use crate::world::{TOKEN, World};

/// Reads of tables in a minute in which nobody calls, and these listen.
async fn reads_of_a_minute(world: &World, streams: &mut [Stream]) -> usize {
    let before = world.faults.reads.load(Ordering::SeqCst);
    let minute = Duration::from_mins(1);
    let waits = streams.iter_mut().map(|it| timeout(minute, it.next()));
    for outcome in join_all(waits).await {
        assert!(outcome.is_err(), "{outcome:?}");
    }
    if streams.is_empty() {
        tokio::time::sleep(minute).await;
    }
    world.faults.reads.load(Ordering::SeqCst) - before
}

#[tokio::test(start_paused = true)]
async fn one_watch_reads_for_all_who_listen_and_none_when_nobody_does() {
    let world = World::new().await;
    trigger(&world, &shop(&world).await, None).await;
    assert_eq!(reads_of_a_minute(&world, &mut []).await, 0);
    let mut streams = vec![listen(&world).await];
    let of_one = reads_of_a_minute(&world, &mut streams).await;
    assert!(of_one > 60, "{of_one}");
    for _ in 0..3 {
        streams.push(listen(&world).await);
    }
    // Every 15 s each of them is asked again who listens, which reads a row, and a minute may have
    // a look more than another. A watch of each one's own would be four times as many.
    let of_four = reads_of_a_minute(&world, &mut streams).await;
    assert!(of_four < of_one * 3 / 2, "{of_one}, {of_four}");
    streams.remove(0);
    let of_three = reads_of_a_minute(&world, &mut streams).await;
    assert!(of_three < of_one * 3 / 2, "{of_one}, {of_three}");
    streams.clear();
    assert_eq!(reads_of_a_minute(&world, &mut streams).await, 0);
}

/// How long a stream goes on at most that its caller may listen to no more.
const END_WITHIN: Duration = Duration::from_secs(30);

async fn listen_in(world: &World, session: &Session) -> Stream {
    Stream::of(ask(world, &session.headers()).await)
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_token_or_the_session_that_opened_it() {
    let world = World::new().await;
    let body = json!({ "name": "t", "role": "viewer", "expires_in_days": 1 });
    let revoked = world.post("/api/tokens", &body).await.expect(201);
    let expiring = world.post("/api/tokens", &body).await.expect(201);
    let signed_out = member(&world, "out@example.com", "viewer").await;
    let disabled = member(&world, "disabled@example.com", "viewer").await;
    let demoted = member(&world, "demoted@example.com", "operator").await;
    let idle = member(&world, "idle@example.com", "viewer").await;
    let mut untouched = listen(&world).await;
    let secret = |made: &Value| made["secret"].as_str().unwrap().to_owned();
    let mut streams = Vec::new();
    for made in [&revoked, &expiring] {
        streams.push(listen_as(&world, &secret(made)).await);
    }
    for session in [&signed_out, &disabled, &demoted, &idle] {
        streams.push(listen_in(&world, session).await);
    }
    for stream in &mut streams {
        stream.expect("reset").await;
        let goes_on = timeout(END_WITHIN, stream.next()).await;
        assert!(goes_on.is_err(), "{goes_on:?}");
    }
    let token = revoked["token"]["id"].as_str().unwrap();
    world
        .delete(&format!("/api/tokens/{token}"))
        .await
        .expect(200);
    let path = "/api/auth/logout";
    let out = signed_out.call(&world, Method::POST, path, None).await;
    out.expect(200);
    for (session, body) in [
        (&disabled, json!({ "enabled": false })),
        (&demoted, json!({ "role": "viewer" })),
    ] {
        let path = format!("/api/users/{}", session.user_id(&world).await);
        world.put(&path, &body).await.expect(200);
    }
    // The other token expires, and nobody worked in the other session.
    world.clock.advance(SignedDuration::from_hours(25));
    for mut stream in streams {
        let begun = Instant::now();
        while stream.next().await.is_some() {}
        assert!(begun.elapsed() <= END_WITHIN, "{:?}", begun.elapsed());
    }
    let goes_on = timeout(END_WITHIN, untouched.next()).await;
    assert!(goes_on.is_err(), "{goes_on:?}");
}

async fn last_used(world: &World) -> Value {
    let tokens = world.get("/api/tokens").await.expect(200);
    let at = tokens["tokens"][0]["last_used"].clone();
    assert!(at.is_string(), "{tokens}");
    at
}

#[tokio::test(start_paused = true)]
async fn listening_is_no_use_of_a_session_or_token() {
    let world = World::new().await;
    let body = json!({ "name": "t", "role": "viewer" });
    let made = world.post("/api/tokens", &body).await.expect(201);
    let mut stream = listen_as(&world, made["secret"].as_str().unwrap()).await;
    stream.expect("reset").await;
    let used = last_used(&world).await;
    world.clock.advance(SignedDuration::from_hours(1));
    let goes_on = timeout(4 * END_WITHIN, stream.next()).await;
    assert!(goes_on.is_err(), "{goes_on:?}");
    let later = last_used(&world).await;
    assert_eq!(used, later);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_to_a_caller_of_whom_the_stores_do_not_say_whether_they_may() {
    let world = World::new().await;
    let database = shop(&world).await;
    let body = json!({ "name": "t", "role": "viewer" });
    let made = world.post("/api/tokens", &body).await.expect(201);
    let mut stream = listen_as(&world, made["secret"].as_str().unwrap()).await;
    stream.expect("reset").await;
    world.faults.tables_are_down.store(true, Ordering::SeqCst);
    stream.expect("unavailable").await;
    let quiet = timeout(Duration::from_mins(1), stream.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    world.faults.mend();
    let id = made["token"]["id"].as_str().unwrap();
    world.delete(&format!("/api/tokens/{id}")).await.expect(200);
    trigger(&world, &database, None).await;
    let ended = stream.next().await;
    assert_eq!(ended, None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_has_ten_streams_and_all_together_two_hundred() {
    let world = World::new().await;
    let bearer = format!("Bearer {TOKEN}");
    let own = [("authorization", bearer.as_str())];
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(Stream::of(ask(&world, &own).await));
    }
    let refused = ask(&world, &own).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "15");
    streams.pop();
    streams.push(Stream::of(ask(&world, &own).await));
    let mut last = String::new();
    for _ in 0..20 {
        last = token(&world, "viewer", &[]).await;
        for _ in 0..10 {
            let bearer = format!("Bearer {last}");
            let answer = ask(&world, &[("authorization", &bearer)]).await;
            if answer.status() == 200 {
                streams.push(Stream::of(answer));
            }
        }
    }
    assert_eq!(streams.len(), 200);
    let bearer = format!("Bearer {last}");
    let refused = ask(&world, &[("authorization", &bearer)]).await;
    assert_eq!(refused.status(), 429);
    streams.clear();
    listen_as(&world, &last).await.expect("reset").await;
}
