//! Dead letters on the wire.

use dilux_core::model::{self, JobId, Requeued};
use serde::Serialize;
use utoipa::ToSchema;

use super::Damaged;
use super::page::PageNotes;
use crate::app::Listed;

/// Longest text of a letter that is shown, in characters.
const SHOWN: usize = 1000;

/// A message or job that the workers could not work off.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    /// Id.
    id: String,
    /// `unreadable`, `unknown_job`, `damaged_job` or `exhausted_job`.
    #[schema(example = "unknown_job")]
    reason: &'static str,
    /// What happened, and what to do.
    explanation: &'static str,
    /// The job that it names.
    job_id: Option<String>,
    /// The first 1000 characters of the message.
    text: String,
    /// When it was set aside.
    at: String,
}

impl From<&model::DeadLetter> for DeadLetter {
    fn from(letter: &model::DeadLetter) -> Self {
        Self {
            id: letter.id.to_string(),
            reason: letter.reason.as_str(),
            explanation: letter.reason.explanation(),
            job_id: letter.job_id.as_ref().map(JobId::to_string),
            text: letter.text.chars().take(SHOWN).collect(),
            at: letter.at.to_string(),
        }
    }
}

/// The dead letters, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterList {
    /// The letters.
    dead_letters: Vec<DeadLetter>,
    #[serde(flatten)]
    notes: PageNotes,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl From<Listed<model::DeadLetter>> for DeadLetterList {
    fn from(found: Listed<model::DeadLetter>) -> Self {
        Self {
            notes: PageNotes::from(&found.page),
            dead_letters: found.page.items.iter().map(DeadLetter::from).collect(),
            damaged: found.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

/// A letter that was given another chance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterRequeued {
    /// What was done.
    #[schema(example = "Dead letter requeued")]
    message: &'static str,
    /// The job to watch, as far as one is known.
    job_id: Option<String>,
}

impl DeadLetterRequeued {
    /// What came of it; `is_new` unless an earlier request with the same key did it.
    pub(crate) fn new(requeued: &Requeued, is_new: bool) -> Self {
        Self {
            message: if is_new {
                "Dead letter requeued"
            } else {
                "This Idempotency-Key requeued this letter before"
            },
            job_id: requeued.job_id.as_ref().map(JobId::to_string),
        }
    }
}
