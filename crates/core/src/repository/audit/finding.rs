//! What a verification of the audit log finds.

use std::fmt;
use std::str::FromStr;

use crate::storage::EntityKey;

/// An end of the log as it was at some time. Kept outside of the store, it shows when the log was
/// put back to an earlier state as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheckpoint {
    /// The newest day.
    pub(super) day: String,
    /// Entries of that day.
    pub(super) sequence: u64,
    /// Seal of the newest of them.
    pub(super) seal: String,
}

/// A text that is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a checkpoint as a verification prints it: DAY:NUMBER:SEAL")]
pub struct InvalidCheckpoint;

impl fmt::Display for AuditCheckpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.day, self.sequence, self.seal)
    }
}

impl FromStr for AuditCheckpoint {
    type Err = InvalidCheckpoint;

    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        let mut parts = text.trim().split(':');
        let (day, sequence, seal) = (parts.next(), parts.next(), parts.next());
        let day = day.filter(|day| day.parse::<jiff::civil::Date>().is_ok());
        let sequence = sequence.and_then(|number| number.parse().ok());
        match (day, sequence, seal, parts.next()) {
            (Some(day), Some(sequence), Some(seal), None) if seal.len() == 64 => Ok(Self {
                day: day.to_owned(),
                sequence,
                seal: seal.to_owned(),
            }),
            _ => Err(InvalidCheckpoint),
        }
    }
}

/// Something that only tampering, or damage, explains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum AuditFinding {
    /// A row is not as it was written: changed, moved or copied.
    #[error("row {} of {} is not what the log wrote there", .0.row, .0.partition)]
    Changed(EntityKey),
    /// A row that the log never wrote.
    #[error("row {} of {} was not written by the log", .0.row, .0.partition)]
    Foreign(EntityKey),
    /// A row is gone.
    #[error("entry {sequence} of {day} is missing{}", after(.follows.as_ref()))]
    Missing {
        /// Its day.
        day: String,
        /// Its place in the chain of that day, from 1.
        sequence: u64,
        /// The row of the entry before it, where that is sound.
        follows: Option<String>,
    },
    /// A row does not follow the one before it: the log was put back to an earlier state in
    /// between, or its head was changed.
    #[error("row {} of {} does not follow the entry before it", .0.row, .0.partition)]
    Unlinked(EntityKey),
    /// The head of a day is gone or not as it was written.
    #[error("the head of {0} was changed or removed, or put back to an earlier state")]
    Head(String),
    /// A whole day is gone.
    #[error("all entries of {0} are missing")]
    Day(String),
    /// A day holds entries and the ledger does not name it.
    #[error("{0} is not among the days of the ledger")]
    Unknown(String),
    /// The row is gone that names the key of the seals: no row can be verified.
    #[error("the row that names the key of the log was removed, so that nothing can be verified")]
    Key,
    /// Rows of a day that were there before the chain began are not as they were then.
    #[error("the rows of {0} that are older than its chain were changed")]
    Older(String),
    /// The day is not listed, so that its entries are not shown.
    #[error("{0} was taken from the list of days, so that its entries are not shown")]
    Unlisted(String),
    /// The log does not hold the end that was noted earlier.
    #[error("the log does not hold the checkpoint {0}")]
    Checkpoint(String),
}

fn after(row: Option<&String>) -> String {
    row.map_or_else(String::new, |row| format!("; it followed row {row}"))
}

impl AuditFinding {
    /// The row that it names.
    pub fn row(&self) -> Option<&EntityKey> {
        match self {
            Self::Changed(key) | Self::Foreign(key) | Self::Unlinked(key) => Some(key),
            _ => None,
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditVerdict {
    /// What is wrong, sorted; empty when all is well.
    pub findings: Vec<AuditFinding>,
    /// Days with a chain.
    pub days: u64,
    /// Entries in chains that are what the log wrote.
    pub sound: u64,
    /// Rows from before the chain began, of which nothing can be said.
    pub older: u64,
    /// The end of the log.
    pub checkpoint: Option<AuditCheckpoint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_read_as_they_are_written() {
        let text = format!("2026-01-31:12:{}", "0a".repeat(32));
        let checkpoint: AuditCheckpoint = text.parse().unwrap();
        assert_eq!(checkpoint.to_string(), text);
        for other in [
            "",
            "2026-01-31",
            "x:1:2",
            "2026-01-31:1:2",
            "2026-01-31:x:y:z",
        ] {
            assert_eq!(other.parse::<AuditCheckpoint>(), Err(InvalidCheckpoint));
        }
    }
}
