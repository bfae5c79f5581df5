//! Failures, dead workers, and messages that cannot be worked off.

use std::time::Duration;

use dilux_core::dispatch::Doorbell;
use dilux_core::model::{
    AttemptEnd, BackupStatus, BackupWork, DeadLetterReason, JobId, JobState, Trigger, Work,
    WorkerId,
};
use dilux_core::storage::{Condition, Entity, EntityKey, SendOptions, TableName, TableOperation};
use dilux_core::transfer::FailureKind;
use jiff::SignedDuration;

use crate::played::PlayedServer;
use crate::world::World;

/// Attempts by default.
const ATTEMPTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_03_a_database_that_is_down_is_tried_as_often_as_attempts_allow_and_delays_no_other() {
    let server = PlayedServer::new(true);
    server.go_down();
    let world = World::new(server.clone(), None, &[]).await;
    world.register("down").await;
    let job = world.backup("down", "slot", Trigger::Scheduler);
    world.dispatch(&job).await;
    let processor = world.start();
    let ended = world.ended(&job.id).await;
    processor.stop().await;
    let JobState::Failed { failure, .. } = &ended.state else {
        panic!("{:?}", ended.state);
    };
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(server.started().len(), ATTEMPTS);
    assert_eq!(ended.log.len(), ATTEMPTS);
    for attempt in &ended.log {
        assert!(
            matches!(&attempt.end, Some(AttemptEnd::Failed { kind, .. }) if *kind == FailureKind::Unreachable)
        );
    }
    let states = &world.installation.repositories.states;
    let state = states.get(&job.database_id).await.unwrap().unwrap().value;
    assert_eq!(state.failures, u32::try_from(ATTEMPTS).unwrap());
    assert_eq!(state.recovery_point, None);
    assert!(state.reason.unwrap().contains("nothing answers"));
    let backups = &world.installation.repositories.backups;
    let lines = backups.newest_of(&job.database_id, 10).await.unwrap();
    assert_eq!(lines.len(), 1, "one line however many attempts");
    assert_eq!(lines[0].status, BackupStatus::Failed);
}

/// Leaves the job as a worker does that dies at once: claimed, with a lease that is over.
pub(crate) async fn die_on(world: &World, id: &JobId) {
    let jobs = &world.installation.repositories.jobs;
    let stored = jobs.get(id).await.unwrap().unwrap();
    let worker: WorkerId = "dead".parse().unwrap();
    let now = world.installation.clock.now();
    let claimed = stored.value.claim(worker, now, SignedDuration::ZERO);
    jobs.update(claimed.unwrap(), &stored.version)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_worker_died_is_taken_over_and_the_loss_is_logged() {
    let server = PlayedServer::new(true);
    let world = World::new(server, None, &[]).await;
    world.register("shop").await;
    let job = world.backup("shop", "slot", Trigger::Scheduler);
    world.dispatch(&job).await;
    die_on(&world, &job.id).await;
    let processor = world.start();
    let ended = world.ended(&job.id).await;
    processor.stop().await;
    assert!(matches!(ended.state, JobState::Completed { .. }));
    let ends: Vec<_> = ended
        .log
        .iter()
        .map(|attempt| attempt.end.clone())
        .collect();
    assert_eq!(ends, [Some(AttemptEnd::Lost), Some(AttemptEnd::Completed)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_its_worker_each_time_ends_failed_and_among_the_dead_letters() {
    let server = PlayedServer::new(true);
    let world = World::new(server.clone(), None, &[]).await;
    world.register("shop").await;
    let job = world.backup("shop", "slot", Trigger::Scheduler);
    world.dispatch(&job).await;
    for _ in 0..ATTEMPTS {
        die_on(&world, &job.id).await;
    }
    let processor = world.start();
    let ended = world.ended(&job.id).await;
    processor.stop().await;
    let JobState::Failed { failure, .. } = &ended.state else {
        panic!("{:?}", ended.state);
    };
    assert_eq!(failure.kind, FailureKind::WorkerLost);
    assert!(failure.message.contains("died in 4 of them"), "{failure}");
    assert_eq!(
        server.started(),
        Vec::<String>::new(),
        "it is not run again"
    );
    let letters = &world.installation.repositories.dead_letters;
    let letters = letters.list().await.unwrap().items;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].value.reason, DeadLetterReason::ExhaustedJob);
    assert_eq!(letters[0].value.job_id, Some(job.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_may_make_one_attempt_is_lost_once_only() {
    let server = PlayedServer::new(true);
    let world = World::new(server.clone(), None, &[]).await;
    world.register("shop").await;
    let work = Work::Backup(BackupWork {
        attempts: Some(1),
        ..BackupWork::default()
    });
    let job = world.job("shop", "slot", Trigger::Scheduler, work);
    world.dispatch(&job).await;
    die_on(&world, &job.id).await;
    let processor = world.start();
    let ended = world.ended(&job.id).await;
    processor.stop().await;
    let JobState::Failed { failure, .. } = &ended.state else {
        panic!("{:?}", ended.state);
    };
    assert_eq!(failure.kind, FailureKind::WorkerLost);
    assert!(failure.message.contains("died in 1 of them"), "{failure}");
    assert_eq!(server.started(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_job_is_set_aside_with_the_reason_and_the_queue_goes_on() {
    let server = PlayedServer::new(true);
    let world = World::new(server, None, &[]).await;
    world.register("shop").await;
    let (queues, queue) = (
        &world.installation.storage.queues,
        &world.installation.settings.queue,
    );
    let gone = world.backup("shop", "gone", Trigger::Manual);
    let damaged = world.backup("shop", "damaged", Trigger::Manual);
    let key = EntityKey::new("shop", damaged.id.as_str());
    let row = TableOperation::Replace(Entity::new(key), Condition::None);
    let tables = &world.installation.storage.tables;
    let table = TableName::new("jobs").unwrap();
    tables.write(&table, row).await.unwrap();
    let texts = [
        "{\"v\": 99}".to_owned(),
        Doorbell::of(&gone).to_text(),
        Doorbell::of(&damaged).to_text(),
        "{\"id\": \"1\", \"database_id\": \"nobody\"}".to_owned(),
    ];
    for text in &texts {
        let options = SendOptions::default();
        queues.send(queue, text, options).await.unwrap();
    }
    let job = world.backup("shop", "good", Trigger::Manual);
    world.dispatch(&job).await;
    let processor = world.start();
    let ended = world.ended(&job.id).await;
    assert!(matches!(ended.state, JobState::Completed { .. }));
    let empty = async {
        while queues.approximate_count(queue).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), empty)
        .await
        .expect("the queue becomes empty");
    processor.stop().await;
    let letters = &world.installation.repositories.dead_letters;
    let mut found: Vec<(String, DeadLetterReason)> = letters
        .list()
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|letter| (letter.value.text, letter.value.reason))
        .collect();
    let mut expected: Vec<(String, DeadLetterReason)> = texts
        .into_iter()
        .zip([
            DeadLetterReason::Unreadable,
            DeadLetterReason::UnknownJob,
            DeadLetterReason::DamagedJob,
            DeadLetterReason::UnknownJob,
        ])
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
}
