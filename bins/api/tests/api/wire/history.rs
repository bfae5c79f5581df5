//! The recorded history of backups, put into the store: the lines that the recorded lists show.

use std::collections::BTreeMap;

use dilux_core::model::{
    Backup, BackupId, BackupStatus, BackupWork, Compression, DatabaseId, Job, JobId, JobOwner,
    JobState, Manifest, ServerIdentity, StoredData, ToolIdentity, Work,
};
use dilux_core::storage::{BlobName, PutOptions};
use dilux_core::transfer::{Failure, FailureKind};
use jiff::Timestamp;
use serde_json::Value;

use super::compare::instant;
use super::example::{Bindings, examples};
use crate::world::World;

/// The answers that show every line once: the first 25, and the page with the other five.
const SHOWING: [&str; 2] = ["backups.list-default", "backups.list-last-page"];

/// When the two backups ran whose times were not kept: after all others, newest first.
const LATEST: [&str; 2] = ["2025-12-10T12:00:02Z", "2025-12-10T12:00:01Z"];

/// What is stored for each line that names a blob.
const DATA: &[u8] = b"data";

/// Recorded size in bytes above which a file was gone.
const GONE_FROM: u64 = 100_000_000;

/// A database that was removed before the recording.
const DELETED: &str = "{{uuid:db-deleted}}";

/// Writes the recorded lines, and data for those that name a blob.
pub(super) async fn plant(world: &World, bindings: &mut Bindings) {
    let removed = DatabaseId::random(&*world.installation.random);
    bindings.bind(DELETED, removed.as_str());
    let mut latest = LATEST.into_iter();
    for line in lines() {
        let without_time = || latest.next().unwrap().parse().unwrap();
        let created_at = instant(text(&line, "created_at")).unwrap_or_else(without_time);
        let backup = backup(&line, created_at, bindings);
        bindings.bind(text(&line, "id"), backup.id.as_str());
        bindings.bind(text(&line, "job_id"), backup.job_id.as_str());
        if backup.status != BackupStatus::InProgress {
            book(world, &backup).await;
        }
        store_data(world, &backup).await;
        let backups = &world.installation.repositories.backups;
        backups.put(&backup).await.unwrap();
    }
}

fn lines() -> Vec<Value> {
    let shown: Vec<_> = examples()
        .into_iter()
        .filter(|example| SHOWING.contains(&example.name.as_str()))
        .flat_map(|example| example.answer["backups"].as_array().unwrap().clone())
        .collect();
    assert_eq!(shown.len(), 30);
    shown
}

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_default()
}

fn backup(line: &Value, created_at: Timestamp, bindings: &Bindings) -> Backup {
    let database_id: DatabaseId = bindings.fill(text(line, "database_id")).parse().unwrap();
    let job_id = JobId::derive(&database_id, &format!("recorded|{created_at}"));
    let optional = |key: &str| line[key].as_str().map(|text| bindings.fill_known(text));
    let time = |key: &str| optional(key).map(|text| instant(&text).unwrap_or(created_at));
    let failed = line["error_message"].is_string();
    let blob_name = optional("blob_name").map(|name| name.replace("{{blob-time}}", "20251210"));
    Backup {
        id: BackupId::from(&job_id),
        job_id,
        database_id,
        database_label: text(line, "database_name").parse().unwrap(),
        engine_id: optional("engine_id").map(|id| id.parse().unwrap()),
        engine_type: text(line, "database_type").parse().unwrap(),
        status: text(line, "status").parse().unwrap(),
        created_at,
        started_at: time("started_at"),
        completed_at: time("completed_at"),
        container: None,
        blob_name,
        stored_bytes: line["file_size_bytes"].as_u64(),
        plain_bytes: None,
        stored_sha256: None,
        format: optional("file_format"),
        failure: failed.then(|| {
            Failure::new(FailureKind::ToolFailed, "the tool failed").with_detail("its last words")
        }),
        retry_count: u32::try_from(line["retry_count"].as_u64().unwrap()).unwrap(),
        trigger: text(line, "triggered_by").parse().unwrap(),
        tiers: optional("tier")
            .map(|tier| tier.parse().unwrap())
            .into_iter()
            .collect(),
        marks: dilux_core::model::BackupMarks::default(),
        epoch: 1,
    }
}

/// The job of a line, which is over.
async fn book(world: &World, backup: &Backup) {
    let owner = JobOwner {
        database_id: backup.database_id.clone(),
        database_label: backup.database_label.clone(),
        engine_type: backup.engine_type,
    };
    let work = Work::Backup(BackupWork::default());
    let id = backup.job_id.clone();
    let mut job = Job::new(id, owner, work, backup.trigger, backup.created_at);
    job.state = match &backup.failure {
        None => JobState::Completed {
            at: backup.created_at,
        },
        Some(failure) => JobState::Failed {
            at: backup.created_at,
            failure: failure.clone(),
        },
    };
    let jobs = &world.installation.repositories.jobs;
    jobs.book(job).await.unwrap();
}

/// Data and manifest of a line that names a blob; the files of the two largest were gone when the
/// recording was made.
async fn store_data(world: &World, backup: &Backup) {
    let Some(name) = &backup.blob_name else {
        return;
    };
    if backup.stored_bytes.is_some_and(|bytes| bytes > GONE_FROM) {
        return;
    }
    let etag = put(world, name, DATA.to_vec()).await;
    let engine_id = backup.engine_id.clone();
    let manifest = Manifest {
        schema: Manifest::SCHEMA,
        job_id: backup.job_id.clone(),
        job_created_at: backup.created_at,
        epoch: 1,
        worker: "worker".to_owned(),
        database_id: backup.database_id.clone(),
        database_label: backup.database_label.clone(),
        database_name: "recorded".parse().unwrap(),
        engine_id: engine_id.unwrap_or_else(|| "gone".parse().unwrap()),
        engine_type: backup.engine_type,
        server: ServerIdentity {
            flavour: "played".to_owned(),
            version: "1.0".to_owned(),
        },
        tool: ToolIdentity {
            name: "dump".to_owned(),
            path: "/usr/bin/dump".to_owned(),
            version: "1.0".to_owned(),
        },
        traits: BTreeMap::new(),
        tiers: backup.tiers.clone(),
        slot: None,
        trigger: backup.trigger,
        started_at: backup.created_at,
        committed_at: backup.created_at,
        data: StoredData {
            container: world.installation.settings.container.as_str().to_owned(),
            blob: name.clone(),
            etag,
            compression: Compression::Gzip,
            format: "sql.gz".to_owned(),
            stored_bytes: DATA.len() as u64,
            stored_sha256: String::new(),
            plain_bytes: 9000,
            plain_sha256: String::new(),
        },
        notes: Vec::new(),
        warnings: String::new(),
        unknown: BTreeMap::new(),
    };
    let name = Manifest::blob_name(&backup.job_id);
    put(world, &name, manifest.to_json().unwrap()).await;
}

async fn put(world: &World, name: &str, bytes: Vec<u8>) -> String {
    let name = BlobName::new(name).unwrap();
    let (blobs, container) = (
        &world.installation.storage.blobs,
        &world.installation.settings.container,
    );
    let options = PutOptions::default();
    let put = blobs.put(container, &name, bytes.into(), options);
    put.await.unwrap().etag.to_string()
}
