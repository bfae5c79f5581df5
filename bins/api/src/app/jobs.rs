//! Jobs: ask for a backup, watch, cancel.

use dilux_core::access::{Secret, SignIn};
use dilux_core::dispatch::Dispatched;
use dilux_core::model::{
    AuditAction, AuditResourceType, AuthMethod, Backup, BackupStatus, BackupWork, DatabaseId, Job,
    JobId, JobOwner, JobState, SecretKind, Trigger, Work,
};
use dilux_core::random::hex_text;
use dilux_core::repository::{Cursor, Versioned};
use dilux_core::{Error, Result, crash};
use serde_json::json;

use super::audit::Event;
use super::{Application, DatabaseView, RACES, is_lost_race, refuse, too_many_races};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::wire::job::JobFilter;

/// Most jobs looked at for one page: a filter that few jobs pass must not make a call endless.
const SCAN_LIMIT: usize = 2000;

/// A page of jobs.
#[derive(Debug)]
pub(crate) struct JobPage {
    /// Newest first.
    pub(crate) jobs: Vec<Job>,
    /// Where the next page starts.
    pub(crate) next: Option<Cursor>,
}

/// Work that was asked for.
#[derive(Debug)]
pub(crate) struct Started {
    /// The job, new or found.
    pub(crate) job: Job,
    /// Whether this call booked it.
    pub(crate) is_new: bool,
    /// Id of the message that rings for it.
    pub(crate) message_id: Option<String>,
}

impl From<Dispatched> for Started {
    fn from(dispatched: Dispatched) -> Self {
        Self {
            job: dispatched.job,
            is_new: dispatched.is_new,
            message_id: dispatched.message.map(|id| id.0),
        }
    }
}

impl Application {
    /// Asks for a backup now. One that waits for a worker or runs already is answered instead of
    /// a second one; the same `key` gives the same job.
    pub(crate) async fn trigger_backup(
        &self,
        id: &DatabaseId,
        key: Option<&str>,
        caller: &Caller,
    ) -> Result<Started> {
        let view = self.view_database(id).await?;
        if let Some(key) = key {
            let job = JobId::derive(id, &format!("manual|key|{key}"));
            if let Some(job) = self.installation.repositories.jobs.get(&job).await? {
                return Ok(found(job.value));
            }
        }
        self.require_backup_is_possible(&view)?;
        if let Some(job) = self.active_backup_of(id).await? {
            return Ok(found(job));
        }
        let started = match key {
            Some(key) => {
                let key = format!("manual|key|{key}");
                let job = self.new_backup_job(&view, JobId::derive(id, &key));
                self.installation.dispatcher.dispatch(job).await?.into()
            }
            None => self.book_next(&view).await?,
        };
        if started.is_new {
            let details = json!({
                "database_id": id.as_str(),
                "database_alias": view.database.value.label.as_str(),
                "database_type": view.engine.engine_type.as_str(),
                "engine_id": view.engine.id.as_str(),
                "triggered_by": "manual",
            });
            let event = job_event(AuditAction::BackupTriggered, &started.job, details);
            self.record(caller, event).await;
        }
        Ok(started)
    }

    /// Books the manual backup that follows the newest one. Its id is made from that one's, so two
    /// callers at the same moment book the same job.
    async fn book_next(&self, view: &DatabaseView) -> Result<Started> {
        let id = &view.database.value.id;
        let newest = self
            .installation
            .repositories
            .backups
            .newest_of(id, 1)
            .await?;
        let mut previous = newest
            .first()
            .map_or_else(|| "none".to_owned(), |backup| backup.id.to_string());
        loop {
            let next = JobId::derive(id, &format!("manual|after|{previous}"));
            let job = self.new_backup_job(view, next);
            let started = Started::from(self.installation.dispatcher.dispatch(job).await?);
            if started.is_new || !started.job.is_terminal() {
                return Ok(started);
            }
            // It was over before it left a line in the history.
            previous = started.job.id.to_string();
        }
    }

    /// The backup of a database that waits for a worker or runs. One that the scheduler has booked
    /// for later does not count.
    pub(super) async fn active_backup_of(&self, id: &DatabaseId) -> Result<Option<Job>> {
        let now = self.installation.clock.now();
        let active = self.installation.repositories.jobs.active(now).await?;
        Ok(active.into_iter().map(|job| job.value).find(|job| {
            let is_later = job.state == JobState::Pending && job.not_before > now;
            job.database_id == *id && matches!(job.work, Work::Backup(_)) && !is_later
        }))
    }

    /// Fails when it is known now that the worker could not even start.
    pub(super) fn require_backup_is_possible(&self, view: &DatabaseView) -> Result<()> {
        let drivers = &self.drivers;
        drivers
            .for_engine(view.engine.engine_type)
            .map_err(refuse)?;
        let sign_in = SignIn::of_database(&view.database.value, &view.engine);
        let kind = sign_in
            .method
            .map_or(Some(SecretKind::Password), AuthMethod::secret_kind);
        let has_secret = !matches!(sign_in.secret, Secret::Kept(None));
        let missing = if sign_in.username.is_none() {
            Some("username")
        } else if kind == Some(SecretKind::Password) && !has_secret {
            Some("password")
        } else {
            None
        };
        missing.map_or(Ok(()), |what| {
            Err(Error::Refused(format!(
                "No {what} configured for this database. Please configure credentials."
            )))
        })
    }

    fn new_backup_job(&self, view: &DatabaseView, id: JobId) -> Job {
        let work = Work::Backup(BackupWork {
            tiers: Vec::new(),
            slot: None,
            needs_enabled: false,
            ..BackupWork::default()
        });
        let database = &view.database.value;
        let owner = JobOwner {
            database_id: database.id.clone(),
            database_label: database.label.clone(),
            engine_type: view.engine.engine_type,
        };
        self.new_job(id, owner, work)
    }

    /// The id of a job about a database that somebody asks for: the same for the same `key`, another
    /// one each time without.
    pub(super) fn job_id_for(&self, what: &str, database: &DatabaseId, key: Option<&str>) -> JobId {
        let booking = match key {
            Some(key) => format!("{what}|key|{key}"),
            None => format!("{what}|{}", hex_text(&*self.installation.random, 16)),
        };
        JobId::derive(database, &booking)
    }

    /// A manual job that may start at once.
    pub(super) fn new_job(&self, id: JobId, owner: JobOwner, work: Work) -> Job {
        Job::new(
            id,
            owner,
            work,
            Trigger::Manual,
            self.installation.clock.now(),
        )
    }

    /// The jobs that match `filter`, newest first.
    pub(crate) async fn list_jobs(&self, filter: &JobFilter) -> Result<JobPage> {
        let repository = &self.installation.repositories.jobs;
        let mut page = JobPage {
            jobs: Vec::new(),
            next: filter.cursor.clone(),
        };
        let mut seen = 0;
        loop {
            let missing = filter.page_size - page.jobs.len();
            let (jobs, next) = repository.newest(page.next.as_ref(), missing).await?;
            seen += jobs.len().max(1);
            page.jobs
                .extend(jobs.into_iter().filter(|job| filter.matches(job)));
            page.next = next;
            let is_done = page.next.is_none() || page.jobs.len() == filter.page_size;
            if is_done || seen >= SCAN_LIMIT {
                return Ok(page);
            }
        }
    }

    /// One job, and the line of history of its backup when there is one.
    pub(crate) async fn view_job(&self, id: &JobId) -> Result<(Versioned<Job>, Option<Backup>)> {
        let job = self.versioned_job(id).await?;
        let backups = &self.installation.repositories.backups;
        let line = match job.value.work {
            Work::Backup(_) => backups.get(id, job.value.created_at).await?,
            Work::Restore(_) | Work::Verify(_) => None,
        };
        Ok((job, line.map(|line| line.value)))
    }

    /// One restore.
    pub(crate) async fn view_restore(&self, id: &JobId) -> Result<Versioned<Job>> {
        let not_found = || Error::NotFound {
            what: "Restore",
            id: id.to_string(),
        };
        let job = self.installation.repositories.jobs.get(id).await?;
        job.filter(|job| matches!(job.value.work, Work::Restore(_)))
            .ok_or_else(not_found)
    }

    pub(super) async fn job(&self, id: &JobId) -> Result<Job> {
        Ok(self.versioned_job(id).await?.value)
    }

    async fn versioned_job(&self, id: &JobId) -> Result<Versioned<Job>> {
        let found = self.installation.repositories.jobs.get(id).await?;
        found.ok_or_else(|| Error::NotFound {
            what: "Job",
            id: id.to_string(),
        })
    }

    /// Asks for a job to stop: at once when no worker has it, else by the worker's next heartbeat.
    /// A job that was cancelled stays so; one that is over otherwise is refused.
    pub(crate) async fn cancel_job(
        &self,
        id: &JobId,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<Versioned<Job>> {
        let jobs = &self.installation.repositories.jobs;
        for _ in 0..RACES {
            let present = self.versioned_job(id).await?;
            if_match.check(&present.version)?;
            if matches!(present.value.state, JobState::Cancelled { .. })
                || (present.value.cancel_requested && !present.value.is_terminal())
            {
                return Ok(present);
            }
            let cancelled = present
                .value
                .request_cancel(self.installation.clock.now())
                .map_err(|error| Error::WrongState(error.to_string()))?;
            self.note_cancelled(&cancelled).await?;
            match jobs.update(cancelled, &present.version).await {
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
                Ok(stored) => {
                    crash::point("after-cancel");
                    let details = json!({ "state": stored.value.state.as_str() });
                    let event = job_event(AuditAction::JobCancelled, &stored.value, details);
                    self.record(caller, event).await;
                    return Ok(stored);
                }
            }
        }
        too_many_races()
    }

    /// A job that is over at once has no worker that would close its line in the history. That is
    /// done first: a worker that takes the job after all writes its own line over it.
    async fn note_cancelled(&self, job: &Job) -> Result<()> {
        let JobState::Cancelled { at } = job.state else {
            return Ok(());
        };
        let backups = &self.installation.repositories.backups;
        if let Some(line) = backups.get(&job.id, job.created_at).await? {
            let mut line = line.value;
            line.status = BackupStatus::Cancelled;
            line.completed_at = Some(at);
            backups.put(&line).await?;
        }
        Ok(())
    }
}

/// A job that was booked before.
pub(super) fn found(job: Job) -> Started {
    Started {
        job,
        is_new: false,
        message_id: None,
    }
}

/// An entry of the audit log about a job.
pub(super) fn job_event(action: AuditAction, job: &Job, details: serde_json::Value) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::Backup,
        resource_id: job.id.to_string(),
        resource_name: job.database_label.to_string(),
        details,
        failure: None,
    }
}
