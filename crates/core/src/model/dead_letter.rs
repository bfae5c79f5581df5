//! Dead letter: what a worker could not work off, set aside for a person and never dropped.

use jiff::{SignedDuration, Timestamp};

use super::{DeadLetterId, InvalidName, JobId, RequeueId};

/// Why a letter is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterReason {
    /// The message is none of ours.
    Unreadable,
    /// It rings for a job that does not exist.
    UnknownJob,
    /// It rings for a job whose row cannot be decoded.
    DamagedJob,
    /// Each worker that ran the job died, as often as attempts are allowed.
    ExhaustedJob,
}

impl DeadLetterReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Unreadable,
        Self::UnknownJob,
        Self::DamagedJob,
        Self::ExhaustedJob,
    ];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::UnknownJob => "unknown_job",
            Self::DamagedJob => "damaged_job",
            Self::ExhaustedJob => "exhausted_job",
        }
    }

    /// What happened, and what to do.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Unreadable => {
                "the message is in no format that Dilux knows; discard it, unless a newer version \
                 wrote it: then upgrade and requeue it"
            }
            Self::UnknownJob => {
                "the message names a job, or a database, that does not exist; discard it, unless \
                 the tables are being restored: then requeue it afterwards"
            }
            Self::DamagedJob => {
                "the row of the job cannot be decoded; mend the row, then requeue the message"
            }
            Self::ExhaustedJob => {
                "every worker that ran the job died; look for a memory limit or a crash in their \
                 logs, then requeue it as a new job"
            }
        }
    }
}

impl std::str::FromStr for DeadLetterReason {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| InvalidName("is no reason of a dead letter".to_owned()))
    }
}

/// A dead letter. Its id is made of its text, so the same message set aside twice is one letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Id.
    pub id: DeadLetterId,
    /// The message, unchanged, at most 64 KiB.
    pub text: String,
    /// Why.
    pub reason: DeadLetterReason,
    /// The job that it names.
    pub job_id: Option<JobId>,
    /// When it was set aside last.
    pub at: Timestamp,
}

impl DeadLetter {
    /// A message set aside at `at`.
    pub fn new(text: &str, reason: DeadLetterReason, job_id: Option<JobId>, at: Timestamp) -> Self {
        Self {
            id: DeadLetterId::of_text(text),
            text: text.to_owned(),
            reason,
            job_id,
            at,
        }
    }
}

/// That somebody asked with an idempotency key for a letter to be put back. It outlives the letter,
/// so that asking again with the same key is answered and puts nothing back twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requeue {
    /// Made of the key.
    pub id: RequeueId,
    /// The letter.
    pub letter: DeadLetterId,
    /// When that one was set aside. The same message may be set aside again later.
    pub letter_at: Timestamp,
    /// When it was asked for first.
    pub at: Timestamp,
    /// What came of it; `None` while it is not known to be done.
    pub outcome: Option<Requeued>,
}

/// A letter that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requeued {
    /// The job to watch, as far as one is known.
    pub job_id: Option<JobId>,
}

impl Requeue {
    /// How long keys are remembered.
    pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// A requeue of `letter` that begins at `at`.
    pub fn new(key: &str, letter: &DeadLetter, at: Timestamp) -> Self {
        Self {
            id: RequeueId::of_key(key),
            letter: letter.id.clone(),
            letter_at: letter.at,
            at,
            outcome: None,
        }
    }

    /// Whether this is about the letter that is there.
    pub fn is_of(&self, letter: &DeadLetter) -> bool {
        self.letter == letter.id && self.letter_at == letter.at
    }

    /// Whether it may be forgotten.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) > Self::KEPT
    }
}
