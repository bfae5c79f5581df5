//! From messages to claims.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::crash;
use dilux_core::dispatch::Doorbell;
use dilux_core::model::{BackupWork, DatabaseId, Job, JobId, JobOwner, Trigger, Work};
use dilux_core::repository::Versioned;
use dilux_core::storage::{
    QueueName, ReceivedMessage, SendOptions, StorageErrorKind, StorageResult,
};
use jiff::SignedDuration;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::Processor;
use crate::claim::{Claim, Claimant};
use crate::keeper::HeldMessage;

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
            received = queues.receive(&settings.queue, 1, settings.worker.lease) => received,
            () = shutdown.cancelled() => return,
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
                    Box::pin(processor.clone().handle(message, &shutdown)).await;
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
        () = tokio::time::sleep(wait) => {}
        () = shutdown.cancelled() => {}
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
        let Some(id) = self.job_of(&message.text).await? else {
            return self.dead_letter(&message).await;
        };
        let job = match self.installation.repositories.jobs.get(&id).await {
            Ok(Some(job)) => job,
            Ok(None) => return self.dead_letter(&message).await,
            Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                tracing::error!(%error, job.id = %id, "job row cannot be decoded");
                return self.dead_letter(&message).await;
            }
            Err(error) => return Err(error),
        };
        let held = HeldMessage::new(queues, queue, message.id, message.receipt);
        if job.value.is_terminal() {
            held.delete().await;
            return Ok(());
        }
        if let Some(wait) = self.must_wait(&job) {
            held.hide(wait).await;
            return Ok(());
        }
        let claimant = Claimant {
            jobs: &self.installation.repositories.jobs,
            clock: &self.installation.clock,
            worker: &self.worker,
            lease: self.lease(),
        };
        if let Some(claim) = Claim::take(claimant, job).await? {
            crash::point("after-claim");
            self.run_claimed(claim, held, shutdown).await;
        }
        Ok(())
    }

    /// How long the job is none of ours: another worker holds it, or it is not due yet.
    fn must_wait(&self, job: &Versioned<Job>) -> Option<Duration> {
        let now = self.installation.clock.now();
        let until = match job.value.live_lease(now) {
            Some(lease) => lease.until,
            None => job.value.not_before,
        };
        let wait = until.duration_since(now);
        (wait > SignedDuration::ZERO)
            .then(|| Duration::from_secs(wait.as_secs().unsigned_abs() + 1))
    }

    pub(crate) fn lease(&self) -> SignedDuration {
        SignedDuration::try_from(self.installation.settings.worker.lease)
            .unwrap_or(SignedDuration::MAX)
    }

    /// The job that a message rings for. A message in the Python product's format is honoured as
    /// a request for a backup of its database; `None` for what cannot be read.
    async fn job_of(&self, text: &str) -> StorageResult<Option<JobId>> {
        if let Some(bell) = Doorbell::parse(text) {
            return Ok(Some(bell.job_id));
        }
        let Ok(legacy) = serde_json::from_str::<LegacyMessage>(text) else {
            return Ok(None);
        };
        self.book_legacy(legacy).await
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

    /// Moves a message to the dead letters: first the copy, then the deletion.
    async fn dead_letter(&self, message: &ReceivedMessage) -> StorageResult<()> {
        tracing::error!(message.id = %message.id.0, "message names no job; it goes to the dead letters");
        let queues = &self.installation.storage.queues;
        let queue = &self.installation.settings.queue;
        let poison = QueueName::new(format!("{}-poison", queue.as_str()))?;
        queues.create_queue(&poison).await?;
        queues
            .send(&poison, &message.text, SendOptions::default())
            .await?;
        queues.delete(queue, &message.id, &message.receipt).await
    }
}

/// The fields of the Python product's message that still mean something.
#[derive(Debug, Deserialize)]
struct LegacyMessage {
    id: String,
    database_id: DatabaseId,
}
