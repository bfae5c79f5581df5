//! What happens to jobs that were asked for, cancelled or tried again.

use dilux_core::model::{self, BackupStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::Job;
use crate::app::Started;
use crate::caller::Caller;

/// A job that was told to stop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobCancelled {
    /// What happens now.
    message: String,
    /// The job.
    job: Job,
}

impl JobCancelled {
    /// The answer to the caller.
    pub(crate) fn new(job: &model::Job, caller: &Caller) -> Self {
        let message = if job.is_terminal() {
            "Job cancelled"
        } else {
            "The worker stops the job at its next heartbeat"
        };
        Self {
            message: message.to_owned(),
            job: Job::new(job, None, caller),
        }
    }
}

/// The work of a job, booked anew.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobRetried {
    /// What happened.
    #[schema(example = "Job queued again")]
    message: &'static str,
    /// The job to watch.
    job_id: String,
    /// Message that rings for a new job; `null` for one that was there.
    queue_message_id: Option<String>,
    /// That job.
    job: Job,
}

impl JobRetried {
    /// The answer to the caller.
    pub(crate) fn new(started: &Started, caller: &Caller) -> Self {
        let message = match (started.is_new, started.job.is_terminal()) {
            (true, _) => "Job queued again",
            (false, false) => "A job for this waits or runs already",
            (false, true) => "This was tried again before; that job is over",
        };
        Self {
            message,
            job_id: started.job.id.to_string(),
            queue_message_id: started.message_id.clone(),
            job: Job::new(&started.job, None, caller),
        }
    }
}

/// A backup that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupQueued {
    /// What happened.
    #[schema(example = "Backup job queued")]
    message: String,
    /// The job to watch.
    job_id: String,
    /// Message that rings for a new job; `null` for one that was there.
    queue_message_id: Option<String>,
}

impl From<Started> for BackupQueued {
    fn from(started: Started) -> Self {
        let message = match (started.is_new, started.job.backup_status()) {
            (true, _) => "Backup job queued",
            (false, BackupStatus::Pending) => "A backup of this database is queued already",
            (false, BackupStatus::InProgress) => "A backup of this database is running already",
            (false, _) => "This Idempotency-Key started this job, which is over",
        };
        Self {
            message: message.to_owned(),
            job_id: started.job.id.to_string(),
            queue_message_id: started.message_id,
        }
    }
}
