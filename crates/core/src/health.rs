//! The health of an installation: what a person must know, looked at every few hours by one of the
//! schedulers, judged, and kept for everybody to see.

mod examine;
mod judge;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use examine::examine;
pub use judge::{Standing, standing};

use crate::rpo::RpoState;
use crate::timer::TimerRun;

/// Things of one kind that a report names; it counts the others.
const MOST_NAMED: usize = 10;

/// Longest text about one of them, in characters.
const MOST_TEXT: usize = 200;

/// A verdict, the best one first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    #[default]
    Healthy,
    /// It works; somebody should look at it soon.
    Degraded,
    /// Something is not protected, or will not be for long.
    Unhealthy,
}

impl HealthStatus {
    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The verdict on one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What was looked at: `storage`, `clock`, `databases`, ….
    pub name: String,
    /// The verdict.
    pub status: HealthStatus,
    /// What was found and, where something is wrong, what to do.
    pub message: String,
}

/// A store that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentStore {
    /// `queue` or `blobs`. Without tables there is no report at all.
    pub store: String,
    /// What it said instead.
    pub reason: String,
}

/// How many databases there are, and how they stand against their objectives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseCounts {
    /// All that can be read.
    pub total: u64,
    /// Those that the scheduler backs up.
    pub enabled: u64,
    /// Their newest good backup is young enough.
    pub met: u64,
    /// It is late.
    pub at_risk: u64,
    /// It is too old.
    pub breached: u64,
    /// They have no objective.
    pub unknown: u64,
    /// Their last attempt at a backup failed.
    pub failing: u64,
}

impl DatabaseCounts {
    fn count(&mut self, state: RpoState) {
        let counter = match state {
            RpoState::Met => &mut self.met,
            RpoState::AtRisk => &mut self.at_risk,
            RpoState::Breached => &mut self.breached,
            RpoState::Unknown => &mut self.unknown,
        };
        *counter += 1;
    }
}

/// A database whose objective is breached or at risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseConcern {
    /// Its id.
    pub database_id: String,
    /// Its label.
    pub label: String,
    /// `breached` or `at_risk`.
    pub state: String,
    /// Why.
    pub reason: String,
}

/// Backups that were booked in the last 24 hours and are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupCounts {
    /// They were made.
    pub completed: u64,
    /// They failed for good.
    pub failed: u64,
    /// They were never tried.
    pub missed: u64,
}

impl BackupCounts {
    /// Completed ones of all that were tried, in percent; `None` when none was.
    pub fn success_percent(&self) -> Option<u64> {
        (self.completed * 100).checked_div(self.completed + self.failed)
    }
}

/// Jobs that are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobCounts {
    /// They wait for their time, a worker or a place.
    pub waiting: u64,
    /// A worker has them.
    pub running: u64,
    /// They wait for another attempt.
    pub retrying: u64,
    /// They have been due for more than an hour, and no worker has them.
    pub stuck: u64,
}

/// A job that no worker takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckJob {
    /// Its id.
    pub job_id: String,
    /// Label of its database.
    pub database: String,
    /// Since when it could have been running.
    pub since: Timestamp,
}

/// Retention as its timer stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionFacts {
    /// Whether it runs by itself.
    pub is_on: bool,
    /// Whether it should have run and did not.
    pub is_late: bool,
    /// When it is due next.
    pub next: Option<Timestamp>,
    /// Its last run.
    pub last: Option<TimerRun>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthFacts {
    /// How far the scheduler's clock is ahead of the store's.
    pub clock_skew_seconds: i64,
    /// Why the machine's clock is not believed, where nothing but itself contradicts it.
    pub clock_doubt: Option<String>,
    /// Stores that do not answer.
    pub silent_stores: Vec<SilentStore>,
    /// Messages in the queue, hidden ones included, about; nothing where the queue is silent.
    pub queue_depth: Option<u64>,
    /// Databases.
    pub databases: DatabaseCounts,
    /// Some of those whose objective is not met, breached ones first.
    pub concerns: Vec<DatabaseConcern>,
    /// Backups of the last 24 hours.
    pub backups: BackupCounts,
    /// Jobs that are not over.
    pub jobs: JobCounts,
    /// Some of those that no worker takes.
    pub stuck_jobs: Vec<StuckJob>,
    /// Dead letters.
    pub dead_letters: u64,
    /// Changes that somebody began in the last 24 hours and whose result nobody knows.
    pub unfinished_changes: u64,
    /// Rows that cannot be read.
    pub damaged_rows: u64,
    /// Some of them: key and reason.
    pub damaged: Vec<String>,
    /// Retention.
    pub retention: RetentionFacts,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// When the look began, by the store's clock.
    pub at: Timestamp,
    /// The worst verdict of all checks.
    pub status: HealthStatus,
    /// The verdicts.
    pub checks: Vec<HealthCheck>,
    /// What they rest on.
    pub facts: HealthFacts,
}

impl HealthReport {
    /// Judges what was found at `at`.
    pub fn new(at: Timestamp, facts: HealthFacts) -> Self {
        let checks = judge::checks(&facts);
        let status = checks.iter().map(|check| check.status).max();
        Self {
            at,
            status: status.unwrap_or_default(),
            checks,
            facts,
        }
    }

    /// What is not as it should be, in one line; `None` when all is well.
    pub fn complaints(&self) -> Option<String> {
        let wrong = self
            .checks
            .iter()
            .filter(|check| check.status != HealthStatus::Healthy)
            .map(|check| format!("{}: {}", check.name, check.message));
        let wrong: Vec<String> = wrong.collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

/// The beginning of a text.
fn shortened(text: &str) -> String {
    text.chars().take(MOST_TEXT).collect()
}
