//! An installation with one engine, a clock, and a stand-in for the workers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dilux_core::clock::{Clock as _, ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{
    BackupPolicy, Compression, CredentialSource, Database, DatabaseId, Engine, EngineType, Job,
    JobState, PolicySource, Tier, TlsMode, Work,
};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::repository::Miss;
use dilux_core::schedule::TierState;
use dilux_core::storage::{
    Condition, Entity, EntityKey, Profile, Storage, TableName, TableOperation, open,
};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_scheduler::{Scheduler, TickReport};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) clock: Arc<ManualClock>,
    _directory: TempDir,
}

/// An installation at 2026-03-04T10:07 UTC.
pub(crate) async fn world() -> World {
    world_at("2026-03-04T10:07:00Z").await
}

pub(crate) async fn world_at(now: &str) -> World {
    world_with(now, &[]).await
}

/// An installation at this time with these settings.
pub(crate) async fn world_with(now: &str, wishes: &[(&str, &str)]) -> World {
    // Months are simulated here: memory instead of a disk that is asked to sync each write.
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    };
    let directory = directory.unwrap();
    let store = format!("file://{}", directory.path().display());
    let settings = Settings::read(&|name| {
        let mut wishes = wishes.iter();
        let wish = wishes.find(|(variable, _)| *variable == name);
        let is_store = name == "STORAGE_CONNECTION_STRING";
        wish.map(|(_, value)| (*value).to_owned())
            .or_else(|| is_store.then(|| store.clone()))
    });
    let settings = settings.unwrap();
    let clock = Arc::new(ManualClock::new(now.parse().unwrap()));
    let shared: SharedClock = clock.clone();
    let random: SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Worker, &shared, &random).unwrap();
    let installation = Installation::new(Arc::new(settings), storage, shared, random);
    installation.prepare().await.unwrap();
    let now = clock.now();
    let engine = Engine {
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
        policy_id: Some("development".parse().unwrap()),
        max_jobs: None,
        discovery_enabled: false,
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
    World {
        installation,
        clock,
        _directory: directory,
    }
}

impl World {
    pub(crate) async fn add(&self, id: &str, policy: PolicySource, is_enabled: bool) {
        let now = self.clock.now();
        let database = Database {
            id: id.parse().unwrap(),
            engine_id: "engine-1".parse().unwrap(),
            label: id.parse().unwrap(),
            database_name: id.parse().unwrap(),
            credentials: CredentialSource::Engine,
            policy,
            enabled: is_enabled,
            rpo_minutes: None,
            compression: Compression::Gzip,
            destination: None,
            tags: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            created_by: None,
        };
        self.installation
            .repositories
            .databases
            .insert(database)
            .await
            .unwrap();
    }

    /// Adds a policy like a seeded one, changed.
    pub(crate) async fn add_policy(&self, id: &str, change: impl FnOnce(&mut BackupPolicy)) {
        let policies = &self.installation.repositories.policies;
        let critical = policies.get(&"production-critical".parse().unwrap()).await;
        let mut policy = critical.unwrap().unwrap().value;
        policy.id = id.parse().unwrap();
        policy.updated_at = self.clock.now();
        change(&mut policy);
        policies.insert(policy).await.unwrap();
    }

    /// The same installation over these stores.
    pub(crate) fn over(&self, storage: Storage) -> Installation {
        let known = &self.installation;
        let (clock, random) = (known.clock.clone(), known.random.clone());
        Installation::new(known.settings.clone(), storage, clock, random)
    }

    /// Changes a policy now.
    pub(crate) async fn change_policy(&self, id: &str, change: impl FnOnce(&mut BackupPolicy)) {
        let policies = &self.installation.repositories.policies;
        let stored = policies.get(&id.parse().unwrap()).await.unwrap().unwrap();
        let mut policy = stored.value;
        policy.updated_at = self.clock.now();
        change(&mut policy);
        policies.replace(policy, &stored.version).await.unwrap();
    }

    /// Leaves of a row only its key.
    pub(crate) async fn damage(&self, table: &str, partition: &str, row: &str) {
        let write = TableOperation::Replace(
            Entity::new(EntityKey::new(partition, row)),
            Condition::Exists,
        );
        let tables = &self.installation.storage.tables;
        let table = TableName::new(table).unwrap();
        tables.write(&table, write).await.unwrap();
    }

    pub(crate) fn scheduler(&self) -> Scheduler {
        Scheduler::new(self.installation.clone())
    }

    /// A tick; it must find nothing wrong.
    pub(crate) async fn tick(&self) -> TickReport {
        let report = self.scheduler().tick().await.unwrap();
        assert_eq!((report.failed, report.damaged), (0, 0));
        report
    }

    /// All jobs, newest first.
    pub(crate) async fn jobs(&self) -> Vec<Job> {
        let jobs = &self.installation.repositories.jobs;
        jobs.newest(None, 100_000).await.unwrap().0
    }

    /// The states of a database's tiers.
    pub(crate) async fn states(&self, database: &str) -> Vec<TierState> {
        let schedule = &self.installation.repositories.schedule;
        let listing = schedule.of(&id(database)).await.unwrap();
        assert_eq!(listing.damaged, []);
        listing
            .items
            .into_iter()
            .map(|row| row.value.state)
            .collect()
    }

    /// The slots of a database that were given up, newest first.
    pub(crate) async fn misses(&self, database: &str) -> Vec<Miss> {
        let schedule = &self.installation.repositories.schedule;
        let most = 1000.try_into().unwrap();
        schedule.misses(&id(database), most).await.unwrap()
    }

    /// Plays worker: runs every job that may start, each to its end at once. Gives the attempts.
    pub(crate) async fn work(&self, can_succeed: impl Fn(&Job) -> bool) -> Vec<Job> {
        let jobs = &self.installation.repositories.jobs;
        let mut ran = Vec::new();
        for stored in jobs.active(self.clock.now()).await.unwrap() {
            let now = self.clock.now();
            if stored.value.not_before > now || stored.value.live_lease(now).is_some() {
                continue;
            }
            let worker = "worker-1".parse().unwrap();
            let lease = SignedDuration::from_secs(90);
            let claimed = stored.value.clone().claim(worker, now, lease).unwrap();
            let claimed = jobs.update(claimed, &stored.version).await.unwrap();
            let job = if can_succeed(&claimed.value) {
                claimed.value.clone().complete(now).unwrap()
            } else {
                let failure = Failure::new(FailureKind::Unreachable, "nobody is there");
                let setting = self.installation.settings.worker.retry;
                let rule = claimed.value.work.retry_rule(setting);
                claimed.value.clone().fail(now, failure, rule).unwrap()
            };
            let job = jobs.update(job, &claimed.version).await.unwrap().value;
            if job.is_terminal() {
                let schedule = &self.installation.repositories.schedule;
                schedule.settle(&job).await.unwrap();
            }
            ran.push(job);
        }
        ran
    }

    /// Claims the one job that may start, and never finishes it.
    pub(crate) async fn start_one(&self) -> Job {
        let jobs = &self.installation.repositories.jobs;
        let mut active = jobs.active(self.clock.now()).await.unwrap();
        active.retain(|job| job.value.not_before <= self.clock.now());
        assert_eq!(active.len(), 1);
        let stored = active.remove(0);
        let lease = SignedDuration::from_hours(100);
        let worker = "worker-1".parse().unwrap();
        let claimed = stored.value.claim(worker, self.clock.now(), lease).unwrap();
        jobs.update(claimed, &stored.version).await.unwrap().value
    }

    /// Moves the clock to `until` in steps of `step`, ticking and working after each.
    pub(crate) async fn live(
        &self,
        until: &str,
        step: SignedDuration,
        can_succeed: impl Fn(&Job) -> bool,
    ) -> Vec<Job> {
        let until: Timestamp = until.parse().unwrap();
        let mut ran = Vec::new();
        while self.clock.now() < until {
            self.clock.advance(step);
            self.tick().await;
            ran.extend(self.work(&can_succeed).await);
        }
        ran
    }
}

pub(crate) fn id(database: &str) -> DatabaseId {
    database.parse().unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn own(policy: &str) -> PolicySource {
    PolicySource::Own(policy.parse().unwrap())
}

pub(crate) fn tiers(job: &Job) -> Vec<Tier> {
    match &job.work {
        Work::Backup(work) => work.tiers.clone(),
        Work::Restore(_) | Work::Verify(_) => panic!("the scheduler books backups"),
    }
}

pub(crate) fn slot(job: &Job) -> Timestamp {
    match &job.work {
        Work::Backup(work) => work.slot.unwrap(),
        Work::Restore(_) | Work::Verify(_) => panic!("the scheduler books backups"),
    }
}

pub(crate) fn is_completed(job: &Job) -> bool {
    matches!(job.state, JobState::Completed { .. })
}
