//! Rehearsals: databases that are made on a server and dropped again, whatever becomes of the worker.

use std::time::Duration;

use dilux_core::model::{
    BackupId, BackupStatus, EngineId, EngineType, Job, JobId, JobState, VerifyWork, Work, WorkerId,
};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Drivers, Target};
use jiff::SignedDuration;

use crate::{World, backup_work, line, verify};

/// Attempts by default.
const ATTEMPTS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_may_restore_into_a_database_that_it_drops_again() {
    let world = World::new().await;
    let backup = world.run(world.job("manual|1", backup_work())).await;
    let engine = world.engine.clone();
    let verified = verify(&world, &backup, "verify|1", Some(&engine)).await;
    assert!(
        matches!(verified.state, JobState::Completed { .. }),
        "{:?}",
        verified.state
    );
    assert!(line(&world, &backup).await.marks.verified_at.is_some());
    let drivers = Drivers::discover(&world.installation.settings).await;
    let driver = drivers.for_engine(EngineType::PostgreSql).unwrap();
    let server = &world.server;
    let target = Target::at(server.host(), server.port(), server.credentials());
    let left = driver.discover(&target).await.unwrap();
    let left: Vec<&str> = left.iter().map(|found| found.name.as_str()).collect();
    assert!(left.contains(&"shop"));
    assert!(
        left.iter().all(|name| !name.starts_with("dilux_verify_")),
        "{left:?}"
    );

    // A server that is not there says nothing of the backup.
    let gone: EngineId = "no-such".parse().unwrap();
    let failed = verify(&world, &backup, "verify|2", Some(&gone)).await;
    assert!(
        matches!(failed.state, JobState::Failed { .. }),
        "{:?}",
        failed.state
    );
    assert_eq!(line(&world, &backup).await.status, BackupStatus::Completed);
}

/// A rehearsal that is booked and rung for, and that no worker has taken yet.
async fn booked(world: &World, key: &str) -> Job {
    let backup = world.run(world.job("manual|1", backup_work())).await;
    let work = Work::Verify(VerifyWork {
        backup_id: BackupId::from(&backup.id),
        rehearse_on: Some(world.engine.clone()),
    });
    let job = world.job(key, work);
    let dispatched = world.installation.dispatcher.dispatch(job.clone()).await;
    dispatched.unwrap();
    job
}

/// Takes the job as a worker does that dies in the middle, and leaves its database.
async fn die_on(world: &World, id: &JobId) -> String {
    let stored = world.stored(id).await;
    let worker: WorkerId = "dead".parse().unwrap();
    let now = world.installation.clock.now();
    let claimed = stored
        .value
        .claim(worker, now, SignedDuration::ZERO)
        .unwrap();
    let left = left_by(id, claimed.epoch);
    let jobs = &world.installation.repositories.jobs;
    jobs.update(claimed, &stored.version).await.unwrap();
    world.server.create_database(&left).unwrap();
    left
}

fn left_by(id: &JobId, epoch: u64) -> String {
    let hash = id.as_str().rsplit('.').next().unwrap();
    format!("dilux_verify_{hash}_{epoch}")
}

/// Databases that look alike and belong to others, or to attempts that nobody made.
fn plant_others(world: &World, id: &JobId) -> Vec<String> {
    let others = vec![
        left_by(id, 99),
        "dilux_verify_somebody_1".to_owned(),
        format!("{}_mine", left_by(id, 1)),
        "dilux_verify_".to_owned(),
    ];
    for other in &others {
        world.server.create_database(other).unwrap();
    }
    others
}

fn assert_left(world: &World, gone: &[String], others: &[String]) {
    for name in gone {
        assert!(!world.server.has_database(name).unwrap(), "{name} is left");
    }
    for name in others
        .iter()
        .map(String::as_str)
        .chain(["shop", "postgres"])
    {
        assert!(
            world.server.has_database(name).unwrap(),
            "{name} was dropped"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_worker_left_of_a_cancelled_rehearsal_is_dropped_and_nothing_else() {
    let world = World::new().await;
    let job = booked(&world, "verify|cancelled").await;
    let left = die_on(&world, &job.id).await;
    let others = plant_others(&world, &job.id);
    let stored = world.stored(&job.id).await;
    let now = world.installation.clock.now();
    // The next worker did not reach the server, and somebody cancelled before the one after it.
    let lease = SignedDuration::from_secs(9);
    let next = stored
        .value
        .claim("next".parse().unwrap(), now, lease)
        .unwrap();
    let failure = Failure::new(FailureKind::Unreachable, "nothing answers");
    let rule = world.installation.settings.worker.retry;
    let waiting = next.fail(now, failure, rule).unwrap();
    let cancelled = waiting.request_cancel(now).unwrap();
    assert!(cancelled.is_terminal());
    let jobs = &world.installation.repositories.jobs;
    jobs.update(cancelled, &stored.version).await.unwrap();
    let (queues, queue) = (
        &world.installation.storage.queues,
        &world.installation.settings.queue,
    );
    let silent = async {
        while queues.approximate_count(queue).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    world.work_while(silent).await;
    assert_left(&world, &[left], &others);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dead_workers_left_of_a_rehearsal_without_attempts_is_dropped_and_nothing_else() {
    let world = World::new().await;
    let job = booked(&world, "verify|endless").await;
    let mut left = Vec::new();
    for _ in 0..ATTEMPTS {
        left.push(die_on(&world, &job.id).await);
    }
    let others = plant_others(&world, &job.id);
    let ended = world.work_until_over(&job.id).await;
    let JobState::Failed { failure, .. } = &ended.state else {
        panic!("{:?}", ended.state);
    };
    assert_eq!(failure.kind, FailureKind::WorkerLost);
    assert_left(&world, &left, &others);
}
