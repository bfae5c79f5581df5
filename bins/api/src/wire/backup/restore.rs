//! Restores on the wire.

use dilux_core::model::{BackupId, DatabaseName, EngineId, RestoreWork};
use dilux_core::repository::Cursor;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::{JobPage, Started};
use crate::caller::Caller;
use crate::input::{Fields, Filters, FromFields, FromQuery};
use crate::wire::job::{Job, JobFilter};

/// A wish to restore a backup into a new database.
#[derive(Debug, ToSchema)]
pub(crate) struct RestoreWish {
    /// Name of the new database; `{name}_restored_{YYYYMMDD_HHMMSS}` when absent.
    #[schema(value_type = Option<String>, example = "orders_restored")]
    pub(crate) target_database: Option<DatabaseName>,
    /// Engine to restore onto; the backup's own when absent.
    #[schema(value_type = Option<String>)]
    pub(crate) engine_id: Option<EngineId>,
    /// Whether to compare the result with the live source; `true` when absent.
    #[schema(value_type = Option<bool>)]
    pub(crate) compare_with_source: bool,
}

impl FromFields for RestoreWish {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            target_database: fields.optional("target_database"),
            engine_id: fields.optional("engine_id"),
            compare_with_source: fields.optional("compare_with_source").unwrap_or(true),
        })
    }
}

/// A wish to restore the backup that it names.
#[derive(Debug)]
pub(crate) struct NewRestore {
    /// The backup.
    pub(crate) backup_id: BackupId,
    /// How.
    pub(crate) wish: RestoreWish,
}

impl FromFields for NewRestore {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let backup_id = fields.required("backup_id");
        let wish = RestoreWish::read(fields);
        Some(Self {
            backup_id: backup_id?,
            wish: wish?,
        })
    }
}

/// A wish to restore the backup that it names.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct NewRestoreBody {
    /// The backup.
    backup_id: String,
    /// Name of the new database; `{name}_restored_{YYYYMMDD_HHMMSS}` when absent.
    #[schema(example = "orders_restored")]
    target_database: Option<String>,
    /// Engine to restore onto; the backup's own when absent.
    engine_id: Option<String>,
    /// Whether to compare the result with the live source; `true` when absent.
    compare_with_source: Option<bool>,
}

/// Which restores to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RestoreFilter {
    /// Where the page starts: `next_cursor` of an earlier one.
    #[param(value_type = Option<String>)]
    pub(crate) cursor: Option<Cursor>,
    /// Most restores in the answer, 1–100; 25 when absent.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100)]
    pub(crate) page_size: usize,
    /// With this status.
    pub(crate) status: Option<String>,
    /// Of backups of this database.
    #[param(value_type = Option<String>)]
    pub(crate) database_id: Option<String>,
}

impl FromQuery for RestoreFilter {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let jobs = JobFilter::read(filters)?;
        Some(Self {
            cursor: jobs.cursor,
            page_size: jobs.page_size,
            status: jobs.status,
            database_id: jobs.database_id,
        })
    }
}

impl RestoreFilter {
    /// The jobs that are these restores.
    pub(crate) fn jobs(self) -> JobFilter {
        JobFilter {
            cursor: self.cursor,
            page_size: self.page_size,
            status: self.status,
            kind: Some("restore".to_owned()),
            database_id: self.database_id,
            triggered_by: None,
        }
    }
}

/// A page of restores, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoreList {
    /// Their jobs.
    restores: Vec<Job>,
    /// Restores in this answer.
    count: usize,
    /// Whether more may follow.
    has_more: bool,
    /// Where the next page starts.
    next_cursor: Option<String>,
}

impl RestoreList {
    /// The restores of a page as the caller may see them.
    pub(crate) fn new(page: JobPage, caller: &Caller) -> Self {
        Self {
            count: page.jobs.len(),
            has_more: page.next.is_some(),
            next_cursor: page.next.map(|cursor| cursor.to_text()),
            restores: page
                .jobs
                .iter()
                .map(|job| Job::new(job, None, caller))
                .collect(),
        }
    }
}

/// A restore that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoreQueued {
    /// What happened.
    #[schema(example = "Restore job queued")]
    message: &'static str,
    /// The job to watch.
    job_id: String,
    /// Message that rings for a new job; `null` for one that was there.
    queue_message_id: Option<String>,
    /// The backup.
    backup_id: String,
    /// Engine that the backup is restored onto.
    target_engine_id: String,
    /// The new database.
    target_database: String,
}

impl RestoreQueued {
    /// The job of `started`, which does `work`.
    pub(crate) fn new(started: &Started, work: &RestoreWork) -> Self {
        let message = if started.is_new {
            "Restore job queued"
        } else {
            "This Idempotency-Key started this job before"
        };
        Self {
            message,
            job_id: started.job.id.to_string(),
            queue_message_id: started.message_id.clone(),
            backup_id: work.backup_id.to_string(),
            target_engine_id: work.target_engine.to_string(),
            target_database: work.target_database.to_string(),
        }
    }
}
