//! A database whose backups go to a container of their own: everything works there as elsewhere.
#![cfg(test)]

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use dilux_core::clock::{Clock as _, SystemClock};
use dilux_core::storage::ContainerName;
use dilux_journeys::{Home, Sample, StoreKind, text};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

const ELSEWHERE: &str = "kept-elsewhere";

/// Fails unless a link of the store reads one blob, for a quarter of an hour at most.
fn is_short_lived(url: &str) {
    let url = reqwest::Url::parse(url).unwrap();
    let signed: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!((signed["sp"].as_str(), signed["sr"].as_str()), ("r", "b"));
    let ends: Timestamp = signed["se"].parse().unwrap();
    let left = ends.duration_since(SystemClock.now());
    assert!(left <= SignedDuration::from_mins(15), "{ends}");
}

async fn a_container_of_its_own(kind: StoreKind) {
    let home = Home::new(kind).unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    let _processor = home.start("dilux-processor").unwrap();
    let sample = Sample::postgresql().unwrap();
    let engine = sample.register(&client).await.unwrap();
    let registered = sample.register_database(&client, &engine, "shop").await;
    let database = registered.unwrap();
    let path = format!("/databases/{database}");
    let body = json!({"backup_destination": ELSEWHERE, "rpo_minutes": 60});
    let changed = client.expect(Method::PUT, &path, Some(&body)).await;
    changed.unwrap();

    let job = client.back_up(&database).await.unwrap();
    let job = client.completed(&job).await.unwrap();
    let backup = text(&job, "/backup_id").unwrap();

    let history = format!("/backups?database_id={database}");
    let listed = client.get(&history).await.unwrap();
    let line = &listed["backups"][0];
    assert_eq!(line["container"], json!(ELSEWHERE), "{listed}");
    let used = client.get("/storage-stats").await.unwrap();
    assert_eq!(used["total_size_bytes"], line["file_size_bytes"], "{used}");
    assert_eq!(used["total_backup_count"], json!(1), "{used}");
    let counted = format!("/databases/{database}/backup-stats");
    let counted = client.get(&counted).await.unwrap();
    assert_eq!(counted["count"], json!(1), "{counted}");
    let standing = client.get(&format!("/databases/{database}/rpo")).await;
    let standing = standing.unwrap();
    assert_eq!(standing["state"], json!("met"), "{standing}");

    // The data is there, and only there; the manifest stays where a rebuild looks for it.
    let installation = home.look_inside().unwrap();
    let blobs = &installation.storage.blobs;
    let elsewhere = ContainerName::new(ELSEWHERE).unwrap();
    let there = blobs.list(&elsewhere, "", 10, None).await.unwrap().blobs;
    assert_eq!(there.len(), 1);
    assert_eq!(line["blob_name"], json!(there[0].name.as_str()));
    let usual = &installation.settings.container;
    let here = blobs.list(usual, "", 10, None).await.unwrap().blobs;
    assert_eq!(here.len(), 1);
    assert!(here[0].name.as_str().starts_with("manifests/"));

    let answer = client.get(&format!("/backups/{backup}/download")).await;
    let url = text(&answer.unwrap(), "/download_url").unwrap();
    if kind == StoreKind::Azurite {
        is_short_lived(&url);
    }
    let data = client.download(&url).await.unwrap();
    assert_eq!(json!(data.len()), line["file_size_bytes"]);
    let digest = HEXLOWER.encode(&Sha256::digest(&data));
    assert_eq!(json!(digest), line["sha256"]);

    // Where it is stands in the backup: a database that has moved on is restored all the same.
    let body = json!({"backup_destination": null});
    let changed = client.expect(Method::PUT, &path, Some(&body)).await;
    changed.unwrap();
    let restore = client.restore(&backup, "shop_restored").await.unwrap();
    let restore = client.completed(&restore).await.unwrap();
    assert_eq!(
        restore["restore"]["comparison"]["equal"],
        json!(true),
        "{restore}"
    );
}

#[tokio::test]
async fn a_22_a_container_of_its_own_is_listed_downloaded_and_restored_from_the_embedded_store() {
    a_container_of_its_own(StoreKind::Embedded).await;
}

#[tokio::test]
async fn a_22_a_container_of_its_own_is_listed_downloaded_and_restored_from_azurite() {
    a_container_of_its_own(StoreKind::Azurite).await;
}
