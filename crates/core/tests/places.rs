//! Places over the embedded store: limits under races, the places of dead workers, the line.
#![cfg(test)]

use std::sync::Arc;

use dilux_core::clock::{Clock as _, ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::dispatch::Doorbell;
use dilux_core::installation::Installation;
use dilux_core::model::{
    BackupWork, Engine, EngineType, Job, JobId, JobOwner, RestoreWork, TlsMode, Trigger, Urgency,
    Work,
};
use dilux_core::random::SystemRandom;
use dilux_core::storage::{
    Condition, Entity, EntityKey, Profile, TableName, TableOperation, Value, open,
};
use jiff::SignedDuration;
use tempfile::TempDir;

const LEASE: SignedDuration = SignedDuration::from_secs(90);

struct World {
    installation: Installation,
    clock: Arc<ManualClock>,
    _directory: TempDir,
}

async fn world() -> World {
    let directory = TempDir::new().unwrap();
    let store = format!("file://{}", directory.path().display());
    let settings = Settings::read(&|name| match name {
        "STORAGE_CONNECTION_STRING" => Some(store.clone()),
        "DILUX_MAX_JOBS" => Some("5".to_owned()),
        "DILUX_MAX_JOBS_PER_ENGINE" => Some("3".to_owned()),
        _ => None,
    });
    let clock = Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
    let shared: SharedClock = clock.clone();
    let settings = settings.unwrap();
    let random: dilux_core::random::SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Interactive, &shared, &random).unwrap();
    let installation = Installation::new(Arc::new(settings), storage, shared, random);
    installation.prepare().await.unwrap();
    World {
        installation,
        clock,
        _directory: directory,
    }
}

impl World {
    fn engine(&self, id: &str, max_jobs: Option<i64>) -> Engine {
        let now = self.clock.now();
        Engine {
            id: id.parse().unwrap(),
            name: "Sample".parse().unwrap(),
            engine_type: EngineType::PostgreSql,
            host: "localhost".parse().unwrap(),
            port: 5432.try_into().unwrap(),
            tls_mode: TlsMode::default(),
            auth_method: None,
            username: None,
            identity: dilux_core::model::EntraIdentity::default(),
            secret: None,
            policy_id: None,
            max_jobs: max_jobs.map(|number| number.try_into().unwrap()),
            discovery_enabled: false,
            last_discovery: None,
            created_at: now,
            updated_at: now,
            created_by: None,
        }
    }

    fn job(&self, key: &str, trigger: Trigger, work: Work) -> Job {
        let owner = JobOwner {
            database_id: "db-1".parse().unwrap(),
            database_label: "Orders".parse().unwrap(),
            engine_type: EngineType::PostgreSql,
        };
        let id = JobId::derive(&owner.database_id, key);
        Job::new(id, owner, work, trigger, self.clock.now())
    }

    fn backup(&self, key: &str, trigger: Trigger) -> Job {
        self.job(key, trigger, Work::Backup(BackupWork::default()))
    }

    async fn texts(&self) -> Vec<JobId> {
        let queues = &self.installation.storage.queues;
        let texts = queues.peek(&self.installation.settings.queue, 32).await;
        let bells = texts.unwrap().into_iter();
        bells
            .map(|text| Doorbell::parse(&text).unwrap().job_id)
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_ask_at_once_no_place_is_given_twice() {
    let world = Arc::new(world().await);
    let mut askers = tokio::task::JoinSet::new();
    for number in 0..24 {
        let world = world.clone();
        askers.spawn(async move {
            let name = if number % 2 == 0 { "even" } else { "odd" };
            let engine = world.engine(name, None);
            let job = world.backup(&number.to_string(), Trigger::Scheduler);
            let dispatcher = &world.installation.dispatcher;
            let is_admitted = dispatcher.admit(&job, Some(&engine)).await.unwrap();
            (name, is_admitted)
        });
    }
    let answers = askers.join_all().await;
    let admitted = |name| {
        let of_engine = answers.iter().filter(|(engine, _)| *engine == name);
        of_engine.filter(|(_, is_admitted)| *is_admitted).count()
    };
    assert!(admitted("even") <= 3 && admitted("odd") <= 3);
    assert!((3..=5).contains(&(admitted("even") + admitted("odd"))));
    let (places, _) = world.installation.repositories.places.load().await.unwrap();
    assert_eq!(places.unwrap().taken(), admitted("even") + admitted("odd"));
}

#[tokio::test]
async fn an_engine_with_a_limit_of_its_own_bears_just_that() {
    let world = world().await;
    let engine = world.engine("small", Some(1));
    let dispatcher = &world.installation.dispatcher;
    let (first, second) = (
        world.backup("1", Trigger::Manual),
        world.backup("2", Trigger::Manual),
    );
    assert!(dispatcher.admit(&first, Some(&engine)).await.unwrap());
    assert!(!dispatcher.admit(&second, Some(&engine)).await.unwrap());
    assert!(dispatcher.admit(&first, Some(&engine)).await.unwrap());
}

#[tokio::test]
async fn the_place_of_a_dead_worker_ends_with_its_lease_and_not_before() {
    let world = world().await;
    let engine = world.engine("small", Some(1));
    let dispatcher = &world.installation.dispatcher;
    let jobs = &world.installation.repositories.jobs;
    let job = world.backup("1", Trigger::Manual);
    dispatcher.dispatch(job.clone()).await.unwrap();
    assert!(dispatcher.admit(&job, Some(&engine)).await.unwrap());
    let stored = jobs.get(&job.id).await.unwrap().unwrap();
    let claimed = stored
        .value
        .claim("w".parse().unwrap(), world.clock.now(), LEASE);
    let stored = jobs
        .update(claimed.unwrap(), &stored.version)
        .await
        .unwrap();
    world.clock.advance(SignedDuration::from_secs(60));
    let renewed = stored.value.renew(world.clock.now(), LEASE).unwrap();
    jobs.update(renewed, &stored.version).await.unwrap();

    let next = world.backup("2", Trigger::Manual);
    world.clock.advance(SignedDuration::from_secs(60));
    assert!(
        !dispatcher.admit(&next, Some(&engine)).await.unwrap(),
        "the heartbeat of the job keeps its place"
    );
    world.clock.advance(SignedDuration::from_secs(40));
    assert!(
        dispatcher.admit(&next, Some(&engine)).await.unwrap(),
        "the lease is over, and the place with it"
    );
}

/// What a worker leaves behind that comes too late to claim `job`: whether a place is taken.
async fn leftover_of_a_late_worker(world: &World, job: &Job, engine: &Engine) -> bool {
    let dispatcher = &world.installation.dispatcher;
    assert!(dispatcher.admit(job, Some(engine)).await.unwrap());
    dispatcher.forgo(&job.id, job.epoch + 1).await.unwrap();
    let (places, _) = world.installation.repositories.places.load().await.unwrap();
    places.unwrap().taken() == 1
}

#[tokio::test]
async fn a_place_whose_claim_is_lost_goes_unless_it_is_still_somebodys() {
    let world = world().await;
    let engine = world.engine("small", Some(1));
    let dispatcher = &world.installation.dispatcher;
    let jobs = &world.installation.repositories.jobs;
    let job = world.backup("1", Trigger::Manual);
    dispatcher.dispatch(job.clone()).await.unwrap();
    assert!(
        leftover_of_a_late_worker(&world, &job, &engine).await,
        "the claim may still be won by somebody who shares the place"
    );
    let stored = jobs.get(&job.id).await.unwrap().unwrap();
    let now = world.clock.now();
    let claimed = stored.value.claim("winner".parse().unwrap(), now, LEASE);
    let running = jobs
        .update(claimed.unwrap(), &stored.version)
        .await
        .unwrap();
    assert!(
        leftover_of_a_late_worker(&world, &job, &engine).await,
        "the place is the winner's"
    );
    let done = running.value.complete(now).unwrap();
    jobs.update(done, &running.version).await.unwrap();
    dispatcher.release(&job.id, 1).await.unwrap();
    assert!(!leftover_of_a_late_worker(&world, &job, &engine).await);
}

#[tokio::test]
async fn whoever_leaves_rings_for_the_most_urgent_that_waits() {
    let world = world().await;
    let engine = world.engine("small", Some(1));
    let dispatcher = &world.installation.dispatcher;
    let running = world.backup("running", Trigger::Scheduler);
    assert!(dispatcher.admit(&running, Some(&engine)).await.unwrap());
    let (scheduled, manual) = (
        world.backup("scheduled", Trigger::Scheduler),
        world.backup("manual", Trigger::Manual),
    );
    for job in [&scheduled, &manual] {
        dispatcher.dispatch(job.clone()).await.unwrap();
        assert!(!dispatcher.admit(job, Some(&engine)).await.unwrap());
    }
    assert_eq!(world.texts().await.len(), 2);
    dispatcher.release(&running.id, 1).await.unwrap();
    let bells = world.texts().await;
    assert_eq!(bells.iter().filter(|id| **id == manual.id).count(), 2);
    assert!(!dispatcher.admit(&scheduled, Some(&engine)).await.unwrap());
    assert!(dispatcher.admit(&manual, Some(&engine)).await.unwrap());
}

#[tokio::test]
async fn restores_and_manual_backups_are_found_before_a_long_line_of_scheduled_ones() {
    let world = world().await;
    let repository = &world.installation.repositories.jobs;
    for number in 0..30 {
        let job = world.backup(&format!("slot|{number}"), Trigger::Scheduler);
        world.installation.dispatcher.dispatch(job).await.unwrap();
    }
    world.clock.advance(SignedDuration::from_secs(1));
    let manual = world.backup("manual", Trigger::Manual);
    let restore = world.job(
        "restore",
        Trigger::Manual,
        Work::Restore(RestoreWork {
            backup_id: "db-1.x".parse().unwrap(),
            target_engine: "engine".parse().unwrap(),
            target_database: "copy".parse().unwrap(),
            compare_with_source: false,
        }),
    );
    let later = world
        .backup("later", Trigger::Manual)
        .starting(world.clock.now() + SignedDuration::from_hours(1));
    for job in [&manual, &restore, &later] {
        let dispatched = world.installation.dispatcher.dispatch(job.clone());
        dispatched.await.unwrap();
    }
    let found = async |than| -> Vec<JobId> {
        let found = repository.more_urgent(than, world.clock.now()).await;
        found.unwrap().into_iter().map(|job| job.value.id).collect()
    };
    assert_eq!(
        found(Urgency::Scheduled).await,
        [restore.id.clone(), manual.id.clone()]
    );
    assert_eq!(found(Urgency::Manual).await, vec![restore.id.clone()]);
    assert_eq!(found(Urgency::Restore).await, []);
    let stored = repository.get(&restore.id).await.unwrap().unwrap();
    let ended = stored.value.request_cancel(world.clock.now()).unwrap();
    repository.update(ended, &stored.version).await.unwrap();
    assert_eq!(found(Urgency::Scheduled).await, [manual.id]);
}

#[tokio::test]
async fn a_damaged_row_of_places_is_counted_anew_from_the_jobs_that_run() {
    let world = world().await;
    let dispatcher = &world.installation.dispatcher;
    let jobs = &world.installation.repositories.jobs;
    let engine = world.engine("wide", Some(64));
    for number in 0..4 {
        let job = world.backup(&number.to_string(), Trigger::Manual);
        dispatcher.dispatch(job.clone()).await.unwrap();
        assert!(dispatcher.admit(&job, Some(&engine)).await.unwrap());
        let stored = jobs.get(&job.id).await.unwrap().unwrap();
        let claimed = stored
            .value
            .claim("w".parse().unwrap(), world.clock.now(), LEASE);
        jobs.update(claimed.unwrap(), &stored.version)
            .await
            .unwrap();
    }
    let row = Entity::new(EntityKey::new("places", "all"))
        .with("taken", Value::String("not JSON".to_owned()));
    let damage = TableOperation::Replace(row, Condition::Exists);
    let table = TableName::new("places").unwrap();
    let tables = &world.installation.storage.tables;
    tables.write(&table, damage).await.unwrap();
    let (fifth, sixth) = (
        world.backup("fifth", Trigger::Manual),
        world.backup("sixth", Trigger::Manual),
    );
    assert!(dispatcher.admit(&fifth, Some(&engine)).await.unwrap());
    assert!(
        !dispatcher.admit(&sixth, Some(&engine)).await.unwrap(),
        "four run, one was admitted, and five is the limit"
    );
}

#[tokio::test]
async fn a_job_whose_worker_and_message_are_lost_is_rung_for_within_three_minutes() {
    let world = world().await;
    let dispatcher = &world.installation.dispatcher;
    let jobs = &world.installation.repositories.jobs;
    let settings = &world.installation.settings;
    let job = world.backup("1", Trigger::Manual);
    dispatcher.dispatch(job.clone()).await.unwrap();
    let stored = jobs.get(&job.id).await.unwrap().unwrap();
    let claimed = stored
        .value
        .claim("dead".parse().unwrap(), world.clock.now(), LEASE);
    jobs.update(claimed.unwrap(), &stored.version)
        .await
        .unwrap();
    world
        .installation
        .storage
        .queues
        .clear(&settings.queue)
        .await
        .unwrap();
    let patience = settings.worker.lease + std::time::Duration::from_secs(30);
    let mut waited = SignedDuration::ZERO;
    while dispatcher.sweep(patience).await.unwrap() == 0 {
        let step = SignedDuration::try_from(settings.sweep).unwrap();
        world.clock.advance(step);
        waited += step;
        assert!(waited <= SignedDuration::from_mins(3), "nobody rings");
    }
    assert_eq!(world.texts().await, vec![job.id.clone()]);
    let stored = jobs.get(&job.id).await.unwrap().unwrap();
    let taken = stored
        .value
        .claim("next".parse().unwrap(), world.clock.now(), LEASE);
    assert_eq!(taken.unwrap().epoch, 2);
}
