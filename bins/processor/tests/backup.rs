//! The processor in process, over the embedded store, against a real PostgreSQL.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{
    AuthMethod, BackupId, BackupStatus, BackupWork, Compression, CredentialSource, Database,
    DatabaseId, Engine, EngineId, EngineType, Job, JobId, JobOwner, JobState, Manifest,
    PolicySource, RestoreWork, Trigger, Work,
};
use dilux_core::secret::SecretName;
use dilux_core::storage::Profile;
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
    _directory: TempDir,
}

impl World {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = format!("file://{}", directory.path().display());
        let settings = Settings::read(&|name| match name {
            "STORAGE_CONNECTION_STRING" => Some(store.clone()),
            "DILUX_JOB_LEASE_SECONDS" => Some("3".to_owned()),
            "DILUX_SHUTDOWN_GRACE_SECONDS" => Some("0".to_owned()),
            _ => None,
        })
        .unwrap();
        let installation = Installation::open(settings, Profile::Worker).unwrap();
        installation.prepare().await.unwrap();
        let server = PostgresServer::start().unwrap();
        server.create_database("shop").unwrap();
        server.execute("shop", samples::POSTGRESQL).unwrap();
        let (engine, database) = register(&installation, &server).await;
        Self {
            installation,
            server,
            database,
            engine,
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
        let shutdown = CancellationToken::new();
        let drivers = Arc::new(Drivers::discover(&self.installation.settings).await);
        let processor = Processor::new(self.installation.clone(), drivers);
        let running = tokio::spawn(processor.run(shutdown.clone()));
        let ended = tokio::time::timeout(Duration::from_mins(2), async {
            loop {
                let job = self
                    .installation
                    .repositories
                    .jobs
                    .get(&id)
                    .await
                    .unwrap()
                    .unwrap();
                if job.value.is_terminal() {
                    return job.value;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the job ends");
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
        auth_method: Some(AuthMethod::UserPassword),
        username: Some(credentials.username),
        secret: Some(secret),
        policy_id: None,
        max_jobs: None,
        discovery_enabled: true,
        last_discovery: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    };
    installation
        .repositories
        .engines
        .insert(engine)
        .await
        .unwrap();
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
    installation
        .repositories
        .databases
        .insert(database)
        .await
        .unwrap();
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
