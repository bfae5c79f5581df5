//! An installation with one database, whose backups tests make and lose.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dilux_core::clock::{Clock as _, ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::expiry::{Expiry, ExpiryReport};
use dilux_core::installation::Installation;
use dilux_core::model::{
    Backup, BackupId, BackupWork, Compression, CredentialSource, Database, DatabaseId, Engine,
    EngineType, Job, JobId, JobOwner, JobState, Manifest, PolicySource, ServerIdentity, StoredData,
    Tier, TlsMode, ToolIdentity, Trigger, Work,
};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::storage::{
    BlobName, BlockId, Condition, ContainerName, Filter, Profile, PutCondition, PutOptions, Query,
    Storage, TableName, TableOperation, Value, open,
};
use jiff::SignedDuration;
use tempfile::TempDir;

pub(crate) const START: &str = "2026-03-04T02:00:00Z";

pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) clock: Arc<ManualClock>,
    _directory: TempDir,
}

pub(crate) fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[], |storage| storage).await
    }

    /// A world with these variables, whose stores `change` may wrap.
    pub(crate) async fn with(
        variables: &[(&str, &str)],
        change: impl FnOnce(Storage) -> Storage,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let store = format!("file://{}", directory.path().display());
        let settings = Settings::read(&|name| {
            let given = variables.iter().find(|(known, _)| *known == name);
            match name {
                "STORAGE_CONNECTION_STRING" => Some(store.clone()),
                _ => given.map(|(_, value)| (*value).to_owned()),
            }
        })
        .unwrap();
        let clock = Arc::new(ManualClock::new(START.parse().unwrap()));
        let shared: SharedClock = clock.clone();
        let random: SharedRandom = Arc::new(SystemRandom);
        let storage = open(&settings, Profile::Interactive, &shared, &random).unwrap();
        let installation = Installation::new(Arc::new(settings), change(storage), shared, random);
        installation.prepare().await.unwrap();
        let world = Self {
            installation,
            clock,
            _directory: directory,
        };
        world.register("db-1").await;
        world
    }

    /// Registers a database that follows `development`: 7 daily and 2 weekly backups.
    pub(crate) async fn register(&self, id: &str) {
        let repositories = &self.installation.repositories;
        let engine_id = "engine-1".parse().unwrap();
        if repositories
            .engines
            .get(&engine_id)
            .await
            .unwrap()
            .is_none()
        {
            repositories.engines.insert(self.engine()).await.unwrap();
        }
        let now = self.clock.now();
        let database = Database {
            id: id.parse().unwrap(),
            engine_id,
            label: "Orders".parse().unwrap(),
            database_name: id.parse().unwrap(),
            credentials: CredentialSource::Engine,
            policy: PolicySource::Own("development".parse().unwrap()),
            enabled: true,
            compression: Compression::None,
            destination: None,
            rpo_minutes: None,
            tags: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            created_by: None,
        };
        repositories.databases.insert(database).await.unwrap();
    }

    fn engine(&self) -> Engine {
        let now = self.clock.now();
        Engine {
            id: "engine-1".parse().unwrap(),
            name: "Sample".parse().unwrap(),
            engine_type: EngineType::PostgreSql,
            host: "db.example.internal".parse().unwrap(),
            port: EngineType::PostgreSql.default_port(),
            tls_mode: TlsMode::default(),
            auth_method: None,
            username: None,
            identity: dilux_core::model::EntraIdentity::default(),
            secret: None,
            policy_id: None,
            max_jobs: None,
            discovery_enabled: false,
            last_discovery: None,
            created_at: now,
            updated_at: now,
            created_by: None,
        }
    }

    /// Some days pass, and a minute: the store's time is a little more than the clock's, since each
    /// of its writes is later than the one before.
    pub(crate) fn pass_days(&self, count: i64) {
        self.clock
            .advance(days(count) + SignedDuration::from_mins(1));
    }

    pub(crate) fn expiry(&self) -> Expiry {
        Expiry::new(self.installation.clone())
    }

    pub(crate) async fn run(&self) -> ExpiryReport {
        let report = self.expiry().run().await.unwrap();
        assert_eq!(report.failed, 0, "{report:?}");
        assert!(!report.is_elsewhere);
        report
    }

    /// A committed backup of `db-1`, taken so many days before now.
    pub(crate) async fn backup(&self, days_ago: i64, tiers: &[Tier]) -> Manifest {
        let container = self.installation.settings.container.clone();
        self.backup_in("db-1", &container, days_ago, tiers).await
    }

    pub(crate) async fn backup_in(
        &self,
        database: &str,
        container: &ContainerName,
        days_ago: i64,
        tiers: &[Tier],
    ) -> Manifest {
        let taken_at = self.clock.now() - days(days_ago);
        let database: DatabaseId = database.parse().unwrap();
        let job_id = JobId::derive(&database, &format!("slot|{taken_at}|{tiers:?}"));
        let end = &job_id.as_str().as_bytes()[job_id.as_str().len() - 8..];
        let suffix = u64::from_be_bytes(end.try_into().unwrap());
        let time = taken_at.strftime("%Y%m%d_%H%M%S");
        let blob = format!("postgresql/{database}/{time}-1-{suffix:016x}.sql");
        let data = stored(container, blob);
        let manifest = Manifest {
            schema: Manifest::SCHEMA,
            job_created_at: taken_at,
            slot: None,
            epoch: 1,
            worker: "worker-1".to_owned(),
            database_id: database.clone(),
            database_label: "Orders".parse().unwrap(),
            database_name: "orders".parse().unwrap(),
            engine_id: "engine-1".parse().unwrap(),
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
            traits: BTreeMap::new(),
            tiers: tiers.to_vec(),
            trigger: if tiers.is_empty() {
                Trigger::Manual
            } else {
                Trigger::Scheduler
            },
            started_at: taken_at,
            committed_at: taken_at + SignedDuration::from_secs(30),
            data,
            notes: Vec::new(),
            warnings: String::new(),
            unknown: BTreeMap::new(),
            job_id,
        };
        self.book(&manifest, JobState::Completed { at: taken_at })
            .await;
        self.put_data(container, &manifest.data.blob).await;
        self.put_manifest(&manifest).await;
        self.installation
            .repositories
            .backups
            .put(&line(&manifest))
            .await
            .unwrap();
        let states = &self.installation.repositories.states;
        let (backup, at) = (id(&manifest), manifest.started_at);
        let succeed = states.change(&manifest.database_id, |state| state.succeed(&backup, at));
        succeed.await.unwrap();
        manifest
    }

    /// The job of a backup, in this state.
    pub(crate) async fn book(&self, manifest: &Manifest, state: JobState) {
        let owner = JobOwner {
            database_id: manifest.database_id.clone(),
            database_label: manifest.database_label.clone(),
            engine_type: manifest.engine_type,
        };
        let work = Work::Backup(BackupWork {
            tiers: manifest.tiers.clone(),
            slot: None,
            needs_enabled: false,
            attempts: None,
            reason: None,
        });
        let (id, booked) = (manifest.job_id.clone(), manifest.job_created_at);
        let mut job = Job::new(id, owner, work, manifest.trigger, booked);
        job.state = state;
        self.installation.repositories.jobs.book(job).await.unwrap();
    }

    /// Data as an attempt commits it.
    pub(crate) async fn put_data(&self, container: &ContainerName, name: &str) {
        let blobs = &self.installation.storage.blobs;
        let name = BlobName::new(name).unwrap();
        blobs.create_container(container).await.unwrap();
        let block = BlockId([7; 32]);
        blobs
            .stage_block(container, &name, block, Bytes::from_static(b"data!"))
            .await
            .unwrap();
        let options = PutOptions {
            condition: PutCondition::Absent,
            metadata: [("epoch", "1"), ("storedsha256", "00")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            ..PutOptions::default()
        };
        blobs
            .commit_blocks(container, &name, &[block], options)
            .await
            .unwrap();
    }

    pub(crate) async fn put_manifest(&self, manifest: &Manifest) {
        let name = BlobName::new(Manifest::blob_name(&manifest.job_id)).unwrap();
        let json = Bytes::from(manifest.to_json().unwrap());
        let container = &self.installation.settings.container;
        self.installation
            .storage
            .blobs
            .put(container, &name, json, PutOptions::default())
            .await
            .unwrap();
    }

    pub(crate) async fn has_blob(&self, container: &str, name: &str) -> bool {
        let container = ContainerName::new(container).unwrap();
        let name = BlobName::new(name).unwrap();
        let blobs = &self.installation.storage.blobs;
        blobs.properties(&container, &name).await.unwrap().is_some()
    }

    pub(crate) async fn has_manifest(&self, manifest: &Manifest) -> bool {
        let name = Manifest::blob_name(&manifest.job_id);
        let container = self.installation.settings.container.clone();
        self.has_blob(container.as_str(), &name).await
    }

    pub(crate) async fn has_data(&self, manifest: &Manifest) -> bool {
        self.has_blob(&manifest.data.container, &manifest.data.blob)
            .await
    }

    /// Whether it could be restored: manifest and data are there.
    pub(crate) async fn is_restorable(&self, manifest: &Manifest) -> bool {
        self.has_manifest(manifest).await && self.has_data(manifest).await
    }

    /// Somebody deletes a blob by hand.
    pub(crate) async fn lose(&self, container: &str, name: &str) {
        let container = ContainerName::new(container).unwrap();
        let name = BlobName::new(name).unwrap();
        let blobs = &self.installation.storage.blobs;
        blobs.delete(&container, &name, None).await.unwrap();
    }

    pub(crate) async fn lose_data(&self, manifest: &Manifest) {
        self.lose(&manifest.data.container, &manifest.data.blob)
            .await;
    }

    pub(crate) async fn lose_manifest(&self, manifest: &Manifest) {
        let container = self.installation.settings.container.clone();
        let name = Manifest::blob_name(&manifest.job_id);
        self.lose(container.as_str(), &name).await;
    }

    /// A table is lost.
    pub(crate) async fn lose_rows(&self, table: &str) {
        let table = TableName::new(table).unwrap();
        let tables = &self.installation.storage.tables;
        let page = tables.query(&table, &Query::default(), None).await.unwrap();
        assert!(page.next.is_none());
        for row in page.entities {
            let gone = TableOperation::Delete(row.entity.key, Condition::Exists);
            tables.write(&table, gone).await.unwrap();
        }
    }

    /// The line of the history, the same in both tables.
    pub(crate) async fn line(&self, manifest: &Manifest) -> Backup {
        let backups = &self.installation.repositories.backups;
        let line = backups
            .get(&manifest.job_id, manifest.job_created_at)
            .await
            .unwrap()
            .expect("the history keeps its line")
            .value;
        let of_database = backups
            .newest_of(&manifest.database_id, 1000)
            .await
            .unwrap();
        let indexed = of_database.iter().find(|other| other.id == line.id);
        assert_eq!(indexed, Some(&line));
        line
    }

    /// The backups whose deletion stands in the audit log, one for each entry, sorted.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let table = TableName::new("auditlogs").unwrap();
        let action = Value::String("backup_deleted_retention".to_owned());
        let query = Query {
            filter: Some(Filter::equal("action", action)),
            ..Query::default()
        };
        let tables = &self.installation.storage.tables;
        let page = tables.query(&table, &query, None).await.unwrap();
        assert!(page.next.is_none());
        let id = |row: &dilux_core::storage::StoredEntity| match &row.entity.properties["resource_id"]
        {
            Value::String(id) => id.clone(),
            other => panic!("{other:?}"),
        };
        let mut found: Vec<String> = page.entities.iter().map(id).collect();
        found.sort();
        found
    }
}

fn stored(container: &ContainerName, blob: String) -> StoredData {
    StoredData {
        container: container.as_str().to_owned(),
        blob,
        etag: String::new(),
        compression: Compression::None,
        format: "sql".to_owned(),
        stored_bytes: 5,
        stored_sha256: "00".to_owned(),
        plain_bytes: 5,
        plain_sha256: "00".to_owned(),
    }
}

pub(crate) fn id(manifest: &Manifest) -> BackupId {
    BackupId::from(&manifest.job_id)
}

/// The line that the processor writes for a manifest.
pub(crate) fn line(manifest: &Manifest) -> Backup {
    Backup::of_manifest(manifest)
}
