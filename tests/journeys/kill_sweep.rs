//! The processor dies as by `kill -9` at each point between the message and the last line of
//! bookkeeping. After a restart there is exactly one committed backup, and nothing is stuck.
#![cfg(test)]

use dilux_core::crash::POINTS;
use dilux_core::model::Manifest;
use dilux_journeys::{Client, Home, Sample, StoreKind, text};
use serde_json::json;

async fn manifests(home: &Home) -> Vec<Manifest> {
    let installation = home.look_inside().unwrap();
    let container = installation.settings.container.clone();
    let blobs = &installation.storage.blobs;
    let mut found = Vec::new();
    for entry in blobs
        .list(&container, "manifests/", 5000, None)
        .await
        .unwrap()
        .blobs
    {
        let bytes = blobs
            .read(&container, &entry.name, 0..entry.size, None)
            .await
            .unwrap();
        found.push(Manifest::from_json(&bytes).unwrap());
    }
    found
}

/// Runs one backup with a processor that dies at `point`, then with one that does not.
async fn survive(home: &Home, client: &Client, database: &str, point: &str) {
    let before = manifests(home).await.len();
    let job = client.back_up(database).await.unwrap();
    let crash = [("DILUX_CRASH_AT", point.to_owned())];
    let mut doomed = home.start_with("dilux-processor", &crash).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while doomed.ended().unwrap().is_none() {
        assert!(
            std::time::Instant::now() < deadline,
            "{point} was never reached; log:\n{}",
            doomed.log()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let healthy = home.start("dilux-processor").unwrap();
    let finished = client.finished(&job).await.unwrap();
    assert_eq!(
        finished["status"],
        json!("completed"),
        "{point}: {finished}; log:\n{}",
        healthy.log()
    );
    let installation = home.look_inside().unwrap();
    wait_until_nothing_is_active(&installation, point).await;
    healthy.stop().unwrap();
    let after = manifests(home).await;
    assert_eq!(after.len(), before + 1, "{point}: exactly one backup more");
    let manifest = after
        .iter()
        .find(|manifest| manifest.job_id.as_str() == job)
        .unwrap();
    let lines = client
        .get(&format!("/backups?database_id={database}&page_size=100"))
        .await
        .unwrap();
    let of_job: Vec<_> = lines["backups"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["job_id"] == json!(job))
        .collect();
    assert_eq!(of_job.len(), 1, "{point}: one line of history");
    assert_eq!(
        text(of_job[0], "/blob_name").unwrap(),
        manifest.data.blob,
        "{point}"
    );
    assert_eq!(text(of_job[0], "/status").unwrap(), "completed", "{point}");
}

/// The active entry of a job goes after its row: a death in between is tidied by the sweeper.
async fn wait_until_nothing_is_active(
    installation: &dilux_core::installation::Installation,
    point: &str,
) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let now = installation.clock.now();
        if installation
            .repositories
            .jobs
            .active(now)
            .await
            .unwrap()
            .is_empty()
        {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{point}: a job is stuck"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn sweep(kind: StoreKind, sample: Sample) {
    let home = Home::new(kind).unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    let _scheduler = home.start("dilux-scheduler").unwrap();
    let engine = sample.register(&client).await.unwrap();
    let database = sample
        .register_database(&client, &engine, "shop")
        .await
        .unwrap();
    for point in POINTS {
        survive(&home, &client, &database, point).await;
    }
    let newest = manifests(&home)
        .await
        .into_iter()
        .max_by_key(|found| found.committed_at)
        .unwrap();
    let restore = client
        .restore(newest.job_id.as_str(), "shop_after_the_sweep")
        .await
        .unwrap();
    let processor = home.start("dilux-processor").unwrap();
    let restore = client.completed(&restore).await.unwrap();
    assert_eq!(
        restore["restore"]["comparison"]["equal"],
        json!(true),
        "{restore}"
    );
    processor.stop().unwrap();
}

#[tokio::test]
async fn a_09_a_processor_killed_at_any_point_leaves_one_backup_on_the_embedded_store() {
    sweep(StoreKind::Embedded, Sample::postgresql().unwrap()).await;
}

#[tokio::test]
async fn a_09_a_processor_killed_at_any_point_leaves_one_backup_on_azurite() {
    sweep(StoreKind::Azurite, Sample::mariadb().unwrap()).await;
}
