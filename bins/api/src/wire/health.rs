//! The health of the installation on the wire.

use dilux_core::health;
use dilux_core::timer::{TimerRun, TimerState};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::HealthView;

/// The health of the installation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthOverview {
    /// `healthy`, `degraded` or `unhealthy`; `unknown` before the first report. `unhealthy`
    /// whatever the report says when `is_stale`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// What is wrong, in one line.
    message: String,
    /// Whether a scheduler should have planned or reported since, and none did.
    is_stale: bool,
    /// Now.
    timestamp: String,
    /// The newest report; `null` before the first one.
    report: Option<HealthReport>,
    /// What the schedulers do at their times.
    timers: Vec<Timer>,
}

impl From<&HealthView> for HealthOverview {
    fn from(view: &HealthView) -> Self {
        let status = view.standing.status;
        Self {
            status: status.map_or("unknown", health::HealthStatus::as_str),
            message: view.standing.message.clone(),
            is_stale: view.standing.is_stale,
            timestamp: view.now.to_string(),
            report: view.report.as_ref().map(HealthReport::from),
            timers: view
                .timers
                .iter()
                .map(|timer| Timer::new(timer, view.now))
                .collect(),
        }
    }
}

/// What the health monitor found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthReport {
    /// When it looked, by the clock of the storage.
    at: String,
    /// The worst status of all checks.
    #[schema(example = "healthy")]
    status: &'static str,
    /// The verdicts.
    checks: Vec<HealthCheck>,
    /// How many seconds the scheduler's clock is ahead of the storage's.
    clock_skew_seconds: i64,
    /// Messages in the queue, about; `null` when the queue did not answer.
    queue_depth: Option<u64>,
    /// Databases, and how they stand against their objectives.
    databases: DatabaseCounts,
    /// At most ten databases whose objective is breached or at risk, breached ones first.
    concerns: Vec<DatabaseConcern>,
    /// Backups that were booked in the 24 hours before and are over.
    backups: BackupCounts,
    /// Jobs that are not over.
    jobs: JobCounts,
    /// At most ten jobs that have been due for more than an hour without a worker.
    stuck_jobs: Vec<StuckJob>,
    /// Dead letters that wait for a decision.
    dead_letters: u64,
    /// Changes that were begun in the 24 hours before and have no known result.
    unfinished_changes: u64,
    /// Rows that cannot be read.
    damaged_rows: u64,
    /// At most ten of them, each with what is wrong with it.
    damaged: Vec<String>,
}

impl From<&health::HealthReport> for HealthReport {
    fn from(report: &health::HealthReport) -> Self {
        let facts = &report.facts;
        Self {
            at: report.at.to_string(),
            status: report.status.as_str(),
            checks: report.checks.iter().map(HealthCheck::from).collect(),
            clock_skew_seconds: facts.clock_skew_seconds,
            queue_depth: facts.queue_depth,
            databases: DatabaseCounts::from(facts.databases),
            concerns: facts.concerns.iter().map(DatabaseConcern::from).collect(),
            backups: BackupCounts::from(facts.backups),
            jobs: JobCounts::from(facts.jobs),
            stuck_jobs: facts.stuck_jobs.iter().map(StuckJob::from).collect(),
            dead_letters: facts.dead_letters,
            unfinished_changes: facts.unfinished_changes,
            damaged_rows: facts.damaged_rows,
            damaged: facts.damaged.clone(),
        }
    }
}

/// The verdict on one thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthCheck {
    /// `storage`, `clock`, `databases`, `backups`, `jobs`, `dead_letters`, `changes`, `rows` or
    /// `retention`.
    #[schema(example = "databases")]
    name: String,
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// What was found, and what to do.
    message: String,
}

impl From<&health::HealthCheck> for HealthCheck {
    fn from(check: &health::HealthCheck) -> Self {
        Self {
            name: check.name.clone(),
            status: check.status.as_str(),
            message: check.message.clone(),
        }
    }
}

/// How many databases there are, and how they stand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseCounts {
    /// All.
    total: u64,
    /// Those that the scheduler backs up.
    enabled: u64,
    /// Objective met.
    met: u64,
    /// Objective at risk.
    at_risk: u64,
    /// Objective breached.
    breached: u64,
    /// Without objective.
    unknown: u64,
    /// Their last attempt at a backup failed.
    failing: u64,
}

impl From<health::DatabaseCounts> for DatabaseCounts {
    fn from(counts: health::DatabaseCounts) -> Self {
        Self {
            total: counts.total,
            enabled: counts.enabled,
            met: counts.met,
            at_risk: counts.at_risk,
            breached: counts.breached,
            unknown: counts.unknown,
            failing: counts.failing,
        }
    }
}

/// A database whose objective is breached or at risk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseConcern {
    /// Its id.
    database_id: String,
    /// Its name, as people see it.
    database_name: String,
    /// `breached` or `at_risk`.
    state: String,
    /// Why.
    reason: String,
}

impl From<&health::DatabaseConcern> for DatabaseConcern {
    fn from(concern: &health::DatabaseConcern) -> Self {
        Self {
            database_id: concern.database_id.clone(),
            database_name: concern.label.clone(),
            state: concern.state.clone(),
            reason: concern.reason.clone(),
        }
    }
}

/// Backups of a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupCounts {
    /// Made.
    completed: u64,
    /// Failed for good.
    failed: u64,
    /// Never tried.
    missed: u64,
    /// Completed ones of all that were tried, in percent; `null` when none was.
    success_percent: Option<u64>,
}

impl From<health::BackupCounts> for BackupCounts {
    fn from(counts: health::BackupCounts) -> Self {
        Self {
            completed: counts.completed,
            failed: counts.failed,
            missed: counts.missed,
            success_percent: counts.success_percent(),
        }
    }
}

/// Jobs that are not over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobCounts {
    /// They wait for their time, a worker or a place.
    waiting: u64,
    /// A worker has them.
    running: u64,
    /// They wait for another attempt.
    retrying: u64,
    /// They have been due for more than an hour, and no worker has them.
    stuck: u64,
}

impl From<health::JobCounts> for JobCounts {
    fn from(counts: health::JobCounts) -> Self {
        Self {
            waiting: counts.waiting,
            running: counts.running,
            retrying: counts.retrying,
            stuck: counts.stuck,
        }
    }
}

/// A job that no worker takes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StuckJob {
    /// Its id.
    job_id: String,
    /// Name of its database, as people see it.
    database_name: String,
    /// Since when it could have been running.
    since: String,
}

impl From<&health::StuckJob> for StuckJob {
    fn from(job: &health::StuckJob) -> Self {
        Self {
            job_id: job.job_id.clone(),
            database_name: job.database.clone(),
            since: job.since.to_string(),
        }
    }
}

/// Something that the schedulers do at certain times.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timer {
    /// `planning`, `retention` or `health`.
    #[schema(example = "retention")]
    name: &'static str,
    /// When it is due next; `null` while it is switched off.
    next_at: Option<String>,
    /// Whether it should have run, and nobody is at it.
    is_late: bool,
    /// Since when it runs; `null` while it does not.
    running_since: Option<String>,
    /// Its last run that ended.
    last_run: Option<LastRun>,
}

impl Timer {
    fn new(state: &TimerState, now: Timestamp) -> Self {
        Self {
            name: state.timer.as_str(),
            next_at: state.next.map(|at| at.to_string()),
            is_late: state.is_late(now),
            running_since: state.running(now).map(|claim| claim.since.to_string()),
            last_run: state.last.as_ref().map(LastRun::from),
        }
    }
}

/// A run of a timer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastRun {
    /// When it was due.
    due_at: String,
    /// When it began.
    started_at: String,
    /// When it ended.
    ended_at: String,
    /// `done`, `partial` (the rest is named in the message) or `failed` (it is tried again).
    #[schema(example = "done")]
    outcome: &'static str,
    /// What it did, or why it failed.
    message: String,
}

impl From<&TimerRun> for LastRun {
    fn from(run: &TimerRun) -> Self {
        Self {
            due_at: run.slot.to_string(),
            started_at: run.started_at.to_string(),
            ended_at: run.ended_at.to_string(),
            outcome: run.outcome.as_str(),
            message: run.message.clone(),
        }
    }
}
