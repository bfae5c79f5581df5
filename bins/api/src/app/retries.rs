//! Booking the work of a job anew that ended without success.

use dilux_core::model::{AuditAction, DatabaseId, Job, JobId, JobOwner, JobState, Trigger, Work};
use dilux_core::{Error, Result};
use serde_json::json;

use super::Application;
use super::jobs::{Started, found, job_event};
use crate::caller::Caller;
use crate::permission::Permission;

/// How many retries of retries are looked through.
const LONGEST_CHAIN: usize = 1000;

impl Application {
    /// Books the work of a job anew that failed, was cancelled or missed. While such a retry waits
    /// or runs, or once one has succeeded, asking again gives that one; so does the same `key`.
    pub(crate) async fn retry_job(
        &self,
        id: &JobId,
        key: Option<&str>,
        caller: &Caller,
    ) -> Result<Started> {
        let ended = self.job(id).await?;
        require_permission(&ended, caller)?;
        require_without_success(&ended)?;
        let database = &ended.database_id;
        if let Work::Backup(_) = ended.work
            && let Some(active) = self.active_backup_of(database).await?
        {
            return Ok(found(active));
        }
        let booking = match key {
            Some(key) => format!("retry|{id}|key|{key}"),
            None => self.next_retry(&ended).await?,
        };
        if let Some(job) = self.booked(database, &booking).await? {
            return Ok(found(job));
        }
        self.require_workable(&ended, &booking).await?;
        let started = self.book_anew(ended, &booking).await?;
        if started.is_new {
            let details = json!({
                "retried_job": id.as_str(),
                "kind": started.job.work.kind(),
                "database_id": started.job.database_id.as_str(),
            });
            let event = job_event(AuditAction::JobRetried, &started.job, details);
            self.record(caller, event).await;
        }
        Ok(started)
    }

    /// The booking of the retry of a job; where that one ended without success too, of its retry,
    /// and so on.
    async fn next_retry(&self, ended: &Job) -> Result<String> {
        let mut booking = format!("retry|{}", ended.id);
        for _ in 0..LONGEST_CHAIN {
            match self.booked(&ended.database_id, &booking).await? {
                Some(next) if require_without_success(&next).is_ok() => {
                    booking = format!("retry|{}", next.id);
                }
                _ => break,
            }
        }
        Ok(booking)
    }

    /// Books the work of `ended` as another job, whose id comes from `booking`, so that asking
    /// twice books once.
    pub(super) async fn book_anew(&self, ended: Job, booking: &str) -> Result<Started> {
        let owner = JobOwner {
            database_id: ended.database_id.clone(),
            database_label: ended.database_label,
            engine_type: ended.engine_type,
        };
        let work = match ended.work {
            Work::Backup(mut work) => {
                work.needs_enabled = false;
                work.attempts = None;
                Work::Backup(work)
            }
            other @ (Work::Restore(_) | Work::Verify(_)) => other,
        };
        let next = JobId::derive(&ended.database_id, booking);
        let now = self.installation.clock.now();
        let job = Job::new(next, owner, work, Trigger::Manual, now);
        Ok(self.installation.dispatcher.dispatch(job).await?.into())
    }

    /// Fails when it is known now that the worker could not even start; and keeps the backup that
    /// it will read.
    async fn require_workable(&self, ended: &Job, booking: &str) -> Result<()> {
        let database = &ended.database_id;
        let backup = match &ended.work {
            Work::Backup(_) => {
                let view = self.view_database(database).await?;
                return self.require_backup_is_possible(&view);
            }
            Work::Restore(work) => &work.backup_id,
            Work::Verify(work) => &work.backup_id,
        };
        let next = JobId::derive(database, booking);
        self.expiry().lease_restore(database, backup, &next).await
    }

    async fn booked(&self, database: &DatabaseId, booking: &str) -> Result<Option<Job>> {
        let id = JobId::derive(database, booking);
        let job = self.installation.repositories.jobs.get(&id).await?;
        Ok(job.map(|job| job.value))
    }
}

/// What restores needs the permission to do so.
fn require_permission(job: &Job, caller: &Caller) -> Result<()> {
    let restores = match &job.work {
        Work::Backup(_) => false,
        Work::Restore(_) => true,
        Work::Verify(work) => work.rehearse_on.is_some(),
    };
    if restores {
        caller.require(Permission::ReadData)?;
    }
    Ok(())
}

fn require_without_success(job: &Job) -> Result<()> {
    match &job.state {
        JobState::Failed { .. } | JobState::Cancelled { .. } | JobState::Missed { .. } => Ok(()),
        JobState::Completed { .. } => Err(Error::WrongState(
            "this job is done; there is nothing to try again".to_owned(),
        )),
        JobState::Pending | JobState::Running { .. } | JobState::Retrying { .. } => Err(
            Error::WrongState("this job is not over; cancel it first, or let it go on".to_owned()),
        ),
    }
}
