//! The log of a job: each attempt with its worker, its time and its end.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Job;
use crate::model::WorkerId;
use crate::transfer::{Failure, FailureKind};

/// Longest message that an attempt keeps, in characters: the log shares its row with the rest.
const MOST_CHARACTERS: usize = 500;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum AttemptEnd {
    /// The work was done.
    Completed,
    /// It failed.
    Failed {
        /// Kind of failure.
        kind: FailureKind,
        /// The sentence, cut to 500 characters.
        message: String,
    },
    /// Its worker fell silent; noticed by the next one.
    Lost,
    /// Its worker gave the job back unfinished, at its shutdown.
    GivenBack,
    /// The worker found that the job must not run.
    Missed,
}

impl AttemptEnd {
    /// The end that `failure` made.
    pub(super) fn failed(failure: &Failure) -> Self {
        Self::Failed {
            kind: failure.kind,
            message: failure.message.chars().take(MOST_CHARACTERS).collect(),
        }
    }
}

/// One run of a job by one worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which claim it was.
    pub epoch: u64,
    /// Who ran it.
    pub worker: WorkerId,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, or was noticed to have ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it ended; `None` while it runs.
    #[serde(flatten)]
    pub end: Option<AttemptEnd>,
}

impl Attempt {
    /// Attempts that a job remembers.
    pub const MOST: usize = 10;
}

impl Job {
    pub(super) fn open_attempt(&mut self, worker: &WorkerId, now: Timestamp) {
        if self.log.len() >= Attempt::MOST {
            self.log.remove(0);
        }
        self.log.push(Attempt {
            epoch: self.epoch,
            worker: worker.clone(),
            started_at: now,
            ended_at: None,
            end: None,
        });
    }

    /// Ends the attempt that runs; nothing when none does.
    pub(super) fn close_attempt(&mut self, now: Timestamp, end: AttemptEnd) {
        if let Some(attempt) = self.log.last_mut()
            && attempt.end.is_none()
        {
            attempt.ended_at = Some(now);
            attempt.end = Some(end);
        }
    }
}
