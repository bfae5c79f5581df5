//! Booking jobs and ringing the queue: the one way by which work comes to the workers.
//!
//! The job row is the truth; the message is a doorbell that holds an id and nothing else, and may
//! get lost or doubled without harm.

mod admission;
mod places;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::SharedClock;
use crate::crash;
use crate::model::{Job, JobId};
use crate::repository::{Booking, JobRepository, PlaceRepository, Repositories, Versioned};
use crate::storage::{
    MessageId, QueueName, QueueStore, SendOptions, StorageErrorKind, StorageResult, TimeToLive,
};

pub use admission::JobLimits;
pub use places::{Applicant, PlaceRule, Places};

/// The message of the queue. No host, no user, no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doorbell {
    /// Version of this format.
    pub v: u32,
    /// The job.
    pub job_id: JobId,
}

impl Doorbell {
    /// The format version written now.
    pub const VERSION: u32 = 1;

    /// The message that rings for `job`.
    pub fn of(job: &Job) -> Self {
        Self {
            v: Self::VERSION,
            job_id: job.id.clone(),
        }
    }

    /// The message as text.
    pub fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads a message; `None` when it is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text)
            .ok()
            .filter(|bell: &Self| bell.v == Self::VERSION)
    }
}

/// What became of a dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatched {
    /// The job, new or as it stood.
    pub job: Job,
    /// Whether this call booked it.
    pub is_new: bool,
    /// The message that rings for it, when this call sent one.
    pub message: Option<MessageId>,
}

/// Books jobs and rings for them.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    jobs: JobRepository,
    places: PlaceRepository,
    limits: JobLimits,
    queues: std::sync::Arc<dyn QueueStore>,
    queue: QueueName,
    clock: SharedClock,
}

impl Dispatcher {
    /// A dispatcher over the repositories and a queue.
    pub fn new(
        repositories: &Repositories,
        limits: JobLimits,
        queues: std::sync::Arc<dyn QueueStore>,
        queue: QueueName,
        clock: SharedClock,
    ) -> Self {
        Self {
            jobs: repositories.jobs.clone(),
            places: repositories.places.clone(),
            limits,
            queues,
            queue,
            clock,
        }
    }

    /// Books `job` unless the same debt is booked already, and rings for a new one. When the
    /// ringing fails the job stands: the sweeper rings later.
    pub async fn dispatch(&self, job: Job) -> StorageResult<Dispatched> {
        match self.jobs.book(job).await? {
            Booking::Existing(existing) => {
                // The booker may have died before it rang, or this is our own booking, whose
                // answer got lost. A bell too many does no harm.
                let message = if existing.value.rung_at.is_none() && !existing.value.is_terminal() {
                    self.ring(&existing).await.ok()
                } else {
                    None
                };
                Ok(Dispatched {
                    job: existing.value,
                    is_new: false,
                    message,
                })
            }
            Booking::New(booked) => {
                crash::point("after-booking");
                let message = match self.ring(&booked).await {
                    Ok(message) => Some(message),
                    Err(error) => {
                        tracing::warn!(%error, job.id = %booked.value.id, "job is booked but not rung for");
                        None
                    }
                };
                Ok(Dispatched {
                    job: booked.value,
                    is_new: true,
                    message,
                })
            }
        }
    }

    /// Rings for a job, delayed until it may start, and notes when.
    pub async fn ring(&self, job: &Versioned<Job>) -> StorageResult<MessageId> {
        let now = self.clock.now();
        let text = Doorbell::of(&job.value).to_text();
        let options = SendOptions {
            delay: delay_until(now, job.value.not_before),
            time_to_live: TimeToLive::Forever,
        };
        let message = self.queues.send(&self.queue, &text, options).await?;
        crash::point("after-bell");
        let mut rung = job.value.clone();
        rung.rung_at = Some(now.max(job.value.not_before));
        match self.jobs.update(rung, &job.version).await {
            // A worker was faster than the note; then the bell was heard.
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => Ok(message),
            Err(error) => Err(error),
            Ok(_) => Ok(message),
        }
    }

    /// Sends a message as it is, for a dead letter that is given another chance.
    pub async fn resend(&self, text: &str) -> StorageResult<()> {
        let options = SendOptions::default();
        self.queues.send(&self.queue, text, options).await.map(drop)
    }

    /// Rings again for jobs that wait for a worker although nobody rang, or the bell was rung
    /// `patience` ago and not heard; also for running ones whose worker is gone. Gives their
    /// number.
    pub async fn sweep(&self, patience: Duration) -> StorageResult<usize> {
        let now = self.clock.now();
        let mut rung = 0;
        for job in self.jobs.active(now).await? {
            if job.value.live_lease(now).is_none() && is_unheard(&job.value, now, patience) {
                self.ring(&job).await?;
                rung += 1;
            }
        }
        Ok(rung)
    }
}

fn is_unheard(job: &Job, now: Timestamp, patience: Duration) -> bool {
    let last = job.rung_at.unwrap_or(job.not_before).max(job.not_before);
    let silence = now.duration_since(last);
    (job.rung_at.is_none() && job.not_before <= now)
        || silence > jiff::SignedDuration::try_from(patience).unwrap_or(jiff::SignedDuration::MAX)
}

/// Whole seconds, rounded up, at most the queue's seven days.
fn delay_until(now: Timestamp, at: Timestamp) -> Duration {
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Duration::from_secs(seconds.min(7 * 24 * 3600 - 1))
}
