//! The memory of one processor over many jobs: bounded, and given back.
#![cfg(test)]

use std::time::{Duration, Instant};

use dilux_journeys::{Home, Sample, StoreKind, text};
use reqwest::Method;
use serde_json::json;

/// Memory of its own that the processor may have at any time, in KiB: buffers, not program text,
/// which differs between builds.
const MOST: u64 = 48 * 1024;
/// The same while it has nothing to do.
const MOST_AT_REST: u64 = 16 * 1024;
/// Longest wait for threads to end after their job.
const REST_LIMIT: Duration = Duration::from_secs(30);
const ROUNDS: u32 = 2;

/// About 50 MB that compress to half, so that several blocks are full in either codec.
const POSTGRESQL: &str = "
CREATE TABLE filler AS SELECT n AS id, (
    SELECT string_agg(md5((n * 64 + i)::text), '') FROM generate_series(1, 64) AS i
) AS content FROM generate_series(1, 24000) AS n;";
const MARIADB: &str = "
CREATE TABLE filler (id int PRIMARY KEY, content text NOT NULL)
SELECT seq AS id, concat(
    sha2(concat(seq, 'a'), 512), sha2(concat(seq, 'b'), 512), sha2(concat(seq, 'c'), 512),
    sha2(concat(seq, 'd'), 512), sha2(concat(seq, 'e'), 512), sha2(concat(seq, 'f'), 512),
    sha2(concat(seq, 'g'), 512), sha2(concat(seq, 'h'), 512)
) AS content FROM seq_1_to_48000;";

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_stays_small_over_many_jobs() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    let processor = home.start("dilux-processor").unwrap();
    for sample in [Sample::postgresql().unwrap(), Sample::mariadb().unwrap()] {
        let filler = match sample {
            Sample::PostgreSql(_) => POSTGRESQL,
            Sample::MariaDb(_) => MARIADB,
        };
        sample.execute("shop", filler).unwrap();
        let engine = sample.register(&client).await.unwrap();
        let registered = sample.register_database(&client, &engine, "shop").await;
        let database = registered.unwrap();
        for compression in ["gzip", "zstd"] {
            let body = json!({"compression": compression});
            let path = format!("/databases/{database}");
            let changed = client.expect(Method::PUT, &path, Some(&body)).await;
            changed.unwrap();
            for round in 0..ROUNDS {
                let job = client.back_up(&database).await.unwrap();
                let job = client.completed(&job).await.unwrap();
                let backup = text(&job, "/backup_id").unwrap();
                let copy = format!("copy_{compression}_{round}");
                let job = client.restore(&backup, &copy).await.unwrap();
                client.completed(&job).await.unwrap();
                let peak = processor.own_peak_kib().unwrap();
                assert!(peak <= MOST, "{peak} KiB in {compression} round {round}");
            }
        }
    }
    let deadline = Instant::now() + REST_LIMIT;
    while processor.memory_kib("RssAnon").unwrap() > MOST_AT_REST {
        assert!(
            Instant::now() < deadline,
            "{} KiB at rest",
            processor.memory_kib("RssAnon").unwrap()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
