//! What is known of a tier of a database between two ticks.

use std::str::FromStr;

use jiff::Timestamp;

use super::{MissedSlots, ScheduleMark};
use crate::model::{InvalidPolicy, Job, JobId, JobState, Tier, Work};

/// The job that serves a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotJob {
    /// The job.
    pub id: JobId,
    /// The slot of this tier that it serves.
    pub slot: Timestamp,
}

/// What became of the job of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotOutcome {
    /// Decided, and perhaps not yet booked: a scheduler may have died in between.
    Claimed,
    /// Booked, and not known to be over.
    Booked,
    /// The backup exists.
    Completed,
    /// Given up.
    Failed,
    /// Not run, for a reason that stands in its row.
    Missed,
    /// Stopped by somebody.
    Cancelled,
}

impl SlotOutcome {
    const ALL: [Self; 6] = [
        Self::Claimed,
        Self::Booked,
        Self::Completed,
        Self::Failed,
        Self::Missed,
        Self::Cancelled,
    ];

    /// The name in rows and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Booked => "booked",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for SlotOutcome {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| InvalidPolicy("has an unknown value".to_owned()))
    }
}

/// What the scheduler knows of one tier of one database. Nothing is inferred from history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierState {
    /// Tier.
    pub tier: Tier,
    /// The newest slot that was decided: booked, or recorded as missed.
    pub last_slot: Timestamp,
    /// The newest job of the tier.
    pub job: Option<SlotJob>,
    /// What became of it.
    pub outcome: SlotOutcome,
    /// The newest slot that has a backup.
    pub satisfied_slot: Option<Timestamp>,
    /// When that backup was finished.
    pub satisfied_at: Option<Timestamp>,
    /// When the newest failed job was given up; nothing after a success.
    pub failed_at: Option<Timestamp>,
    /// Jobs that failed since the last success.
    pub failures: u32,
    /// How often the clock was found to have been set back behind this state; part of the names of
    /// later jobs, since the earlier ones may bear the same slots.
    pub era: u32,
    /// Why the last decision was taken, for people.
    pub reason: String,
    /// Seconds between the last booked slot and its earliest start.
    pub late_seconds: u64,
    /// The schedule that it was decided under; `None` when that was not noted.
    pub mark: Option<ScheduleMark>,
    /// The first slot of that schedule that is not decided yet.
    pub next_due: Option<Timestamp>,
    /// Slots that were given up and perhaps not recorded yet: a scheduler may have died in between.
    pub unrecorded: Vec<MissedSlots>,
}

impl TierState {
    /// A tier whose slots up to `last_slot` are decided, and nothing else is known.
    pub fn decided_until(tier: Tier, last_slot: Timestamp) -> Self {
        Self {
            tier,
            last_slot,
            job: None,
            outcome: SlotOutcome::Completed,
            satisfied_slot: None,
            satisfied_at: None,
            failed_at: None,
            failures: 0,
            era: 0,
            reason: String::new(),
            late_seconds: 0,
            mark: None,
            next_due: None,
            unrecorded: Vec::new(),
        }
    }

    /// A tier whose newest slot with a backup is `slot`.
    pub fn satisfied(tier: Tier, slot: Timestamp, at: Timestamp) -> Self {
        Self {
            satisfied_slot: Some(slot),
            satisfied_at: Some(at),
            ..Self::decided_until(tier, slot)
        }
    }

    /// Whether its newest job may still be under way.
    pub fn is_open(&self) -> bool {
        matches!(self.outcome, SlotOutcome::Claimed | SlotOutcome::Booked) && self.job.is_some()
    }

    /// Whether it waits for `job`, and `job` makes a backup for it: a job of the same slot may have
    /// been booked before the tier was enabled.
    pub fn is_served_by(&self, job: &Job) -> bool {
        let is_mine = self.job.as_ref().is_some_and(|mine| mine.id == job.id);
        let serves = match &job.work {
            Work::Backup(work) => work.tiers.contains(&self.tier),
            Work::Restore(_) | Work::Verify(_) => false,
        };
        is_mine && serves
    }

    /// Notes at `now` that nobody can tell how `job` ended, when this tier waits for it: that counts
    /// as a failure, so the slot is tried again like any other whose job failed.
    pub fn give_up_on(&mut self, job: &JobId, now: Timestamp) {
        if self.is_open() && self.job.as_ref().is_some_and(|mine| mine.id == *job) {
            self.outcome = SlotOutcome::Failed;
            self.failed_at = Some(now);
            self.failures = self.failures.saturating_add(1);
            self.reason = format!("the row of its job {job} cannot be read; it counts as failed");
        }
    }

    /// Notes how `job` stands, when it is the one that this tier waits for and it is over. Says
    /// whether something changed.
    pub fn settle(&mut self, job: &Job) -> bool {
        let Some(mine) = self.job.as_ref().filter(|_| self.is_served_by(job)) else {
            return false;
        };
        let before = self.clone();
        match &job.state {
            JobState::Completed { at } => {
                self.outcome = SlotOutcome::Completed;
                self.satisfied_slot = self.satisfied_slot.max(Some(mine.slot));
                self.satisfied_at = self.satisfied_at.max(Some(*at));
                self.failed_at = None;
                self.failures = 0;
            }
            JobState::Failed { at, .. } if before.is_open() => {
                self.outcome = SlotOutcome::Failed;
                self.failed_at = Some(*at);
                self.failures = self.failures.saturating_add(1);
            }
            JobState::Missed { .. } if before.is_open() => self.outcome = SlotOutcome::Missed,
            JobState::Cancelled { .. } if before.is_open() => self.outcome = SlotOutcome::Cancelled,
            JobState::Pending
            | JobState::Running { .. }
            | JobState::Retrying { .. }
            | JobState::Failed { .. }
            | JobState::Missed { .. }
            | JobState::Cancelled { .. } => {}
        }
        *self != before
    }
}
