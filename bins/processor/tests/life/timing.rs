//! Scheduled jobs that workers take up long after their slot, or in a blackout.

use dilux_core::model::{
    AttemptEnd, BackupWork, Blackout, CatchUpHours, Job, JobState, TimeOfDay, Timing, Trigger, Work,
};
use dilux_core::transfer::{Failure, FailureKind};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::losses::die_on;
use crate::played::PlayedServer;
use crate::world::World;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn minute(at: Timestamp) -> TimeOfDay {
    let text = at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string();
    text.parse().unwrap()
}

/// A database in a blackout from an hour ago until in an hour, and the blackout's end.
async fn in_a_blackout(server: &std::sync::Arc<PlayedServer>) -> (World, Timestamp) {
    let world = World::new(server.clone(), None, &[]).await;
    let now = world.installation.clock.now();
    let window = Blackout::new(Vec::new(), minute(now - HOUR), minute(now + HOUR));
    let timing = Timing::default().with_blackouts(vec![window]).unwrap();
    follow(&world, timing).await;
    world.register("shop").await;
    let second = (now + HOUR).as_second();
    let end = Timestamp::from_second(second - second % 60).unwrap();
    (world, end)
}

/// Gives the default policy another timing.
async fn follow(world: &World, timing: Timing) {
    let policies = &world.installation.repositories.policies;
    let id = dilux_core::schedule::DEFAULT_POLICY.parse().unwrap();
    let mut stored = policies.get(&id).await.unwrap().unwrap();
    stored.value.timing = timing;
    policies
        .replace(stored.value, &stored.version)
        .await
        .unwrap();
}

/// A job that was booked for a slot so long ago.
fn booked(world: &World, ago: SignedDuration, trigger: Trigger) -> Job {
    let at = world.installation.clock.now() - ago;
    let work = Work::Backup(BackupWork {
        slot: Some(at),
        ..BackupWork::default()
    });
    let mut job = world.job("shop", "slot", trigger, work);
    job.created_at = at;
    job.not_before = at;
    job
}

async fn history(world: &World, job: &Job) -> usize {
    let backups = &world.installation.repositories.backups;
    backups.newest_of(&job.database_id, 10).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_late_begins_no_scheduled_backup_in_a_blackout() {
    let server = PlayedServer::new(true);
    let (world, end) = in_a_blackout(&server).await;
    let job = booked(&world, HOUR * 2, Trigger::Scheduler);
    world.dispatch(&job).await;
    let processor = world.start();
    let waiting = world.until(&job.id, |job| job.not_before >= end).await;
    let asked = world.backup("shop", "by hand", Trigger::Manual);
    world.dispatch(&asked).await;
    let ended = world.ended(&asked.id).await;
    processor.stop().await;
    assert!(
        matches!(ended.state, JobState::Completed { .. }),
        "asked for by hand"
    );
    assert_eq!(waiting.not_before, end);
    assert_eq!((waiting.epoch, &waiting.state), (0, &JobState::Pending));
    assert_eq!(server.started().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_retry_waits_for_the_end_of_a_blackout() {
    let server = PlayedServer::new(true);
    let (world, end) = in_a_blackout(&server).await;
    let job = booked(&world, HOUR * 2, Trigger::Scheduler);
    world.dispatch(&job).await;
    let jobs = &world.installation.repositories.jobs;
    let stored = jobs.get(&job.id).await.unwrap().unwrap();
    let before = job.created_at;
    let claimed = stored.value.claim("first".parse().unwrap(), before, HOUR);
    let failure = Failure::new(FailureKind::Unreachable, "nothing answers");
    let rule = world.installation.settings.worker.retry;
    let failed = claimed.unwrap().fail(before, failure, rule);
    jobs.update(failed.unwrap(), &stored.version).await.unwrap();
    let processor = world.start();
    let waiting = world.until(&job.id, |job| job.not_before >= end).await;
    processor.stop().await;
    assert!(matches!(waiting.state, JobState::Retrying { .. }));
    assert_eq!((waiting.epoch, waiting.attempts), (1, 1));
    assert_eq!(server.started(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_worker_died_is_given_back_until_the_end_of_a_blackout() {
    let server = PlayedServer::new(true);
    let (world, end) = in_a_blackout(&server).await;
    let job = booked(&world, HOUR * 2, Trigger::Scheduler);
    world.dispatch(&job).await;
    die_on(&world, &job.id).await;
    let processor = world.start();
    let waiting = world.until(&job.id, |job| job.not_before >= end).await;
    processor.stop().await;
    assert_eq!(waiting.state, JobState::Pending);
    let ends: Vec<_> = waiting
        .log
        .iter()
        .map(|attempt| attempt.end.clone())
        .collect();
    assert_eq!(ends, [Some(AttemptEnd::Lost), Some(AttemptEnd::GivenBack)]);
    assert_eq!(server.started(), Vec::<String>::new());
    assert_eq!(history(&world, &job).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_too_old_to_be_caught_up_ends_missed_with_the_reason() {
    let server = PlayedServer::new(true);
    let world = World::new(server.clone(), None, &[]).await;
    let limit = Some(CatchUpHours::new(2).unwrap());
    follow(&world, Timing::default().with_catch_up(limit)).await;
    world.register("shop").await;
    let job = booked(&world, HOUR * 3, Trigger::Scheduler);
    world.dispatch(&job).await;
    let processor = world.start();
    let ended = world.ended(&job.id).await;
    processor.stop().await;
    let JobState::Missed { reason, .. } = &ended.state else {
        panic!("{:?}", ended.state);
    };
    assert!(reason.contains("within 2 h"), "{reason}");
    assert_eq!(server.started(), Vec::<String>::new());
    assert_eq!(history(&world, &job).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_will_be_too_old_when_the_blackout_ends_is_missed_for_the_blackout() {
    let server = PlayedServer::new(true);
    let (world, _) = in_a_blackout(&server).await;
    let policies = &world.installation.repositories.policies;
    let id = dilux_core::schedule::DEFAULT_POLICY.parse().unwrap();
    let timing = policies.get(&id).await.unwrap().unwrap().value.timing;
    let limit = Some(CatchUpHours::new(2).unwrap());
    follow(&world, timing.with_catch_up(limit)).await;
    let job = booked(&world, HOUR + HOUR / 2, Trigger::Scheduler);
    world.dispatch(&job).await;
    let processor = world.start();
    let ended = world.ended(&job.id).await;
    processor.stop().await;
    let JobState::Missed { reason, .. } = &ended.state else {
        panic!("{:?}", ended.state);
    };
    assert!(reason.starts_with("blackout"), "{reason}");
    assert_eq!(server.started(), Vec::<String>::new());
}
