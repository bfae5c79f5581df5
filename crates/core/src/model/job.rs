//! Job: one owed piece of work with attempts, and its state machine.
//!
//! ```text
//! Pending ─► Running(epoch, lease) ─► Completed
//!    ▲            │ ├─ transient ─► Retrying(not before) ─► Running(epoch + 1)
//!    │            │ └─ fatal ─────► Failed
//!    └─ Cancelled, Missed           Running with a dead lease ─► Running(epoch + 1)
//! ```

mod attempt;
mod progress;
mod retry;
mod state;
mod work;

use jiff::{SignedDuration, Timestamp};

pub use attempt::{Attempt, AttemptEnd};
pub use progress::{Progress, Stage};
pub use retry::RetryRule;
pub use state::{InvalidTransition, JobState, Lease};
pub use work::{BackupWork, Comparison, RestoreWork, Trigger, Urgency, VerifyWork, Work};

use super::{BackupStatus, DatabaseId, EngineType, JobId, Label, Manifest, WorkerId};
use crate::transfer::{Failure, FailureKind};

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOwner {
    /// Database.
    pub database_id: DatabaseId,
    /// Its label.
    pub database_label: Label,
    /// Type of its engine.
    pub engine_type: EngineType,
}

/// One owed piece of work.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// Database it belongs to.
    pub database_id: DatabaseId,
    /// Label of the database when it was booked.
    pub database_label: Label,
    /// Type of its engine when it was booked.
    pub engine_type: EngineType,
    /// What is owed.
    pub work: Work,
    /// Who asked.
    pub trigger: Trigger,
    /// When it was booked.
    pub created_at: Timestamp,
    /// No worker starts it earlier.
    pub not_before: Timestamp,
    /// When somebody last rang the queue for it.
    pub rung_at: Option<Timestamp>,
    /// Fencing token: counts claims.
    pub epoch: u64,
    /// Attempts that ended, well or not.
    pub attempts: u32,
    /// The newest attempts, oldest first, at most [`Attempt::MOST`].
    pub log: Vec<Attempt>,
    /// Whether somebody wants it stopped.
    pub cancel_requested: bool,
    /// How far it is.
    pub progress: Progress,
    /// What the comparison after a restore found.
    pub comparison: Option<Comparison>,
    /// Where it stands.
    pub state: JobState,
}

impl Job {
    /// A job booked at `now`, which may start at once.
    pub fn new(id: JobId, owner: JobOwner, work: Work, trigger: Trigger, now: Timestamp) -> Self {
        Self {
            id,
            database_id: owner.database_id,
            database_label: owner.database_label,
            engine_type: owner.engine_type,
            work,
            trigger,
            created_at: now,
            not_before: now,
            rung_at: None,
            epoch: 0,
            attempts: 0,
            log: Vec::new(),
            cancel_requested: false,
            progress: Progress::default(),
            comparison: None,
            state: JobState::Pending,
        }
    }

    /// The job that wrote a manifest, as far as that tells; for rows that got lost.
    pub fn of_manifest(manifest: &Manifest) -> Self {
        let owner = JobOwner {
            database_id: manifest.database_id.clone(),
            database_label: manifest.database_label.clone(),
            engine_type: manifest.engine_type,
        };
        let work = Work::Backup(BackupWork {
            tiers: manifest.tiers.clone(),
            slot: manifest.slot,
            needs_enabled: manifest.trigger == Trigger::Scheduler,
            ..BackupWork::default()
        });
        let id = manifest.job_id.clone();
        let mut job = Self::new(id, owner, work, manifest.trigger, manifest.job_created_at);
        job.epoch = manifest.epoch;
        job.attempts = u32::try_from(manifest.epoch).unwrap_or(u32::MAX);
        job.progress.plain_bytes = manifest.data.plain_bytes;
        job.progress.stored_bytes = manifest.data.stored_bytes;
        if let Ok(worker) = manifest.worker.parse() {
            job.open_attempt(&worker, manifest.started_at);
            job.close_attempt(manifest.committed_at, AttemptEnd::Completed);
        }
        job.state = JobState::Completed {
            at: manifest.committed_at,
        };
        job
    }

    /// The job, but not before `at`.
    #[must_use]
    pub fn starting(mut self, at: Timestamp) -> Self {
        self.not_before = self.not_before.max(at);
        self
    }

    /// How pressing it is.
    pub fn urgency(&self) -> Urgency {
        match (&self.work, self.trigger) {
            (Work::Restore(_), _) => Urgency::Restore,
            (Work::Verify(_), _) | (Work::Backup(_), Trigger::Manual) => Urgency::Manual,
            (Work::Backup(_), Trigger::Scheduler) => Urgency::Scheduled,
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_terminal(&self) -> bool {
        match self.state {
            JobState::Pending | JobState::Running { .. } | JobState::Retrying { .. } => false,
            JobState::Completed { .. }
            | JobState::Failed { .. }
            | JobState::Cancelled { .. }
            | JobState::Missed { .. } => true,
        }
    }

    /// The lease that is still alive at `now`.
    pub fn live_lease(&self, now: Timestamp) -> Option<&Lease> {
        match &self.state {
            JobState::Running { lease, .. } if lease.until > now => Some(lease),
            _ => None,
        }
    }

    /// Takes the job for `worker` until `now + lease`: epoch + 1. A dead lease counts as an
    /// attempt that was lost.
    pub fn claim(
        mut self,
        worker: WorkerId,
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Self, InvalidTransition> {
        if self.is_terminal() || self.live_lease(now).is_some() {
            return Err(self.refuse("claimed"));
        }
        if matches!(self.state, JobState::Running { .. }) {
            self.attempts += 1;
            self.close_attempt(now, AttemptEnd::Lost);
        }
        self.epoch += 1;
        self.progress = Progress::default();
        self.open_attempt(&worker, now);
        let until = now.saturating_add(lease).unwrap_or(now);
        self.state = JobState::Running {
            lease: Lease { worker, until },
            since: now,
        };
        Ok(self)
    }

    /// Prolongs the lease of the running attempt.
    pub fn renew(
        mut self,
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Self, InvalidTransition> {
        match &mut self.state {
            JobState::Running { lease: held, .. } => {
                held.until = now.saturating_add(lease).unwrap_or(now);
                Ok(self)
            }
            _ => Err(self.refuse("renewed")),
        }
    }

    /// The work is done. Also from `Failed` and the waiting states: a manifest that is found
    /// outranks what a row says.
    pub fn complete(mut self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state {
            JobState::Completed { .. } | JobState::Cancelled { .. } | JobState::Missed { .. } => {
                Err(self.refuse("completed"))
            }
            JobState::Pending
            | JobState::Running { .. }
            | JobState::Retrying { .. }
            | JobState::Failed { .. } => {
                self.attempts += 1;
                self.close_attempt(now, AttemptEnd::Completed);
                self.state = JobState::Completed { at: now };
                Ok(self)
            }
        }
    }

    /// An attempt failed. Transient failures are retried with back-off until the attempts are
    /// used up.
    pub fn fail(
        mut self,
        now: Timestamp,
        failure: Failure,
        rule: RetryRule,
    ) -> Result<Self, InvalidTransition> {
        if !matches!(self.state, JobState::Running { .. }) {
            return Err(self.refuse("failed"));
        }
        self.attempts += 1;
        self.close_attempt(now, AttemptEnd::failed(&failure));
        if failure.kind == FailureKind::Cancelled {
            self.state = JobState::Cancelled { at: now };
        } else if failure.kind.is_transient() && self.attempts < rule.attempts {
            self.not_before = now
                .saturating_add(rule.wait_after(self.attempts))
                .unwrap_or(now);
            self.state = JobState::Retrying { last: failure };
        } else {
            self.state = JobState::Failed { at: now, failure };
        }
        Ok(self)
    }

    /// Gives the job back unfinished, for instance at shutdown; another worker may start at once.
    pub fn release(mut self, now: Timestamp) -> Result<Self, InvalidTransition> {
        if !matches!(self.state, JobState::Running { .. }) {
            return Err(self.refuse("released"));
        }
        self.close_attempt(now, AttemptEnd::GivenBack);
        self.not_before = now;
        self.state = JobState::Pending;
        Ok(self)
    }

    /// Asks for the job to stop: at once when no worker has it, else by the worker's next
    /// heartbeat.
    pub fn request_cancel(mut self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state {
            JobState::Pending | JobState::Retrying { .. } => {
                self.state = JobState::Cancelled { at: now };
                Ok(self)
            }
            JobState::Running { .. } => {
                self.cancel_requested = true;
                Ok(self)
            }
            _ => Err(self.refuse("cancelled")),
        }
    }

    /// Will never run, for `reason`. The worker decides so before it starts the work, for instance
    /// when the database was disabled after the job was booked.
    pub fn miss(mut self, now: Timestamp, reason: String) -> Result<Self, InvalidTransition> {
        if self.is_terminal() {
            return Err(self.refuse("missed"));
        }
        self.close_attempt(now, AttemptEnd::Missed);
        self.state = JobState::Missed { at: now, reason };
        Ok(self)
    }

    /// Start of the present or last attempt.
    pub fn started_at(&self) -> Option<Timestamp> {
        match self.state {
            JobState::Running { since, .. } => Some(since),
            _ => self.log.last().map(|attempt| attempt.started_at),
        }
    }

    /// When it was over.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.state {
            JobState::Pending | JobState::Running { .. } | JobState::Retrying { .. } => None,
            JobState::Completed { at }
            | JobState::Failed { at, .. }
            | JobState::Cancelled { at }
            | JobState::Missed { at, .. } => Some(at),
        }
    }

    /// Why the last attempt failed.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.state {
            JobState::Retrying { last: failure } | JobState::Failed { failure, .. } => {
                Some(failure)
            }
            _ => None,
        }
    }

    /// The state in the words of the history.
    pub fn backup_status(&self) -> BackupStatus {
        match self.state {
            JobState::Pending => BackupStatus::Pending,
            JobState::Running { .. } | JobState::Retrying { .. } => BackupStatus::InProgress,
            JobState::Completed { .. } => BackupStatus::Completed,
            JobState::Failed { .. } => BackupStatus::Failed,
            JobState::Cancelled { .. } => BackupStatus::Cancelled,
            JobState::Missed { .. } => BackupStatus::Missed,
        }
    }

    fn refuse(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition {
            from: self.state.as_str(),
            to,
        }
    }
}

#[cfg(test)]
mod tests;
