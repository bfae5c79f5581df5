//! Job: one owed piece of work with attempts, and its state machine.
//!
//! ```text
//! Pending ─► Running(epoch, lease) ─► Completed
//!    ▲            │ ├─ transient ─► Retrying(not before) ─► Running(epoch + 1)
//!    │            │ └─ fatal ─────► Failed
//!    └─ Cancelled, Missed           Running with a dead lease ─► Running(epoch + 1)
//! ```

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    BackupId, BackupStatus, DatabaseId, DatabaseName, EngineId, EngineType, JobId, Label, Tier,
    WorkerId,
};
use crate::transfer::{Failure, FailureKind};

/// Who asked for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The scheduler, because a slot was due.
    Scheduler,
    /// A person or script.
    Manual,
}

impl Trigger {
    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Manual => "manual",
        }
    }
}

impl std::str::FromStr for Trigger {
    type Err = super::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Scheduler, Self::Manual]
            .into_iter()
            .find(|trigger| trigger.as_str() == text)
            .ok_or_else(|| super::InvalidName("must be scheduler or manual".to_owned()))
    }
}

/// What a backup job owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupWork {
    /// Tiers that the dump serves; empty for a manual one.
    pub tiers: Vec<Tier>,
    /// The slot that it was due for.
    pub slot: Option<Timestamp>,
    /// Whether the worker must check that the database is still enabled.
    pub needs_enabled: bool,
}

/// What a restore job owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreWork {
    /// From which backup.
    pub backup_id: BackupId,
    /// Onto which engine.
    pub target_engine: EngineId,
    /// Into which new database.
    pub target_database: DatabaseName,
    /// Whether to compare the restored database with the live source afterwards.
    pub compare_with_source: bool,
}

/// What a comparison of a restored database with its source found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Tables compared.
    pub tables: u64,
    /// Rows compared.
    pub rows: u64,
    /// What differs, at most 20 sentences; empty when the two are equal.
    pub differences: Vec<String>,
}

/// The work of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Make a backup.
    Backup(BackupWork),
    /// Restore one.
    Restore(RestoreWork),
}

/// A worker's claim on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who.
    pub worker: WorkerId,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

/// What a running job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Signing in, choosing the tool.
    Preparing,
    /// Moving bytes out of the server.
    Dumping,
    /// Making the backup visible.
    Committing,
    /// Moving bytes into the server.
    Restoring,
    /// Checking what was restored.
    Checking,
}

/// How far a running job is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// What it is doing.
    pub stage: Option<Stage>,
    /// Bytes of the dump moved so far.
    pub plain_bytes: u64,
    /// Bytes stored so far.
    pub stored_bytes: u64,
    /// Plain bytes a second since the stage began.
    pub bytes_per_second: u64,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Booked; a worker may claim it from `not_before` on.
    Pending,
    /// A worker has it.
    Running {
        /// The claim.
        lease: Lease,
        /// Start of this attempt.
        since: Timestamp,
    },
    /// An attempt failed; another follows from `not_before` on.
    Retrying {
        /// Why the last attempt failed.
        last: Failure,
    },
    /// Done.
    Completed {
        /// When.
        at: Timestamp,
    },
    /// Given up.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        failure: Failure,
    },
    /// Stopped by somebody.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// Never run, for a reason.
    Missed {
        /// When that was decided.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

impl JobState {
    /// The name in rows and on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running { .. } => "running",
            Self::Retrying { .. } => "retrying",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
            Self::Missed { .. } => "missed",
        }
    }
}

/// When a failed attempt is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRule {
    /// Attempts in all before a transient failure is final.
    pub attempts: u32,
    /// Wait after the first; each further wait is four times as long, at most an hour.
    pub first_wait: SignedDuration,
}

impl RetryRule {
    fn wait_after(self, attempts: u32) -> SignedDuration {
        const LONGEST: SignedDuration = SignedDuration::from_hours(1);
        let factor = 4_i32.saturating_pow(attempts.saturating_sub(1));
        self.first_wait
            .checked_mul(factor)
            .unwrap_or(LONGEST)
            .min(LONGEST)
    }
}

/// A transition that the state machine does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {from} job cannot be {to}")]
pub struct InvalidTransition {
    /// State it is in.
    pub from: &'static str,
    /// What was attempted.
    pub to: &'static str,
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
        }
        self.epoch += 1;
        self.progress = Progress::default();
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
        self.state = JobState::Missed { at: now, reason };
        Ok(self)
    }

    /// The state in the words of the history.
    pub fn backup_status(&self) -> BackupStatus {
        match self.state {
            JobState::Pending => BackupStatus::Pending,
            JobState::Running { .. } | JobState::Retrying { .. } => BackupStatus::InProgress,
            JobState::Completed { .. } => BackupStatus::Completed,
            JobState::Failed { .. } | JobState::Missed { .. } => BackupStatus::Failed,
            JobState::Cancelled { .. } => BackupStatus::Cancelled,
        }
    }

    fn refuse(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition {
            from: self.state.as_str(),
            to,
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
