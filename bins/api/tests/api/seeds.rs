//! Things that tests find in place.

use dilux_core::model::{
    Backup, BackupId, BackupStatus, BackupWork, Compression, DatabaseId, EngineId, EngineType, Job,
    JobId, JobOwner, JobState, Manifest, ServerIdentity, StoredData, ToolIdentity, Trigger, Work,
};
use dilux_core::storage::{BlobName, PutOptions};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::server::PASSWORD;
use crate::world::World;

/// Registers an engine and gives its id.
pub(crate) async fn engine(world: &World, engine_type: &str, host: &str) -> String {
    let body = json!({
        "name": format!("{engine_type} at {host}"), "engine_type": engine_type, "host": host,
        "auth_method": "user_password", "username": "backup", "password": PASSWORD,
    });
    let answer = world.post("/api/engines", &body).await.expect(201);
    id(&answer["engine"])
}

/// Registers a database that signs in as its engine does, and gives its id.
pub(crate) async fn database(world: &World, engine: &str, name: &str) -> String {
    let body = json!({ "engine_id": engine, "database": { "name": name } });
    let answer = world.post("/api/databases", &body).await.expect(201);
    id(&answer["database"])
}

/// The id of a resource.
pub(crate) fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

/// A backup to be put into the history.
#[derive(Debug, Clone)]
pub(crate) struct Seed<'a> {
    pub(crate) database: &'a str,
    pub(crate) engine: &'a str,
    pub(crate) label: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) status: BackupStatus,
    pub(crate) data: &'a [u8],
}

impl Seed<'_> {
    /// Writes what the services leave behind for such a backup: job, line of history, and for a
    /// completed one data and manifest.
    pub(crate) async fn plant(&self, world: &World) -> BackupId {
        let database: DatabaseId = self.database.parse().unwrap();
        let job_id = JobId::derive(&database, &format!("slot|{}", self.at));
        let is_completed = self.status == BackupStatus::Completed;
        let blob = format!(
            "postgresql/{database}/{}-1.sql.gz",
            self.at.strftime("%Y%m%d_%H%M%S")
        );
        let repositories = &world.installation.repositories;
        repositories.jobs.book(self.job(&job_id)).await.unwrap();
        if is_completed {
            self.store(world, &job_id, &blob).await;
        }
        let backup = self.line(job_id, blob);
        repositories.backups.put(&backup).await.unwrap();
        backup.id
    }

    /// The line of the history of such a backup.
    pub(crate) fn line(&self, job_id: JobId, blob: String) -> Backup {
        let is_completed = self.status == BackupStatus::Completed;
        Backup {
            id: BackupId::from(&job_id),
            job_id,
            database_id: self.database.parse().unwrap(),
            database_label: self.label.parse().unwrap(),
            engine_id: Some(self.engine.parse().unwrap()),
            engine_type: EngineType::PostgreSql,
            status: self.status,
            created_at: self.at,
            started_at: Some(self.at),
            completed_at: is_completed.then_some(self.at),
            container: is_completed.then(|| "backups".to_owned()),
            blob_name: is_completed.then_some(blob),
            stored_bytes: is_completed.then_some(self.data.len() as u64),
            plain_bytes: is_completed.then_some(9000),
            stored_sha256: None,
            format: is_completed.then(|| "sql.gz".to_owned()),
            failure: None,
            retry_count: 0,
            trigger: Trigger::Scheduler,
            tiers: Vec::new(),
            marks: dilux_core::model::BackupMarks::default(),
            epoch: 1,
        }
    }

    fn job(&self, id: &JobId) -> Job {
        let owner = JobOwner {
            database_id: self.database.parse().unwrap(),
            database_label: self.label.parse().unwrap(),
            engine_type: EngineType::PostgreSql,
        };
        let work = Work::Backup(BackupWork {
            tiers: Vec::new(),
            slot: None,
            needs_enabled: false,
            ..BackupWork::default()
        });
        let mut job = Job::new(id.clone(), owner, work, Trigger::Scheduler, self.at);
        job.attempts = 1;
        job.state = JobState::Completed { at: self.at };
        job
    }

    async fn store(&self, world: &World, job: &JobId, blob: &str) {
        let installation = &world.installation;
        let (blobs, container) = (
            &installation.storage.blobs,
            &installation.settings.container,
        );
        let put = |name: String, bytes: Vec<u8>| async move {
            let name = BlobName::new(name).unwrap();
            let options = PutOptions::default();
            blobs
                .put(container, &name, bytes.into(), options)
                .await
                .unwrap()
        };
        let version = put(blob.to_owned(), self.data.to_vec()).await;
        let manifest = Manifest {
            schema: Manifest::SCHEMA,
            job_id: job.clone(),
            job_created_at: self.at,
            epoch: 1,
            worker: "worker".to_owned(),
            database_id: self.database.parse().unwrap(),
            database_label: self.label.parse().unwrap(),
            database_name: "shop".parse().unwrap(),
            engine_id: self.engine.parse::<EngineId>().unwrap(),
            engine_type: EngineType::PostgreSql,
            server: ServerIdentity {
                flavour: "postgresql".to_owned(),
                version: "15.20".to_owned(),
            },
            tool: ToolIdentity {
                name: "pg_dump".to_owned(),
                path: "/usr/bin/pg_dump".to_owned(),
                version: "15.20".to_owned(),
            },
            traits: std::collections::BTreeMap::new(),
            tiers: Vec::new(),
            slot: None,
            trigger: Trigger::Scheduler,
            started_at: self.at,
            committed_at: self.at,
            data: StoredData {
                container: "backups".to_owned(),
                blob: blob.to_owned(),
                etag: version.etag.to_string(),
                compression: Compression::Gzip,
                format: "sql.gz".to_owned(),
                stored_bytes: self.data.len() as u64,
                stored_sha256: String::new(),
                plain_bytes: 9000,
                plain_sha256: "ab".to_owned(),
            },
            notes: Vec::new(),
            warnings: String::new(),
            unknown: std::collections::BTreeMap::new(),
        };
        put(Manifest::blob_name(job), manifest.to_json().unwrap()).await;
    }
}
