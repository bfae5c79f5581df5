//! The damaged backups of a database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Line;
use crate::model::{Backup, BackupId};

/// A backup that was made and cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedBackup {
    /// The backup.
    #[serde(rename = "i")]
    pub id: BackupId,
    /// When the damage was noticed.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// What is wrong.
    #[serde(rename = "r")]
    pub reason: String,
}

/// The damaged backups of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Damage {
    /// How many.
    pub count: u64,
    /// The newest of them, at most [`Damage::MOST_NAMED`], by the key of their line.
    pub newest: BTreeMap<String, DamagedBackup>,
}

impl Damage {
    /// How many damaged backups of a database are named. The others are counted.
    pub const MOST_NAMED: usize = 10;

    /// Names a damaged backup, if it is one of the newest.
    pub fn name(&mut self, line: Line<'_>) {
        let damaged = DamagedBackup::of(line.backup);
        self.newest.insert(line.key.to_owned(), damaged);
        if self.newest.len() > Self::MOST_NAMED {
            self.newest.pop_last();
        }
    }

    /// Whether one should be named that is not.
    pub(super) fn lacks_names(&self) -> bool {
        let named = self.newest.len();
        named < Self::MOST_NAMED && named as u64 != self.count
    }
}

impl DamagedBackup {
    fn of(backup: &Backup) -> Self {
        let marks = &backup.marks;
        let reason = marks.sentence.as_deref().unwrap_or_default();
        Self {
            id: backup.id.clone(),
            at: marks.damaged_since.unwrap_or(backup.created_at),
            reason: reason.chars().take(200).collect(),
        }
    }
}
