//! How many requests are answered at the same time, and what those hear who come beyond.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request};
use serde_json::json;
use tokio::sync::Notify;

use crate::backups::Shop;
use crate::seeds::Seed;
use crate::world::{Answer, TOKEN, World};

fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json");
    request.body(body).unwrap()
}

#[track_caller]
fn is_crowded(answer: &Answer) {
    answer.is(503);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_request_is_turned_away_while_all_places_are_taken_and_a_probe_never_is() {
    let world = Arc::new(World::with_variable("DILUX_REQUESTS_AT_ONCE", "1").await);
    let (reads, sends) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (world, reads, sends) = (world.clone(), reads.clone(), sends.clone());
        tokio::spawn(async move {
            let body = futures::stream::once(async move {
                reads.notify_one();
                sends.notified().await;
                Ok::<_, std::io::Error>(Bytes::from("{}"))
            });
            let body = Body::from_stream(body);
            world
                .send(request(Method::POST, "/api/engines", body))
                .await
        })
    };
    reads.notified().await;
    is_crowded(&world.get("/api/engines").await);
    world.get("/api/health").await.expect(200);
    world.get("/api/ready").await.expect(200);
    sends.notify_one();
    slow.await.unwrap().is(422);
    world.get("/api/engines").await.expect(200);
}

#[tokio::test]
async fn a_backup_keeps_its_place_until_it_is_sent_or_given_up() {
    let world = World::with_variable("DILUX_DOWNLOADS_AT_ONCE", "1").await;
    let shop = Shop::on(world).await;
    let bytes = vec![7; 9_000_000];
    let seed = Seed {
        data: &bytes,
        ..shop.seed()
    };
    let path = format!("/api/backups/{}/data", seed.plant(&shop.world).await);
    let open = async || {
        let request = request(Method::GET, &path, Body::empty());
        shop.world.open(request).await
    };
    let first = open().await;
    assert_eq!(first.status(), 200);
    is_crowded(&shop.world.get(&path).await);
    shop.world.get("/api/engines").await.expect(200);
    let sent = to_bytes(first.into_body(), usize::MAX).await.unwrap();
    assert!(sent == bytes, "it arrives whole, with its place");
    let given_up = open().await;
    assert_eq!(given_up.status(), 200);
    assert_eq!(given_up.headers()["content-length"], "9000000");
    is_crowded(&shop.world.get(&path).await);
    drop(given_up);
    let last = shop.world.get(&path).await;
    assert_eq!((last.status, last.body), (200, json!(null)));
}
