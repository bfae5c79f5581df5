//! A newcomer's journey: three services, one server, back up, restore, equal.
#![cfg(test)]

use std::sync::Arc;

use dilux_core::config::Settings;
use dilux_core::model::{Credentials, Manifest};
use dilux_core::secret::SecretValue;
use dilux_drivers::{Drivers, Target};
use dilux_journeys::{Client, Home, Sample, Service, StoreKind, text};
use serde_json::json;

/// The three services of one installation.
struct Running {
    _services: [Service; 3],
    client: Client,
}

async fn start(home: &Home) -> Running {
    let (api, client) = home.start_api().await.unwrap();
    let scheduler = home.start("dilux-scheduler").unwrap();
    let processor = home.start("dilux-processor").unwrap();
    Running {
        _services: [api, scheduler, processor],
        client,
    }
}

fn target(sample: &Sample) -> Target {
    let (username, password) = sample.account();
    let credentials =
        Credentials::with_password(username.parse().unwrap(), SecretValue::new(password));
    let port = i64::from(sample.port()).try_into().unwrap();
    Target::at("127.0.0.1".parse().unwrap(), port, credentials)
}

async fn nothing_is_lost(kind: StoreKind, sample: Sample) {
    let home = Home::new(kind).unwrap();
    let running = start(&home).await;
    let client = &running.client;
    let engine = sample.register(client).await.unwrap();
    let tested = client
        .post(&format!("/engines/{engine}/test"), &json!({}))
        .await
        .unwrap();
    assert_eq!(tested["success"], json!(true), "{tested}");
    let found = client
        .post(&format!("/engines/{engine}/discover"), &json!({}))
        .await
        .unwrap();
    assert!(
        found["databases"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["name"] == json!("shop")),
        "{found}"
    );
    let database = sample
        .register_database(client, &engine, "shop")
        .await
        .unwrap();

    let settings = Settings::read(&|_| None).unwrap();
    let drivers = Drivers::discover(&settings).await;
    let driver = drivers.for_engine(sample.engine_type()).unwrap();
    let shop = "shop".parse().unwrap();
    let before = driver.fingerprint(&target(&sample), &shop).await.unwrap();
    assert!(before.total_rows() > 1000, "the sample has rows");

    let job = client.back_up(&database).await.unwrap();
    let job = client.completed(&job).await.unwrap();
    let backup = text(&job, "/backup_id").unwrap();
    let listed = client
        .get(&format!("/backups?database_id={database}"))
        .await
        .unwrap();
    assert_eq!(listed["total_count"], json!(1), "{listed}");
    assert_eq!(
        listed["backups"][0]["status"],
        json!("completed"),
        "{listed}"
    );

    let restore = client.restore(&backup, "shop_restored").await.unwrap();
    let restore = client.completed(&restore).await.unwrap();
    assert_eq!(
        restore["restore"]["comparison"]["equal"],
        json!(true),
        "{restore}"
    );

    let copy = "shop_restored".parse().unwrap();
    let after = driver.fingerprint(&target(&sample), &copy).await.unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    manifest_describes_the_data(&home, &backup).await;
}

/// Looks behind the services: one manifest, whose data is there in the size it names.
async fn manifest_describes_the_data(home: &Home, backup: &str) {
    let installation = home.look_inside().unwrap();
    let blobs = Arc::clone(&installation.storage.blobs);
    let container = installation.settings.container.clone();
    let page = blobs.list(&container, "", 100, None).await.unwrap();
    let manifests: Vec<_> = page
        .blobs
        .iter()
        .filter(|blob| blob.name.as_str().starts_with("manifests/"))
        .collect();
    assert_eq!(manifests.len(), 1);
    assert!(manifests[0].name.as_str().contains(backup));
    let bytes = blobs
        .read(&container, &manifests[0].name, 0..manifests[0].size, None)
        .await;
    let manifest = Manifest::from_json(&bytes.unwrap()).unwrap();
    let data = page
        .blobs
        .iter()
        .find(|blob| blob.name.as_str() == manifest.data.blob)
        .unwrap();
    assert_eq!(data.size, manifest.data.stored_bytes);
    assert_eq!(page.blobs.len(), 2, "nothing else is in the store");
}

#[tokio::test]
async fn postgresql_comes_back_equal_from_the_embedded_store() {
    nothing_is_lost(StoreKind::Embedded, Sample::postgresql().unwrap()).await;
}

#[tokio::test]
async fn mariadb_comes_back_equal_from_the_embedded_store() {
    nothing_is_lost(StoreKind::Embedded, Sample::mariadb().unwrap()).await;
}

#[tokio::test]
async fn postgresql_comes_back_equal_from_azurite() {
    nothing_is_lost(StoreKind::Azurite, Sample::postgresql().unwrap()).await;
}

#[tokio::test]
async fn mariadb_comes_back_equal_from_azurite() {
    nothing_is_lost(StoreKind::Azurite, Sample::mariadb().unwrap()).await;
}

/// The scheduler owes a newly registered, enabled database one initial backup, and books it on
/// its first tick.
#[tokio::test]
async fn a_new_database_gets_its_initial_backup_without_being_asked() {
    let sample = Sample::postgresql().unwrap();
    let home = Home::new(StoreKind::Embedded).unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    let engine = sample.register(&client).await.unwrap();
    let database = sample
        .register_database(&client, &engine, "shop")
        .await
        .unwrap();
    client
        .expect(
            reqwest::Method::PUT,
            &format!("/databases/{database}"),
            Some(&json!({"enabled": true})),
        )
        .await
        .unwrap();
    let _processor = home.start("dilux-processor").unwrap();
    let scheduler = home.start("dilux-scheduler").unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    let booked = loop {
        let jobs = client.get("/jobs").await.unwrap();
        if let Some(job) = jobs["jobs"].as_array().unwrap().first() {
            break text(job, "/id").unwrap();
        }
        assert!(
            std::time::Instant::now() < deadline,
            "nothing booked:\n{}",
            scheduler.log()
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let job = client.completed(&booked).await.unwrap();
    assert_eq!(job["triggered_by"], json!("scheduler"));
}
