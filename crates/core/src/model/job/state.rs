//! Where a job stands.

use std::fmt;

use jiff::Timestamp;

use crate::model::WorkerId;
use crate::transfer::Failure;

/// A worker's claim on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who.
    pub worker: WorkerId,
    /// Until when, unless renewed.
    pub until: Timestamp,
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

impl fmt::Display for JobState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
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
