//! Row mapping of schedule states and misses.

use jiff::Timestamp;

use crate::model::DatabaseId;
use crate::repository::keys::inverted_ticks;
use crate::repository::row::{Row, RowFault, RowReader, RowWriter};
use crate::schedule::{MissedSlots, SlotJob, SlotOutcome, TierState};

/// The state of one tier of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleState {
    /// Database.
    pub database_id: DatabaseId,
    /// The state.
    pub state: TierState,
}

/// Slots of a database that were given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Database.
    pub database_id: DatabaseId,
    /// The slots.
    pub slots: MissedSlots,
    /// When that was decided.
    pub decided_at: Timestamp,
}

impl Row for ScheduleState {
    fn row_key(&self) -> String {
        self.state.tier.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        let state = &self.state;
        row.text("database_id", self.database_id.as_str());
        row.instant("last_slot", state.last_slot);
        if let Some(job) = &state.job {
            row.text("job_id", job.id.as_str());
            row.instant("job_slot", job.slot);
        }
        row.text("outcome", state.outcome.as_str());
        row.optional_instant("satisfied_slot", state.satisfied_slot);
        row.optional_instant("satisfied_at", state.satisfied_at);
        row.optional_instant("failed_at", state.failed_at);
        row.small("failures", state.failures);
        row.small("era", state.era);
        row.text("reason", state.reason.as_str());
        row.size("late_seconds", state.late_seconds);
        if let Some(mark) = &state.mark {
            row.text("schedule", mark.as_str());
        }
        row.optional_instant("next_due", state.next_due);
        if !state.unrecorded.is_empty() {
            row.json("unrecorded", &state.unrecorded);
        }
    }

    /// A row of the first version holds nothing but `last_slot`.
    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let job_slot = row.optional_instant("job_slot")?;
        let job = row
            .optional_parsed("job_id")?
            .zip(job_slot)
            .map(|(id, slot)| SlotJob { id, slot });
        Ok(Self {
            database_id: row.parsed("database_id")?,
            state: TierState {
                tier: row.key_parsed()?,
                last_slot: row.instant("last_slot")?,
                job,
                outcome: row
                    .optional_parsed("outcome")?
                    .unwrap_or(SlotOutcome::Booked),
                satisfied_slot: row.optional_instant("satisfied_slot")?,
                satisfied_at: row.optional_instant("satisfied_at")?,
                failed_at: row.optional_instant("failed_at")?,
                failures: row.count("failures")?,
                era: row.count("era")?,
                reason: row.optional_text("reason")?.unwrap_or("").to_owned(),
                late_seconds: row.unsigned("late_seconds")?.unwrap_or(0),
                mark: row.optional_parsed("schedule")?,
                next_due: row.optional_instant("next_due")?,
                unrecorded: row.optional_json("unrecorded")?.unwrap_or_default(),
            },
        })
    }
}

impl Row for Miss {
    fn row_key(&self) -> String {
        format!("{}_{}", inverted_ticks(self.slots.last), self.slots.tier)
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("database_id", self.database_id.as_str());
        row.text("tier", self.slots.tier.as_str());
        row.instant("first_slot", self.slots.first);
        row.instant("last_slot", self.slots.last);
        row.size("count", self.slots.count);
        row.text("reason", self.slots.reason.as_str());
        row.instant("decided_at", self.decided_at);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            database_id: row.parsed("database_id")?,
            slots: MissedSlots {
                tier: row.parsed("tier")?,
                first: row.instant("first_slot")?,
                last: row.instant("last_slot")?,
                count: row.unsigned("count")?.unwrap_or(1),
                reason: row.optional_text("reason")?.unwrap_or("").to_owned(),
            },
            decided_at: row.instant("decided_at")?,
        })
    }
}
