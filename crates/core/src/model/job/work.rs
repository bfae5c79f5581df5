//! What a job owes, and who asked for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RetryRule;
use crate::model::{BackupId, DatabaseName, EngineId, InvalidName, Tier};

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
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Scheduler, Self::Manual]
            .into_iter()
            .find(|trigger| trigger.as_str() == text)
            .ok_or_else(|| InvalidName("must be scheduler or manual".to_owned()))
    }
}

/// How pressing a job is: the first goes before the others, however long their line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Somebody waits for their data.
    Restore,
    /// Somebody asked for a backup, or for one to be verified.
    Manual,
    /// A slot is due.
    Scheduled,
}

impl Urgency {
    /// A digit that sorts as the urgency does.
    pub fn rank(self) -> u8 {
        match self {
            Self::Restore => 0,
            Self::Manual => 1,
            Self::Scheduled => 2,
        }
    }
}

/// What a backup job owes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackupWork {
    /// Tiers that the dump serves; empty for a manual one.
    pub tiers: Vec<Tier>,
    /// The slot that it was due for.
    pub slot: Option<Timestamp>,
    /// Whether the worker must check that the database is still enabled.
    pub needs_enabled: bool,
    /// Most attempts; `None` leaves it to the setting. One while a database keeps failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Why it was booked, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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

/// What a verification job owes: to read the data of a backup to its end and check lengths and
/// hashes against the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyWork {
    /// Which backup.
    pub backup_id: BackupId,
    /// The engine on which the backup is also restored into a new database, which is dropped
    /// again; `None` only reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearse_on: Option<EngineId>,
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
    /// Verify one.
    Verify(VerifyWork),
}

impl Work {
    /// The name of its kind on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Backup(_) => "backup",
            Self::Restore(_) => "restore",
            Self::Verify(_) => "verify",
        }
    }

    /// The rule by which a failed attempt is tried again: the setting, tightened by what the
    /// scheduler allows.
    pub fn retry_rule(&self, setting: RetryRule) -> RetryRule {
        let allowed = match self {
            Self::Backup(work) => work.attempts,
            Self::Restore(_) | Self::Verify(_) => None,
        };
        RetryRule {
            attempts: allowed.map_or(setting.attempts, |most| most.clamp(1, setting.attempts)),
            ..setting
        }
    }
}
