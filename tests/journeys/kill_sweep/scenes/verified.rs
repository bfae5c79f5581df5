//! What a processor verifies.

use bytes::Bytes;
use dilux_core::model::{Backup, BackupStatus, Database, JobId, JobState, Manifest};
use dilux_core::storage::{BlobName, ContainerName, PutOptions};
use dilux_core::transfer::FailureKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::Stage;

async fn backed_up(stage: &Stage, database: &Database) -> JobId {
    let job = stage.client.back_up(database.id.as_str()).await.unwrap();
    stage.process().await;
    job.parse().unwrap()
}

async fn asked(stage: &Stage, backup: &JobId, wish: &Value) -> JobId {
    let path = format!("/backups/{backup}/verify");
    let answer = stage.client.call(Method::POST, &path, Some(wish)).await;
    let (status, answer) = answer.unwrap();
    assert_eq!(status, 202, "{answer}");
    answer["job_id"].as_str().unwrap().parse().unwrap()
}

async fn manifest(stage: &Stage, backup: &JobId) -> Manifest {
    let (blobs, container) = (
        &stage.installation.storage.blobs,
        &stage.installation.settings.container,
    );
    let name = BlobName::new(Manifest::blob_name(backup)).unwrap();
    let found = blobs.properties(container, &name).await.unwrap().unwrap();
    let bytes = blobs.read(container, &name, 0..found.size, None).await;
    let bytes = bytes.unwrap();
    Manifest::from_json(&bytes).unwrap()
}

/// The data of a backup, as it is stored.
struct Data {
    container: ContainerName,
    name: BlobName,
    bytes: Bytes,
}

impl Data {
    async fn of(stage: &Stage, backup: &JobId) -> Self {
        let data = manifest(stage, backup).await.data;
        let container = ContainerName::new(data.container).unwrap();
        let name = BlobName::new(data.blob).unwrap();
        let blobs = &stage.installation.storage.blobs;
        let bytes = blobs
            .read(&container, &name, 0..data.stored_bytes, None)
            .await
            .unwrap();
        Self {
            container,
            name,
            bytes,
        }
    }

    async fn put(&self, stage: &Stage, bytes: Bytes) {
        let blobs = &stage.installation.storage.blobs;
        let put = blobs.put(&self.container, &self.name, bytes, PutOptions::default());
        put.await.unwrap();
    }

    /// The same with a changed bit in its middle.
    fn decayed(&self) -> Bytes {
        let mut bytes = self.bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes.into()
    }
}

/// Whether a database is left on the server that a rehearsal made.
fn leaves_something(stage: &Stage, job: &JobId) -> bool {
    let hash = job.as_str().rsplit('.').next().unwrap();
    let sql = format!("SELECT count(*) FROM pg_database WHERE datname LIKE 'dilux_verify_{hash}%'");
    stage.sample.execute("postgres", &sql).unwrap() != "0"
}

async fn line(stage: &Stage, backup: &JobId) -> Backup {
    let booked_at = stage.job(backup).await.created_at;
    let backups = &stage.installation.repositories.backups;
    backups.get(backup, booked_at).await.unwrap().unwrap().value
}

async fn recovery_point(stage: &Stage, database: &Database) -> String {
    let states = &stage.installation.repositories.states;
    let found = states.get(&database.id).await.unwrap().unwrap().value;
    found.recovery_point.unwrap().backup_id.to_string()
}

/// A sound backup and a newer one that has decayed, verified in turn. Whoever dies, each is called
/// what it is.
pub(super) async fn verifications(stage: &Stage) {
    let database = stage.database("shop").await;
    let sound = backed_up(stage, &database).await;
    let decayed = backed_up(stage, &database).await;
    let data = Data::of(stage, &decayed).await;
    data.put(stage, data.decayed()).await;
    let mut processor = stage.actor("dilux-processor");
    let (reading, rehearsal) = (json!({}), json!({ "engine_id": stage.engine }));
    for _ in 0..stage.times {
        for wish in [&rehearsal, &reading] {
            let job = asked(stage, &sound, wish).await;
            processor.until_over(std::slice::from_ref(&job)).await;
            let ended = stage.job(&job).await.state;
            let is_done = matches!(ended, JobState::Completed { .. });
            assert!(is_done, "{}: {ended:?}", stage.case());
            assert!(!leaves_something(stage, &job), "{}", stage.case());
        }
        let job = asked(stage, &decayed, &reading).await;
        processor.until_over(std::slice::from_ref(&job)).await;
        let JobState::Failed { failure, .. } = stage.job(&job).await.state else {
            panic!("{}: decayed data is called whole", stage.case());
        };
        assert_eq!(failure.kind, FailureKind::Integrity, "{failure:?}");
    }
    processor.retire().await;
    stage.work_off().await;
    let shown = line(stage, &sound).await;
    assert_eq!(shown.status, BackupStatus::Completed, "{}", stage.case());
    assert!(shown.marks.verified_at.is_some(), "{}", stage.case());
    let shown = line(stage, &decayed).await;
    assert_eq!(shown.status, BackupStatus::Damaged, "{}", stage.case());
    let point = recovery_point(stage, &database).await;
    assert_eq!(point, sound.as_str(), "{}", stage.case());

    data.put(stage, data.bytes.clone()).await;
    asked(stage, &decayed, &reading).await;
    stage.work_off().await;
    assert_eq!(recovery_point(stage, &database).await, decayed.as_str());
    stage.is_sound().await;
}
