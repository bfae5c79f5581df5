//! Jobs on the wire.

mod answers;

use dilux_core::model::{
    self, AttemptEnd, Backup, DatabaseId, JobState, RestoreWork, Tier, Trigger, VerifyWork, Work,
};
use dilux_core::repository::Cursor;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use answers::{BackupQueued, JobCancelled, JobRetried};

use crate::app::JobPage;
use crate::caller::Caller;
use crate::input::{Filters, FromQuery};

/// How far a running job is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// Bytes of the dump moved so far.
    plain_bytes: u64,
    /// Bytes stored so far.
    stored_bytes: u64,
    /// Bytes of the dump a second.
    bytes_per_second: u64,
}

/// What the comparison of a restored database with its source found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Comparison {
    /// Whether the two are equal.
    equal: bool,
    /// Tables compared.
    tables: u64,
    /// Rows compared.
    rows: u64,
    /// What differs, a sentence each.
    differences: Vec<String>,
}

/// What a restore job restores.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Restore {
    /// From this backup.
    backup_id: String,
    /// Onto this engine.
    target_engine_id: String,
    /// Into this new database.
    target_database: String,
    /// Whether the result is compared with the live source.
    compare_with_source: bool,
    /// What that found.
    comparison: Option<Comparison>,
}

/// What a verification job verifies.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verification {
    /// This backup.
    backup_id: String,
    /// The engine on which it is also restored, into a database that is dropped again; `null` when
    /// its data is only read and compared with its hashes.
    engine_id: Option<String>,
}

impl From<&VerifyWork> for Verification {
    fn from(work: &VerifyWork) -> Self {
        Self {
            backup_id: work.backup_id.to_string(),
            engine_id: work.rehearse_on.as_ref().map(ToString::to_string),
        }
    }
}

/// One run of a job by one worker.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// Which claim it was.
    epoch: u64,
    /// Who ran it.
    worker: String,
    /// When it began.
    started_at: String,
    /// When it ended, or was noticed to have ended; `null` while it runs.
    ended_at: Option<String>,
    /// `running`, `completed`, `failed`, `lost`, `given_back` or `missed`.
    #[schema(example = "failed")]
    end: &'static str,
    /// Why it failed; for viewers in general words.
    error_message: Option<String>,
    /// Kind of that failure.
    error_kind: Option<String>,
}

impl Attempt {
    fn new(attempt: &model::Attempt, caller: &Caller) -> Self {
        let (end, failure) = match &attempt.end {
            None => ("running", None),
            Some(AttemptEnd::Completed) => ("completed", None),
            Some(AttemptEnd::Failed { kind, message }) => ("failed", Some((kind, message))),
            Some(AttemptEnd::Lost) => ("lost", None),
            Some(AttemptEnd::GivenBack) => ("given_back", None),
            Some(AttemptEnd::Missed) => ("missed", None),
        };
        Self {
            epoch: attempt.epoch,
            worker: attempt.worker.to_string(),
            started_at: attempt.started_at.to_string(),
            ended_at: attempt.ended_at.map(|at| at.to_string()),
            end,
            error_message: failure
                .map(|(kind, message)| super::failure::message(*kind, message, caller)),
            error_kind: failure.and_then(|(kind, _)| super::enum_text(kind)),
        }
    }
}

/// One owed piece of work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Id.
    id: String,
    /// `backup`, `restore` or `verify`.
    #[schema(example = "backup")]
    kind: &'static str,
    /// `pending`, `in_progress`, `completed`, `failed`, `cancelled` or `missed`.
    #[schema(example = "in_progress")]
    status: &'static str,
    /// The state behind the status: also `running` and `retrying`.
    #[schema(example = "running")]
    state: &'static str,
    /// What a running job is doing: `preparing`, `dumping`, `committing`, `restoring`, `checking`.
    stage: Option<String>,
    /// How far it is.
    progress: Progress,
    /// Database it belongs to.
    database_id: String,
    /// Label of the database when the job was booked.
    database_name: String,
    /// Type of its engine.
    database_type: String,
    /// The backup that it made or restores; `null` while it has not made it.
    backup_id: Option<String>,
    /// Attempts that ended.
    attempts: u32,
    /// The newest attempts, oldest first, at most ten.
    log: Vec<Attempt>,
    /// `manual` or `scheduler`.
    triggered_by: &'static str,
    /// Tiers that the backup serves.
    tiers: Vec<&'static str>,
    /// Whether somebody wants it stopped.
    cancel_requested: bool,
    /// When it was booked.
    created_at: String,
    /// No worker starts it earlier.
    not_before: String,
    /// Start of the present or last attempt, as far as it is known.
    started_at: Option<String>,
    /// When it was over.
    completed_at: Option<String>,
    /// Why the last attempt failed; for viewers in general words.
    error_message: Option<String>,
    /// Kind of that failure.
    error_kind: Option<String>,
    /// The tool's last words; `null` for viewers.
    error_detail: Option<String>,
    /// What a restore job restores.
    restore: Option<Restore>,
    /// What a verification job verifies.
    verification: Option<Verification>,
}

impl Job {
    /// `job` as the caller may see it, with the line of history of its backup where it is at hand.
    pub(crate) fn new(job: &model::Job, line: Option<&Backup>, caller: &Caller) -> Self {
        let failure = job.failure();
        let is_running = matches!(job.state, JobState::Running { .. });
        let stage = job.progress.stage.filter(|_| is_running);
        let backup_id = match (&job.work, &job.state) {
            (Work::Backup(_), JobState::Completed { .. }) => Some(job.id.to_string()),
            (Work::Backup(_), _) => None,
            (Work::Restore(work), _) => Some(work.backup_id.to_string()),
            (Work::Verify(work), _) => Some(work.backup_id.to_string()),
        };
        let (tiers, restore, verification) = match &job.work {
            Work::Backup(work) => (work.tiers.clone(), None, None),
            Work::Restore(work) => (Vec::new(), Some(self::restore(job, work)), None),
            Work::Verify(work) => (Vec::new(), None, Some(Verification::from(work))),
        };
        Self {
            id: job.id.to_string(),
            kind: job.work.kind(),
            status: status(&job.state),
            state: job.state.as_str(),
            stage: stage.and_then(|stage| super::enum_text(&stage)),
            progress: Progress {
                plain_bytes: job.progress.plain_bytes,
                stored_bytes: job.progress.stored_bytes,
                bytes_per_second: job.progress.bytes_per_second,
            },
            database_id: job.database_id.to_string(),
            database_name: job.database_label.to_string(),
            database_type: job.engine_type.to_string(),
            backup_id,
            attempts: job.attempts,
            log: job
                .log
                .iter()
                .map(|attempt| Attempt::new(attempt, caller))
                .collect(),
            triggered_by: job.trigger.as_str(),
            tiers: tiers.into_iter().map(Tier::as_str).collect(),
            cancel_requested: job.cancel_requested,
            created_at: job.created_at.to_string(),
            not_before: job.not_before.to_string(),
            started_at: job
                .started_at()
                .or_else(|| line.and_then(|line| line.started_at))
                .map(|at| at.to_string()),
            completed_at: job.ended_at().map(|at| at.to_string()),
            error_message: failure
                .map(|it| super::failure::message(it.kind, &it.message, caller))
                .or_else(|| missed_reason(&job.state)),
            error_kind: failure.and_then(|failure| super::enum_text(&failure.kind)),
            error_detail: failure.and_then(|it| super::failure::detail(it, caller)),
            restore,
            verification,
        }
    }
}

fn restore(job: &model::Job, work: &RestoreWork) -> Restore {
    Restore {
        backup_id: work.backup_id.to_string(),
        target_engine_id: work.target_engine.to_string(),
        target_database: work.target_database.to_string(),
        compare_with_source: work.compare_with_source,
        comparison: job.comparison.as_ref().map(|found| Comparison {
            equal: found.differences.is_empty(),
            tables: found.tables,
            rows: found.rows,
            differences: found.differences.clone(),
        }),
    }
}

/// The state in the words of the Python product, and `missed`.
fn status(state: &JobState) -> &'static str {
    match state {
        JobState::Pending => "pending",
        JobState::Running { .. } | JobState::Retrying { .. } => "in_progress",
        JobState::Completed { .. } => "completed",
        JobState::Failed { .. } => "failed",
        JobState::Cancelled { .. } => "cancelled",
        JobState::Missed { .. } => "missed",
    }
}

fn missed_reason(state: &JobState) -> Option<String> {
    match state {
        JobState::Missed { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}

/// Which jobs to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobFilter {
    /// Where the page starts: `next_cursor` of an earlier one.
    #[param(value_type = Option<String>)]
    pub(crate) cursor: Option<Cursor>,
    /// Most jobs in the answer, 1–100; 25 when absent.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100)]
    pub(crate) page_size: usize,
    /// With this status.
    pub(crate) status: Option<String>,
    /// `backup`, `restore` or `verify`.
    pub(crate) kind: Option<String>,
    /// Of this database.
    #[param(value_type = Option<String>)]
    pub(crate) database_id: Option<String>,
    /// `manual` or `scheduler`.
    #[param(value_type = Option<String>)]
    pub(crate) triggered_by: Option<Trigger>,
}

impl FromQuery for JobFilter {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let one_of = |name: &str, allowed: &[&str]| {
            let text = filters.text(name)?;
            if allowed.contains(&text) {
                Some(text.to_owned())
            } else {
                filters.problem(name, format!("must be one of {}", allowed.join(", ")));
                None
            }
        };
        let statuses = [
            "pending",
            "in_progress",
            "completed",
            "failed",
            "cancelled",
            "missed",
        ];
        let page_size = filters.number("page_size", 1..=100).unwrap_or(25);
        Some(Self {
            cursor: super::backup::read_cursor(filters),
            page_size: usize::try_from(page_size).ok()?,
            status: one_of("status", &statuses),
            kind: one_of("kind", &["backup", "restore", "verify"]),
            database_id: filters.text("database_id").map(str::to_owned),
            triggered_by: filters.parsed("triggered_by"),
        })
    }
}

impl JobFilter {
    /// Whether a job passes.
    pub(crate) fn matches(&self, job: &model::Job) -> bool {
        let kind = job.work.kind();
        self.status
            .as_deref()
            .is_none_or(|text| text == status(&job.state))
            && self.kind.as_deref().is_none_or(|text| text == kind)
            && self
                .database_id
                .as_deref()
                .is_none_or(|id| id == DatabaseId::as_str(&job.database_id))
            && self.triggered_by.is_none_or(|who| who == job.trigger)
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobList {
    /// The jobs.
    jobs: Vec<Job>,
    /// Jobs in this answer.
    count: usize,
    /// Whether more may follow.
    has_more: bool,
    /// Where the next page starts.
    next_cursor: Option<String>,
}

impl JobList {
    /// The jobs of a page as the caller may see them.
    pub(crate) fn new(page: JobPage, caller: &Caller) -> Self {
        Self {
            count: page.jobs.len(),
            has_more: page.next.is_some(),
            next_cursor: page.next.map(|cursor| cursor.to_text()),
            jobs: page
                .jobs
                .iter()
                .map(|job| Job::new(job, None, caller))
                .collect(),
        }
    }
}
