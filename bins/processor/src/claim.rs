//! A claim on a job: the only door through which a running job's row is written.
//!
//! Every write is conditional on the version last seen. When somebody else wrote in between, the
//! row is read again: ours is what still carries our epoch and worker; anything else fences us.

use std::sync::OnceLock;

use dilux_core::clock::SharedClock;
use dilux_core::model::{InvalidTransition, Job, JobState, WorkerId};
use dilux_core::repository::{JobRepository, Versioned};
use dilux_core::storage::{StorageError, StorageErrorKind};
use dilux_core::transfer::{Failure, FailureKind};
use jiff::SignedDuration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Attempts to write a row that others write too.
const WRITE_ATTEMPTS: u32 = 8;

/// Why a running job has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Somebody cancelled it.
    Cancelled,
    /// The claim is gone, or could not be renewed in time.
    LeaseLost,
    /// The process is asked to end.
    Shutdown,
}

/// Why a row could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// The job is somebody else's by now.
    #[error("the job was taken over by another worker")]
    Lost,
    /// The transition does not exist.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<ClaimError> for Failure {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Lost => Self::new(FailureKind::LeaseLost, error.to_string()),
            ClaimError::Transition(source) => Self::new(FailureKind::Internal, source.to_string()),
            ClaimError::Storage(source) => {
                crate::bookkeeping::storage_failure("the job's state could not be saved", &source)
            }
        }
    }
}

/// A claim that this worker holds, or held.
#[derive(Debug)]
pub(crate) struct Claim {
    jobs: JobRepository,
    clock: SharedClock,
    worker: WorkerId,
    epoch: u64,
    lease: SignedDuration,
    held: Mutex<Versioned<Job>>,
    stop: CancellationToken,
    reason: OnceLock<StopReason>,
}

/// What a claim is made with.
#[derive(Debug)]
pub(crate) struct Claimant<'a> {
    pub(crate) jobs: &'a JobRepository,
    pub(crate) clock: &'a SharedClock,
    pub(crate) worker: &'a WorkerId,
    pub(crate) lease: SignedDuration,
}

impl Claim {
    /// Takes `job` by compare-and-swap. `None` when another worker was faster or the job is over.
    pub(crate) async fn take(
        claimant: Claimant<'_>,
        job: Versioned<Job>,
    ) -> Result<Option<Self>, StorageError> {
        let Claimant {
            jobs,
            clock,
            worker,
            lease,
        } = claimant;
        let id = job.value.id.clone();
        let Ok(claimed) = job.value.claim(worker.clone(), clock.now(), lease) else {
            return Ok(None);
        };
        let epoch = claimed.epoch;
        let held = match jobs.update(claimed, &job.version).await {
            Ok(held) => held,
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => {
                // Another worker was faster, or it was our own write whose reply got lost.
                match jobs.get(&id).await? {
                    Some(fresh) if is_held(&fresh.value, worker, epoch) => fresh,
                    _ => return Ok(None),
                }
            }
            Err(error) => return Err(error),
        };
        Ok(Some(Self {
            jobs: jobs.clone(),
            clock: clock.clone(),
            worker: worker.clone(),
            epoch,
            lease,
            held: Mutex::new(held),
            stop: CancellationToken::new(),
            reason: OnceLock::new(),
        }))
    }
}

impl Claim {
    /// The job as last written.
    pub(crate) async fn job(&self) -> Job {
        self.held.lock().await.value.clone()
    }

    /// Which claim on the job this is.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Cancelled when the work has to stop.
    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Why the work has to stop, once it has.
    pub(crate) fn stop_reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Demands the end of the work. The first reason counts.
    pub(crate) fn stop(&self, reason: StopReason) {
        if self.reason.set(reason).is_ok() {
            tracing::info!(?reason, "job is asked to stop");
        }
        self.stop.cancel();
    }

    /// Prolongs the claim and saves `annotate`'s changes; proves that the job is still ours.
    pub(crate) async fn renew(&self, annotate: impl Fn(&mut Job)) -> Result<Job, ClaimError> {
        let now = self.clock.now();
        self.change(|job| {
            let mut renewed = job.renew(now, self.lease)?;
            annotate(&mut renewed);
            Ok(renewed)
        })
        .await
    }

    /// Writes a transition of the job.
    pub(crate) async fn change(
        &self,
        transition: impl Fn(Job) -> Result<Job, InvalidTransition>,
    ) -> Result<Job, ClaimError> {
        let mut held = self.held.lock().await;
        for _ in 0..WRITE_ATTEMPTS {
            let next = transition(held.value.clone())?;
            match self.jobs.update(next.clone(), &held.version).await {
                Ok(written) => {
                    *held = written;
                    return Ok(held.value.clone());
                }
                Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => {
                    let fresh = self.jobs.get(&next.id).await?.ok_or(ClaimError::Lost)?;
                    let is_our_write = fresh.value == next;
                    if !is_our_write && !is_held(&fresh.value, &self.worker, self.epoch) {
                        self.stop(StopReason::LeaseLost);
                        return Err(ClaimError::Lost);
                    }
                    *held = fresh;
                    if is_our_write {
                        return Ok(next);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(ClaimError::Storage(StorageError::new(
            StorageErrorKind::Unavailable,
            "update job",
            "the row changes faster than it can be written",
        )))
    }
}

fn is_held(job: &Job, worker: &WorkerId, epoch: u64) -> bool {
    job.epoch == epoch
        && matches!(&job.state, JobState::Running { lease, .. } if lease.worker == *worker)
}
