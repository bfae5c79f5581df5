//! What people ask the API for: backups, their end, another chance.

use dilux_core::model::{
    BackupWork, Database, DeadLetterReason, Job, JobId, JobState, Trigger, WorkerId,
};
use jiff::SignedDuration;
use reqwest::Method;

use crate::stage::Stage;

pub(super) async fn bookings(stage: &mut Stage) {
    let databases = stage.databases().await;
    stage.clear().await;
    let mut api = stage.api_actor().await;
    for database in &databases {
        let path = format!("/databases/{}/backup", database.id);
        let (status, answer) = api.ask(Method::POST, &path).await;
        assert!(status.is_success(), "{}: {answer}", stage.case());
    }
    api.retire().await;
    stage.work_off().await;
    one_backup_of_each(stage, &databases).await;
}

pub(super) async fn cancellations(stage: &mut Stage) {
    let mut jobs: Vec<JobId> = Vec::new();
    for database in stage.databases().await {
        let job = stage.client.back_up(database.id.as_str()).await.unwrap();
        jobs.push(job.parse().unwrap());
    }
    stage.clear().await;
    let mut api = stage.api_actor().await;
    for job in &jobs {
        let (status, answer) = api.ask(Method::POST, &format!("/jobs/{job}/cancel")).await;
        assert!(status.is_success(), "{}: {answer}", stage.case());
    }
    api.retire().await;
    stage.work_off().await;
    for job in &jobs {
        let job = stage.job(job).await;
        let is_cancelled = matches!(job.state, JobState::Cancelled { .. });
        assert!(is_cancelled, "{}: {job:#?}", stage.case());
    }
    assert_eq!(stage.is_sound().await.manifests.len(), 0);
}

/// Jobs whose workers all died are requeued.
pub(super) async fn requeues(stage: &mut Stage) {
    let databases = stage.databases().await;
    for database in &databases {
        let mut job = stage.scheduled(database, "exhausted", BackupWork::default());
        job.trigger = Trigger::Manual;
        exhaust(stage, job).await;
    }
    stage.work_off().await;
    let repository = stage.installation.repositories.dead_letters.clone();
    let letters = repository.list().await.unwrap().items;
    assert_eq!(letters.len(), stage.times);
    stage.clear().await;
    let mut api = stage.api_actor().await;
    for letter in &letters {
        assert_eq!(letter.value.reason, DeadLetterReason::ExhaustedJob);
        let path = format!("/dead-letters/{}/requeue", letter.value.id);
        let (status, answer) = api.ask(Method::POST, &path).await;
        assert!(status.is_success(), "{}: {answer}", stage.case());
    }
    api.retire().await;
    stage.work_off().await;
    assert_eq!(repository.list().await.unwrap().items, []);
    one_backup_of_each(stage, &databases).await;
}

/// Books a job and leaves it as workers do that die at once, until no attempt is left.
async fn exhaust(stage: &Stage, job: Job) {
    let id = stage.dispatch(job).await;
    let jobs = &stage.installation.repositories.jobs;
    for _ in 0..stage.installation.settings.worker.retry.attempts {
        let stored = jobs.get(&id).await.unwrap().unwrap();
        let worker: WorkerId = "dead".parse().unwrap();
        let now = stage.installation.clock.now();
        let claimed = stored.value.claim(worker, now, SignedDuration::ZERO);
        let claimed = jobs.update(claimed.unwrap(), &stored.version).await;
        claimed.unwrap();
    }
}

/// However often it was asked for.
pub(super) async fn one_backup_of_each(stage: &Stage, databases: &[Database]) {
    let holdings = stage.is_sound().await;
    assert_eq!(
        holdings.manifests.len(),
        databases.len(),
        "{}",
        stage.case()
    );
    for database in databases {
        let mut manifests = holdings.manifests.values();
        let has_one = manifests.any(|found| found.database_id == database.id);
        assert!(has_one, "{}: {}", stage.case(), database.database_name);
    }
}
