//! From messages to claims.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::crash;
use dilux_core::dispatch::Doorbell;
use dilux_core::model::{
    BackupWork, DatabaseId, DeadLetter, DeadLetterReason, Job, JobId, JobOwner, Trigger, Work,
};
use dilux_core::repository::Versioned;
use dilux_core::storage::{ReceivedMessage, StorageErrorKind, StorageResult};
use dilux_core::transfer::FailureKind;
use jiff::SignedDuration;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::Processor;
use crate::entry::{Entry, wait_until};
use crate::keeper::HeldMessage;
use crate::leftovers::{CLEAR_UP_AGAIN, MOST_CLEAR_UPS};

/// First wait of an idle worker; doubled up to the setting.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait while the store does not answer.
const OUTAGE_WAIT: Duration = Duration::from_secs(5);

/// One slot: receives, claims and runs until `shutdown`.
pub(crate) async fn work(processor: Arc<Processor>, shutdown: CancellationToken) {
    let settings = &processor.installation.settings;
    let mut wait = SHORTEST_WAIT;
    let mut is_out = false;
    while !shutdown.is_cancelled() {
        let queues = &processor.installation.storage.queues;
        let received = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            received = queues.receive(&settings.queue, 1, settings.worker.lease) => received,
        };
        match received {
            Ok(messages) if messages.is_empty() => {
                is_out = false;
                pause(wait, &shutdown).await;
                wait = (wait * 2).min(settings.worker.idle_poll);
            }
            Ok(messages) => {
                is_out = false;
                wait = SHORTEST_WAIT;
                for message in messages {
                    processor.clone().handle(message, &shutdown).await;
                }
            }
            Err(error) => {
                if !is_out {
                    tracing::error!(%error, "queue does not answer; waiting for it");
                }
                is_out = true;
                pause(OUTAGE_WAIT, &shutdown).await;
            }
        }
    }
}

async fn pause(wait: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(wait) => {}
    }
}

impl Processor {
    async fn handle(self: Arc<Self>, message: ReceivedMessage, shutdown: &CancellationToken) {
        crash::point("after-receive");
        if let Err(error) = Box::pin(self.take(message, shutdown)).await {
            tracing::warn!(%error, "message cannot be handled now; it will come again");
        }
    }

    async fn take(
        self: Arc<Self>,
        message: ReceivedMessage,
        shutdown: &CancellationToken,
    ) -> StorageResult<()> {
        let queues = self.installation.storage.queues.clone();
        let queue = self.installation.settings.queue.clone();
        let id = match self.job_of(&message.text).await? {
            Ok(id) => id,
            Err(reason) => return self.dead_letter(&message, reason, None).await,
        };
        let job = match self.installation.repositories.jobs.get(&id).await {
            Ok(Some(job)) => job,
            Ok(None) => {
                let reason = DeadLetterReason::UnknownJob;
                return self.dead_letter(&message, reason, Some(id)).await;
            }
            Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                tracing::error!(%error, job.id = %id, "job row cannot be decoded");
                let reason = DeadLetterReason::DamagedJob;
                return self.dead_letter(&message, reason, Some(id)).await;
            }
            Err(error) => return Err(error),
        };
        let held = HeldMessage::new(queues.clone(), queue.clone(), message.id, message.receipt);
        if job.value.is_terminal() {
            self.finish(&job.value, &held, message.dequeue_count).await;
            return Ok(());
        }
        if let Some(wait) = self.must_wait(&job) {
            held.hide(wait).await;
            return Ok(());
        }
        if let Some(urgent) = self.enter_more_urgent(&job.value).await? {
            held.hide(Duration::ZERO).await;
            crash::point("after-claim");
            self.run_claimed(*urgent, HeldMessage::none(queues, queue), shutdown)
                .await;
            return Ok(());
        }
        match self.enter(job).await? {
            Entry::Claimed(claim) => {
                crash::point("after-claim");
                self.run_claimed(*claim, held, shutdown).await;
            }
            Entry::Wait(wait) => held.hide(wait).await,
            Entry::Settled => held.delete().await,
            Entry::Taken => {}
        }
        Ok(())
    }

    /// Lets the message of a job that is over go, once what its dead workers left is cleared up.
    pub(crate) async fn finish(&self, job: &Job, held: &HeldMessage, taken: u32) {
        match self.clear_up(job).await {
            Err(failure)
                if taken < MOST_CLEAR_UPS && failure.kind != FailureKind::Configuration =>
            {
                tracing::warn!(%failure, job.id = %job.id, "what a rehearsal left cannot be dropped yet");
                held.hide(CLEAR_UP_AGAIN).await;
            }
            Err(failure) => {
                tracing::error!(%failure, job.id = %job.id, "a rehearsal's database may be left on its server; drop it");
                held.delete().await;
            }
            Ok(()) => held.delete().await,
        }
    }

    /// How long the job is none of ours: another worker holds it, or it is not due yet.
    fn must_wait(&self, job: &Versioned<Job>) -> Option<Duration> {
        let now = self.installation.clock.now();
        let until = match job.value.live_lease(now) {
            Some(lease) => lease.until,
            None => job.value.not_before,
        };
        (until > now).then(|| wait_until(until, now))
    }

    pub(crate) fn lease(&self) -> SignedDuration {
        SignedDuration::try_from(self.installation.settings.worker.lease)
            .unwrap_or(SignedDuration::MAX)
    }

    /// The job that a message rings for. A message in the Python product's format is honoured as
    /// a request for a backup of its database.
    async fn job_of(&self, text: &str) -> StorageResult<Result<JobId, DeadLetterReason>> {
        if let Some(bell) = Doorbell::parse(text) {
            return Ok(Ok(bell.job_id));
        }
        let Ok(legacy) = serde_json::from_str::<LegacyMessage>(text) else {
            return Ok(Err(DeadLetterReason::Unreadable));
        };
        let booked = self.book_legacy(legacy).await?;
        Ok(booked.ok_or(DeadLetterReason::UnknownJob))
    }

    async fn book_legacy(&self, legacy: LegacyMessage) -> StorageResult<Option<JobId>> {
        let repositories = &self.installation.repositories;
        let Some(database) = repositories.databases.get(&legacy.database_id).await? else {
            return Ok(None);
        };
        let Some(engine) = repositories.engines.get(&database.value.engine_id).await? else {
            return Ok(None);
        };
        let now = self.installation.clock.now();
        let id = JobId::derive(&legacy.database_id, &format!("message|{}", legacy.id));
        let owner = JobOwner {
            database_id: legacy.database_id,
            database_label: database.value.label,
            engine_type: engine.value.engine_type,
        };
        let work = Work::Backup(BackupWork {
            tiers: Vec::new(),
            slot: None,
            needs_enabled: false,
            ..BackupWork::default()
        });
        let mut job = Job::new(id, owner, work, Trigger::Manual, now);
        job.rung_at = Some(now);
        let id = job.id.clone();
        repositories.jobs.book(job).await?;
        Ok(Some(id))
    }

    /// Moves a message to the dead letters: first the letter, then the deletion.
    async fn dead_letter(
        &self,
        message: &ReceivedMessage,
        reason: DeadLetterReason,
        job: Option<JobId>,
    ) -> StorageResult<()> {
        tracing::error!(message.id = %message.id.0, reason = reason.as_str(), "message goes to the dead letters");
        let now = self.installation.clock.now();
        let letter = DeadLetter::new(&message.text, reason, job, now);
        let letters = &self.installation.repositories.dead_letters;
        letters.set_aside(letter).await?;
        crash::point("after-dead-letter");
        let queues = &self.installation.storage.queues;
        let queue = &self.installation.settings.queue;
        match queues.delete(queue, &message.id, &message.receipt).await {
            Err(error) if error.kind() != StorageErrorKind::PreconditionFailed => Err(error),
            _ => Ok(()),
        }
    }
}

/// The fields of the Python product's message that still mean something.
#[derive(Debug, Deserialize)]
struct LegacyMessage {
    id: String,
    database_id: DatabaseId,
}
