//! The processor in process, over the embedded store, against a real PostgreSQL.
#![cfg(test)]

mod moved;
mod rehearsals;
mod tls_modes;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dilux_core::alert::{AlertKind, find};
use dilux_core::config::Settings;
use dilux_core::expiry::{Expiry, Scope};
use dilux_core::installation::Installation;
use dilux_core::model::{
    AuthMethod, Backup, BackupId, BackupStatus, BackupWork, Compression, CredentialSource,
    Database, DatabaseId, Engine, EngineId, EngineType, Job, JobId, JobOwner, JobState, Manifest,
    PolicySource, RestoreWork, TlsMode, Trigger, VerifyWork, Work,
};
use dilux_core::repository::Versioned;
use dilux_core::retention::{KeepReason, Verdict};
use dilux_core::secret::SecretName;
use dilux_core::storage::{
    BlobName, ContainerName, Filter, Profile, PutOptions, Query, StoredEntity, TableName, Value,
};
use dilux_core::transfer::FailureKind;
use dilux_drivers::Drivers;
use dilux_processor::Processor;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::samples;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

struct World {
    installation: Installation,
    server: PostgresServer,
    database: DatabaseId,
    engine: EngineId,
    drivers: Arc<Drivers>,
    _directory: TempDir,
}

impl World {
    async fn new() -> Self {
        let installation = |settings| Installation::open(settings, Profile::Worker).unwrap();
        Self::with(PostgresServer::start().unwrap(), &installation).await
    }

    /// A world around a server and what becomes of the settings.
    async fn with(server: PostgresServer, open: &dyn Fn(Settings) -> Installation) -> Self {
        let directory = TempDir::new().unwrap();
        let store = format!("file://{}", directory.path().display());
        let settings = Settings::read(&|name| match name {
            "STORAGE_CONNECTION_STRING" => Some(store.clone()),
            "DILUX_JOB_LEASE_SECONDS" => Some("3".to_owned()),
            "DILUX_SHUTDOWN_GRACE_SECONDS" => Some("0".to_owned()),
            "DILUX_TOKEN_HOSTS" => Some("127.0.0.1".to_owned()),
            _ => None,
        })
        .unwrap();
        let installation = open(settings);
        installation.prepare().await.unwrap();
        let drivers = Arc::new(Drivers::discover(&installation.settings).await);
        server.create_database("shop").unwrap();
        server.execute("shop", samples::POSTGRESQL).unwrap();
        let (engine, database) = register(&installation, &server).await;
        Self {
            installation,
            server,
            database,
            engine,
            drivers,
            _directory: directory,
        }
    }

    fn job(&self, key: &str, work: Work) -> Job {
        let owner = JobOwner {
            database_id: self.database.clone(),
            database_label: "Shop".parse().unwrap(),
            engine_type: EngineType::PostgreSql,
        };
        let id = JobId::derive(&self.database, key);
        let now = self.installation.clock.now();
        Job::new(id, owner, work, Trigger::Manual, now)
    }

    /// Dispatches a job and lets a processor run until it is over.
    async fn run(&self, job: Job) -> Job {
        let id = job.id.clone();
        self.installation.dispatcher.dispatch(job).await.unwrap();
        self.work_until_over(&id).await
    }

    /// Lets a processor run until a job is over.
    async fn work_until_over(&self, id: &JobId) -> Job {
        let over = async {
            loop {
                let job = self.stored(id).await;
                if job.value.is_terminal() {
                    return job.value;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        self.work_while(over).await
    }

    async fn stored(&self, id: &JobId) -> Versioned<Job> {
        let jobs = &self.installation.repositories.jobs;
        jobs.get(id).await.unwrap().unwrap()
    }

    /// Lets a processor run until `over` comes.
    async fn work_while<T>(&self, over: impl Future<Output = T>) -> T {
        let shutdown = CancellationToken::new();
        let processor = Processor::new(self.installation.clone(), Arc::clone(&self.drivers));
        let running = tokio::spawn(processor.run(shutdown.clone()));
        let ended = tokio::time::timeout(Duration::from_mins(2), over)
            .await
            .expect("it comes");
        shutdown.cancel();
        running.await.unwrap();
        ended
    }
}

async fn register(installation: &Installation, server: &PostgresServer) -> (EngineId, DatabaseId) {
    let now = installation.clock.now();
    let engine_id: EngineId = "engine-1".parse().unwrap();
    let secret = SecretName::new(Engine::secret_name(&engine_id)).unwrap();
    let credentials = server.credentials();
    installation
        .storage
        .secrets
        .set(&secret, &credentials.password)
        .await
        .unwrap();
    let engine = Engine {
        id: engine_id.clone(),
        name: "Sample".parse().unwrap(),
        engine_type: EngineType::PostgreSql,
        host: server.host(),
        port: server.port(),
        tls_mode: TlsMode::default(),
        auth_method: Some(AuthMethod::UserPassword),
        username: Some(credentials.username),
        identity: dilux_core::model::EntraIdentity::default(),
        secret: Some(secret),
        policy_id: None,
        max_jobs: None,
        discovery_enabled: true,
        last_discovery: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    };
    let engines = &installation.repositories.engines;
    engines.insert(engine).await.unwrap();
    let database_id: DatabaseId = "database-1".parse().unwrap();
    let database = Database {
        id: database_id.clone(),
        engine_id: engine_id.clone(),
        label: "Shop".parse().unwrap(),
        database_name: "shop".parse().unwrap(),
        credentials: CredentialSource::Engine,
        policy: PolicySource::Engine,
        enabled: true,
        rpo_minutes: None,
        compression: Compression::Zstd,
        destination: None,
        tags: BTreeMap::new(),
        created_at: now,
        updated_at: now,
        created_by: None,
    };
    let databases = &installation.repositories.databases;
    databases.insert(database).await.unwrap();
    (engine_id, database_id)
}

fn backup_work() -> Work {
    Work::Backup(BackupWork {
        tiers: vec![],
        slot: None,
        needs_enabled: false,
        ..BackupWork::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_committed_listed_and_restored_equal() {
    let world = World::new().await;
    let job = world.run(world.job("manual|1", backup_work())).await;
    assert!(
        matches!(job.state, JobState::Completed { .. }),
        "{:?}",
        job.state
    );
    let repositories = &world.installation.repositories;
    let lines = repositories
        .backups
        .newest_of(&world.database, 10)
        .await
        .unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].status, BackupStatus::Completed);
    assert!(lines[0].blob_name.as_ref().unwrap().ends_with(".sql.zst"));
    let name = Manifest::blob_name(&job.id);
    let container = &world.installation.settings.container;
    let blob = dilux_core::storage::BlobName::new(name).unwrap();
    let manifest = world
        .installation
        .storage
        .blobs
        .properties(container, &blob)
        .await
        .unwrap();
    assert!(manifest.is_some(), "the manifest is there");

    let restore = Work::Restore(RestoreWork {
        backup_id: BackupId::from(&job.id),
        target_engine: world.engine.clone(),
        target_database: "shop_copy".parse().unwrap(),
        compare_with_source: true,
    });
    let restored = world.run(world.job("restore|1", restore)).await;
    assert!(
        matches!(restored.state, JobState::Completed { .. }),
        "{:?}",
        restored.state
    );
    assert!(restored.started_at().is_some(), "the log knows the start");
    let comparison = restored.comparison.unwrap();
    assert_eq!(comparison.differences, Vec::<String>::new());
    assert!(comparison.rows > 1000);
    assert!(world.server.has_database("shop_copy").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_disabled_after_the_booking_is_missed_with_a_reason() {
    let world = World::new().await;
    let databases = &world.installation.repositories.databases;
    let stored = databases.get(&world.database).await.unwrap().unwrap();
    let disabled = Database {
        enabled: false,
        ..stored.value
    };
    databases.replace(disabled, &stored.version).await.unwrap();
    let work = BackupWork {
        tiers: vec![],
        slot: None,
        needs_enabled: true,
        ..BackupWork::default()
    };
    let job = world.run(world.job("slot|1", Work::Backup(work))).await;
    assert!(
        matches!(&job.state, JobState::Missed { reason, .. } if reason.contains("disabled")),
        "{:?}",
        job.state
    );
    let lines = world
        .installation
        .repositories
        .backups
        .newest_of(&world.database, 10);
    let lines = lines.await.unwrap();
    assert_eq!(lines[0].status, BackupStatus::Missed);
    assert!(
        lines[0]
            .failure
            .as_ref()
            .unwrap()
            .message
            .contains("disabled")
    );
}

/// Verifies the backup of `job`, on `engine` where that is given.
async fn verify(world: &World, job: &Job, key: &str, engine: Option<&EngineId>) -> Job {
    let work = Work::Verify(VerifyWork {
        backup_id: BackupId::from(&job.id),
        rehearse_on: engine.cloned(),
    });
    world.run(world.job(key, work)).await
}

async fn line(world: &World, job: &Job) -> Backup {
    let backups = &world.installation.repositories.backups;
    let line = backups.get(&job.id, job.created_at).await.unwrap();
    line.unwrap().value
}

/// Writes other bytes over the data of a backup: those that `change` makes of the present ones.
async fn spoil(world: &World, line: &Backup, change: impl FnOnce(&mut Vec<u8>)) {
    let blobs = &world.installation.storage.blobs;
    let container = ContainerName::new(line.container.clone().unwrap()).unwrap();
    let name = BlobName::new(line.blob_name.clone().unwrap()).unwrap();
    let size = line.stored_bytes.unwrap();
    let bytes = blobs.read(&container, &name, 0..size, None).await.unwrap();
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    let options = PutOptions::default();
    let put = blobs.put(&container, &name, bytes.into(), options);
    put.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_12_truncated_or_corrupted_artefact_fails_verification_raises_an_alert_and_counts_no_more()
 {
    let world = World::new().await;
    let mut backups = Vec::new();
    for number in 0..3 {
        let job = world.job(&format!("manual|{number}"), backup_work());
        backups.push(world.run(job).await);
    }
    let [whole, corrupted, truncated] = &backups[..] else {
        panic!("three backups were made")
    };
    spoil(&world, &line(&world, corrupted).await, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    })
    .await;
    spoil(&world, &line(&world, truncated).await, |bytes| {
        bytes.truncate(bytes.len() / 2);
    })
    .await;
    let verified = verify(&world, whole, "verify|1", None).await;
    assert!(
        matches!(verified.state, JobState::Completed { .. }),
        "{:?}",
        verified.state
    );
    let shown = line(&world, whole).await;
    assert_eq!(shown.status, BackupStatus::Completed);
    assert!(shown.marks.verified_at.is_some());
    for (number, damaged) in [corrupted, truncated].into_iter().enumerate() {
        let key = format!("verify|damaged|{number}");
        let job = verify(&world, damaged, &key, None).await;
        let failure = job.failure().unwrap();
        assert_eq!(failure.kind, FailureKind::Integrity, "{failure:?}");
        let shown = line(&world, damaged).await;
        assert_eq!(shown.status, BackupStatus::Damaged);
        assert!(shown.marks.verification_failed_at.is_some());
        assert_eq!(shown.marks.sentence.as_ref(), Some(&failure.message));
        let audited = audited(&world, &job.id).await;
        assert_eq!(audited, std::slice::from_ref(&failure.message));
    }
    let now = world.installation.clock.now();
    let alerts = find(&world.installation, now).await.unwrap().alerts;
    let of_damage = alerts
        .iter()
        .filter(|it| it.kind == AlertKind::BackupDamaged);
    let mut named: Vec<&str> = of_damage.map(|it| it.subject.id.as_str()).collect();
    let mut damaged = [corrupted.id.as_str(), truncated.id.as_str()];
    named.sort_unstable();
    damaged.sort_unstable();
    assert_eq!(named, damaged, "an alert each");
    let expiry = Expiry::new(world.installation.clone());
    let scope = Scope::Database(world.database.clone());
    let preview = expiry.preview(&scope, None).await.unwrap().remove(0);
    let unsound = preview
        .backups
        .iter()
        .filter(|it| it.verdict == Verdict::Keep(vec![KeepReason::Unsound]));
    assert_eq!(unsound.count(), 2, "kept for people, counted as nothing");
}

/// What the audit log says of failed verifications by this job.
async fn audited(world: &World, job: &JobId) -> Vec<String> {
    let tables = &world.installation.storage.tables;
    let text = |text: &str| Value::String(text.to_owned());
    let filter = Filter::equal("action", text("verification_failed"))
        .and(Filter::equal("resource_id", text(job.as_str())));
    let query = Query {
        filter: Some(filter),
        ..Query::default()
    };
    let table = TableName::new("auditlogs").unwrap();
    let page = tables.query(&table, &query, None).await.unwrap();
    let message = |row: &StoredEntity| match &row.entity.properties["error_message"] {
        Value::String(message) => message.clone(),
        other => panic!("{other:?}"),
    };
    page.entities.iter().map(message).collect()
}
