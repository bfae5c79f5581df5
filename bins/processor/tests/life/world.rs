//! An installation with one played engine, and processors that run on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{
    AuthMethod, BackupWork, Compression, CredentialSource, Database, Engine, EngineType, Job,
    JobId, JobOwner, PolicySource, TlsMode, Trigger, Work,
};
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::Profile;
use dilux_drivers::{Drivers, Tools};
use dilux_processor::Processor;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::played::{PlayedDriver, PlayedServer};

/// Longest wait for anything.
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) server: Arc<PlayedServer>,
    _directory: TempDir,
}

/// A processor at work.
pub(crate) struct Running {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

impl World {
    /// An installation with an engine that bears `max_jobs`, and these settings.
    pub(crate) async fn new(
        server: Arc<PlayedServer>,
        max_jobs: Option<i64>,
        settings: &[(&str, &str)],
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let store = format!("file://{}", directory.path().display());
        let settings: BTreeMap<String, String> = [
            ("STORAGE_CONNECTION_STRING", store.as_str()),
            ("DILUX_JOB_LEASE_SECONDS", "3"),
            ("DILUX_IDLE_POLL_MILLISECONDS", "20"),
            ("DILUX_SHUTDOWN_GRACE_SECONDS", "0"),
            ("DILUX_RETRY_FIRST_SECONDS", "0"),
        ]
        .iter()
        .chain(settings)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let settings = Settings::read(&|name| settings.get(name).cloned()).unwrap();
        let installation = Installation::open(settings, Profile::Worker).unwrap();
        installation.prepare().await.unwrap();
        let world = Self {
            installation,
            server,
            _directory: directory,
        };
        world.register_engine(max_jobs).await;
        world
    }

    async fn register_engine(&self, max_jobs: Option<i64>) {
        let secret = SecretName::new("dilux-engine-1").unwrap();
        let secrets = &self.installation.storage.secrets;
        let password = SecretValue::new("open sesame");
        secrets.set(&secret, &password).await.unwrap();
        let now = self.installation.clock.now();
        let engine = Engine {
            id: "engine-1".parse().unwrap(),
            name: "Sample".parse().unwrap(),
            engine_type: EngineType::PostgreSql,
            host: "played".parse().unwrap(),
            port: 5432.try_into().unwrap(),
            tls_mode: TlsMode::default(),
            auth_method: Some(AuthMethod::UserPassword),
            username: Some("backup".parse().unwrap()),
            identity: dilux_core::model::EntraIdentity::default(),
            secret: Some(secret),
            policy_id: None,
            max_jobs: max_jobs.map(|number| number.try_into().unwrap()),
            discovery_enabled: true,
            last_discovery: None,
            created_at: now,
            updated_at: now,
            created_by: None,
        };
        let engines = &self.installation.repositories.engines;
        engines.insert(engine).await.unwrap();
    }

    /// Registers a database with this id and name.
    pub(crate) async fn register(&self, name: &str) {
        let now = self.installation.clock.now();
        let database = Database {
            id: name.parse().unwrap(),
            engine_id: "engine-1".parse().unwrap(),
            label: name.parse().unwrap(),
            database_name: name.parse().unwrap(),
            credentials: CredentialSource::Engine,
            policy: PolicySource::Engine,
            enabled: true,
            rpo_minutes: None,
            compression: Compression::Gzip,
            destination: None,
            tags: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            created_by: None,
        };
        let databases = &self.installation.repositories.databases;
        databases.insert(database).await.unwrap();
    }

    /// A job of a database.
    pub(crate) fn job(&self, database: &str, key: &str, trigger: Trigger, work: Work) -> Job {
        let owner = JobOwner {
            database_id: database.parse().unwrap(),
            database_label: database.parse().unwrap(),
            engine_type: EngineType::PostgreSql,
        };
        let id = JobId::derive(&owner.database_id, key);
        Job::new(id, owner, work, trigger, self.installation.clock.now())
    }

    /// A backup of a database.
    pub(crate) fn backup(&self, database: &str, key: &str, trigger: Trigger) -> Job {
        let work = Work::Backup(BackupWork::default());
        self.job(database, key, trigger, work)
    }

    /// Books and rings.
    pub(crate) async fn dispatch(&self, job: &Job) {
        let dispatched = self.installation.dispatcher.dispatch(job.clone());
        dispatched.await.unwrap();
    }

    /// Starts a processor.
    pub(crate) fn start(&self) -> Running {
        let driver = Arc::new(PlayedDriver(self.server.clone()));
        let drivers = Arc::new(Drivers::of(vec![driver], Tools::default()));
        let shutdown = CancellationToken::new();
        let processor = Processor::new(self.installation.clone(), drivers);
        Running {
            task: tokio::spawn(processor.run(shutdown.clone())),
            shutdown,
        }
    }

    /// The job as stored.
    pub(crate) async fn stored(&self, id: &JobId) -> Job {
        let jobs = &self.installation.repositories.jobs;
        jobs.get(id).await.unwrap().unwrap().value
    }

    /// Waits until a job is as wanted.
    pub(crate) async fn until(&self, id: &JobId, is_wanted: impl Fn(&Job) -> bool) -> Job {
        let look = async {
            loop {
                let job = self.stored(id).await;
                if is_wanted(&job) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, look)
            .await
            .expect("the job gets there")
    }

    /// Waits until a job is over.
    pub(crate) async fn ended(&self, id: &JobId) -> Job {
        self.until(id, Job::is_terminal).await
    }
}
