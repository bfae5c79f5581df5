//! Alerts: what a person must act on. They are told, each time that somebody asks, from state that
//! is kept anyway, so that none is lost or doubled by a crash, and none needs a writer. Only that
//! somebody has taken note of one is written down.

mod find;
mod tell;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

pub use find::{FoundAlerts, find};
pub use tell::{of_damage, of_database, of_dead_letter, of_timers};

use crate::model::{AlertId, DatabaseId, EngineId, InvalidName};

/// What an alert tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertKind {
    /// The newest backups of a database failed.
    BackupFailing,
    /// The newest good backup of a database is older than agreed, although none failed.
    RpoBreached,
    /// A backup cannot be restored.
    BackupDamaged,
    /// No scheduler plans backups.
    SchedulerSilent,
    /// A timer has not run, although a scheduler is at work.
    TimerLate,
    /// A message or job could not be worked off.
    DeadLetter,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::BackupFailing,
        Self::RpoBreached,
        Self::BackupDamaged,
        Self::SchedulerSilent,
        Self::TimerLate,
        Self::DeadLetter,
    ];

    /// The name on the wire and in ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackupFailing => "backup_failing",
            Self::RpoBreached => "rpo_breached",
            Self::BackupDamaged => "backup_damaged",
            Self::SchedulerSilent => "scheduler_silent",
            Self::TimerLate => "timer_late",
            Self::DeadLetter => "dead_letter",
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for AlertKind {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| one_of(&Self::ALL.map(Self::as_str)))
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Somebody should look at it soon.
    Warning,
    /// Something is not protected.
    Critical,
}

impl Severity {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Warning, Self::Critical];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl FromStr for Severity {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == text)
            .ok_or_else(|| one_of(&Self::ALL.map(Self::as_str)))
    }
}

fn one_of(names: &[&str]) -> InvalidName {
    InvalidName(format!("must be one of {}", names.join(", ")))
}

/// The kind of thing that an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// A database.
    Database,
    /// A backup.
    Backup,
    /// A timer of the schedulers.
    Timer,
    /// A dead letter.
    DeadLetter,
}

impl SubjectKind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Backup => "backup",
            Self::Timer => "timer",
            Self::DeadLetter => "dead_letter",
        }
    }
}

/// The thing that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// Its id.
    pub id: String,
    /// What people call it.
    pub label: String,
}

/// The database that an alert concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDatabase {
    /// Its id.
    pub id: DatabaseId,
    /// Its label, as far as it is known.
    pub label: Option<String>,
    /// Its engine, while it is registered.
    pub engine_id: Option<EngineId>,
}

/// Something that a person must act on. While it lasts it is the same alert; when it is over there
/// is none, and when it comes again there is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Follows from kind, subject and onset, so the same condition is one alert, whoever tells it.
    pub id: AlertId,
    /// What it tells of.
    pub kind: AlertKind,
    /// How bad it is now.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// The database that it concerns.
    pub database: Option<AlertDatabase>,
    /// What is wrong and what to do: a sentence.
    pub message: String,
    /// The same without the words of servers and tools, which may name accounts; `None` when the
    /// message has none.
    pub public_message: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// When it was last seen to be so, where that is noted.
    pub seen_at: Option<Timestamp>,
    /// How often it happened since.
    pub count: u64,
}

/// That somebody has taken note of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The alert.
    pub alert_id: AlertId,
    /// When.
    pub at: Timestamp,
    /// Who: an e-mail, or the name of a program.
    pub by: String,
    /// What they have to say.
    pub note: Option<String>,
}
