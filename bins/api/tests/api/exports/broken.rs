//! Exports that cannot be read to their end. None looks like a whole file.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{LINES, history};
use crate::backups::Shop;
use crate::world::{TOKEN, World};

/// Every export, in each format.
const EXPORTS: [&str; 4] = [
    "/api/backups/export?format=csv",
    "/api/backups/export?format=jsonl",
    "/api/audit/export?format=csv",
    "/api/audit/export?format=jsonl",
];

/// A history, and a log, of more than two parts.
async fn shop() -> Shop {
    let shop = Shop::new().await;
    history(&shop).await;
    for number in 0..LINES {
        let settings = serde_json::json!({ "default_retention_days": 1 + number % 300 });
        shop.world.put("/api/settings", &settings).await.expect(200);
    }
    shop
}

async fn open(world: &World, path: &str) -> Response<Body> {
    let request = Request::builder()
        .uri(path)
        .header("host", "localhost:7071")
        .header("authorization", format!("Bearer {TOKEN}"));
    let request = request.body(Body::empty()).unwrap();
    world.open(request).await
}

fn reads(world: &World) -> usize {
    world.faults.reads.load(Ordering::SeqCst)
}

/// How many requests the whole export makes to the tables.
async fn reads_of(world: &World, path: &str) -> usize {
    world.get(path).await;
    let before = reads(world);
    world.get(path).await;
    reads(world) - before
}

#[tokio::test]
async fn an_export_is_read_as_it_is_taken_and_breaks_off_when_the_store_does() {
    let shop = shop().await;
    let world = &shop.world;
    for path in EXPORTS {
        let whole = world.get(path).await;
        whole.is(200);
        let rows = world.faults.rows.load(Ordering::SeqCst);
        let response = open(world, path).await;
        assert_eq!(response.status(), 200, "{path}");
        let rows = world.faults.rows.load(Ordering::SeqCst) - rows;
        assert!(
            rows < 300,
            "{path} read {rows} rows before anybody took one"
        );

        let mut body = response.into_body().into_data_stream();
        let mut sent = body.next().await.unwrap().unwrap().to_vec();
        world.faults.tables_are_down.store(true, Ordering::SeqCst);
        let mut error = None;
        while let Some(part) = body.next().await {
            match part {
                Ok(part) => sent.extend(part),
                Err(broken) => error = Some(broken),
            }
        }
        assert!(error.is_some(), "{path} ended as if it were whole");
        assert!(sent.len() < whole.bytes.len(), "{path}");
        assert!(whole.bytes.starts_with(&sent), "{path}");
        world.faults.mend();
    }
}

#[tokio::test]
async fn a_client_of_the_network_sees_that_a_file_is_not_whole() {
    const END: &[u8] = b"\r\n0\r\n\r\n";
    let shop = shop().await;
    let world = &shop.world;
    let address = world.serve().await;
    for path in EXPORTS {
        let fetch = async || {
            let mut connection = TcpStream::connect(address).await.unwrap();
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
                 connection: close\r\n\r\n"
            );
            connection.write_all(request.as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            // A connection that is cut ends in an error of the client or just ends.
            drop(connection.read_to_end(&mut bytes).await);
            bytes
        };
        let all_reads = reads_of(world, path).await;
        let whole = fetch().await;
        assert!(whole.ends_with(END), "{path} whole");
        *world.faults.reads_left.lock().unwrap() = Some(all_reads - 1);
        let cut = fetch().await;
        world.faults.mend();
        // What was not sent yet goes with the connection, at worst all of it.
        let text = String::from_utf8_lossy(&cut);
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 200 OK"),
            "{path} did not begin: {text}"
        );
        assert!(cut.len() < whole.len(), "{path}");
        assert!(!cut.ends_with(END), "{path} ended as if it were whole");
    }
}

#[tokio::test]
async fn an_export_of_a_store_that_is_away_does_not_begin() {
    let world = World::new().await;
    for path in EXPORTS {
        world.faults.tables_are_down.store(true, Ordering::SeqCst);
        let answer = world.get(path).await;
        assert!(!answer.header("retry-after").is_empty(), "{path}");
        answer.expect(503);
        world.faults.mend();
        world.get(path).await.is(200);
    }
}
