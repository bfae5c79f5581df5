//! What follows the commit point: history, audit and job row, each written so that writing it
//! again changes nothing.

use dilux_core::crash;
use dilux_core::dispatch::Doorbell;
use dilux_core::model::{
    AuditAction, AuditEntry, AuditId, AuditResourceType, AuditStatus, Backup, BackupId, DeadLetter,
    DeadLetterReason, Job, JobState, Manifest, Trigger, Work,
};
use dilux_core::storage::{StorageError, StorageErrorKind};
use dilux_core::transfer::{Failure, FailureKind};

use crate::Processor;
use crate::claim::Claim;
use crate::subject::Subject;

/// A storage error in the words of a job's failure.
pub(crate) fn storage_failure(what: &str, error: &StorageError) -> Failure {
    tracing::warn!(%error, source = ?std::error::Error::source(error).map(ToString::to_string), "{what}");
    let because = match error.kind() {
        StorageErrorKind::Full => "the backup store is full; free some room",
        StorageErrorKind::Denied => "the backup store refused the credentials; check them",
        StorageErrorKind::Corrupt => "what the store gave back is damaged",
        _ => "the backup store does not answer; it is tried again",
    };
    Failure::new(FailureKind::Storage, format!("{what}: {because}"))
}

impl Processor {
    /// Writes the history line of a job that starts.
    pub(crate) async fn record_start(&self, job: &Job, subject: &Subject) -> Result<(), Failure> {
        let mut line = Backup::of_job(job);
        line.engine_id = Some(subject.engine.id.clone());
        line.retry_count = job.attempts;
        self.put_line(&line).await
    }

    /// Brings everything into line with a manifest that exists: history, then the job row, then
    /// the audit log. Safe to repeat after a crash at any point of it.
    pub(crate) async fn record_success(
        &self,
        claim: &Claim,
        manifest: &Manifest,
    ) -> Result<(), Failure> {
        self.put_line(&Backup::of_manifest(manifest)).await?;
        crash::point("after-history-completed");
        let states = &self.installation.repositories.states;
        let backup = BackupId::from(&manifest.job_id);
        states
            .change(&manifest.database_id, |state| {
                state.succeed(&backup, manifest.started_at);
            })
            .await
            .map_err(|e| storage_failure("the state of the database could not be saved", &e))?;
        crash::point("after-state-noted");
        let now = self.installation.clock.now();
        let progress = dilux_core::model::Progress {
            stage: None,
            plain_bytes: manifest.data.plain_bytes,
            stored_bytes: manifest.data.stored_bytes,
            bytes_per_second: rate(manifest),
        };
        let job = claim
            .change(|job| {
                let mut done = job.complete(now)?;
                done.progress = progress;
                Ok(done)
            })
            .await?;
        crash::point("after-job-completed");
        self.note_schedule(&job).await;
        self.audit(&job, AuditAction::BackupCompleted, None).await;
        Ok(())
    }

    /// Writes what a failed attempt means for the history. `job` is what its row is going to be:
    /// the history comes first, since a job that is over has nobody left who would write it.
    pub(crate) async fn record_failure(&self, job: &Job, failure: &Failure) -> Result<(), Failure> {
        if !matches!(job.work, Work::Backup(_)) {
            return Ok(());
        }
        let backups = &self.installation.repositories.backups;
        let mut line = match backups.get(&job.id, job.created_at).await {
            Ok(Some(line)) => line.value,
            _ => Backup::of_job(job),
        };
        line.status = job.backup_status();
        line.epoch = job.epoch;
        line.failure = Some(failure.clone());
        line.retry_count = job.attempts.saturating_sub(1);
        let now = self.installation.clock.now();
        line.completed_at = job.is_terminal().then_some(now);
        self.put_line(&line).await
    }

    /// Notes a failed attempt, whose history line and row are written, everywhere else. Best
    /// effort.
    pub(crate) async fn announce_failure(&self, job: &Job, failure: &Failure) {
        let is_final = job.is_terminal();
        self.note_failure(job, failure).await;
        if is_final && failure.kind == FailureKind::WorkerLost {
            self.set_aside(job).await;
        }
        if is_final {
            self.note_schedule(job).await;
            let action = match (&job.state, &job.work) {
                (JobState::Cancelled { .. }, _) => AuditAction::JobCancelled,
                (_, Work::Backup(_)) => AuditAction::BackupFailed,
                (_, Work::Restore(_)) => AuditAction::RestoreFailed,
                (_, Work::Verify(_)) => AuditAction::VerificationFailed,
            };
            self.audit(job, action, Some(failure)).await;
        }
    }

    /// Lists a job whose workers all died among the dead letters. Best effort: the job row says
    /// that it failed.
    async fn set_aside(&self, job: &Job) {
        let now = self.installation.clock.now();
        let text = Doorbell::of(job).to_text();
        let reason = DeadLetterReason::ExhaustedJob;
        let letter = DeadLetter::new(&text, reason, Some(job.id.clone()), now);
        let letters = &self.installation.repositories.dead_letters;
        if let Err(error) = letters.set_aside(letter).await {
            tracing::error!(%error, "dead letter is missing");
        }
    }

    /// Notes that the database could not be backed up. What says nothing of the database is left
    /// out: a cancellation, and failures of the store.
    async fn note_failure(&self, job: &Job, failure: &Failure) {
        let is_of_database = !matches!(
            failure.kind,
            FailureKind::Cancelled | FailureKind::Storage | FailureKind::LeaseLost
        );
        if !is_of_database || !matches!(job.work, Work::Backup(_)) {
            return;
        }
        let now = self.installation.clock.now();
        let states = &self.installation.repositories.states;
        let noted = states.change(&job.database_id, |state| {
            state.fail(now, &failure.message);
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "failure of the database is not noted");
        }
    }

    /// Writes a job that is not to be tried into the history. `job` is what its row is going to
    /// be, as in [`Self::record_failure`].
    pub(crate) async fn record_missed(&self, job: &Job, failure: &Failure) -> Result<(), Failure> {
        if !matches!(job.work, Work::Backup(_)) {
            return Ok(());
        }
        let mut line = Backup::of_job(job);
        line.failure = Some(failure.clone());
        self.put_line(&line).await
    }

    /// Tells the scheduler how a job that it booked ended. Best effort: it looks itself when it
    /// needs to know and was not told.
    pub(crate) async fn note_schedule(&self, job: &Job) {
        if job.trigger != Trigger::Scheduler {
            return;
        }
        let schedule = &self.installation.repositories.schedule;
        if let Err(error) = schedule.settle(job).await {
            tracing::warn!(%error, "the schedule state does not know of the job's end yet");
        }
    }

    /// Appends an entry about a job to the audit log, as the processor.
    pub(crate) async fn audit(&self, job: &Job, action: AuditAction, failure: Option<&Failure>) {
        let mut details = serde_json::Map::new();
        details.insert("job_id".to_owned(), job.id.as_str().into());
        details.insert("database_id".to_owned(), job.database_id.as_str().into());
        details.insert(
            "database_alias".to_owned(),
            job.database_label.as_str().into(),
        );
        details.insert("database_type".to_owned(), job.engine_type.as_str().into());
        let entry = AuditEntry {
            id: AuditId::random(&*self.installation.random),
            at: self.installation.clock.now(),
            user_id: "system".to_owned(),
            user_email: "processor".to_owned(),
            action,
            resource_type: AuditResourceType::Backup,
            resource_id: job.id.to_string(),
            resource_name: job.database_label.to_string(),
            details,
            status: if failure.is_some() {
                AuditStatus::Failed
            } else {
                AuditStatus::Success
            },
            error_message: failure.map(|failure| failure.message.clone()),
            ip_address: None,
            intent_id: None,
        };
        if let Err(error) = self.installation.repositories.audit.append(&entry).await {
            tracing::error!(%error, "audit entry is missing");
        }
    }

    async fn put_line(&self, line: &Backup) -> Result<(), Failure> {
        let put = self.installation.repositories.backups.put(line).await;
        put.map_err(|error| storage_failure("the history could not be written", &error))
    }
}

/// Plain bytes a second from the start of the dump to the commit of its data.
fn rate(manifest: &Manifest) -> u64 {
    let elapsed = manifest
        .committed_at
        .duration_since(manifest.started_at)
        .as_millis();
    let milliseconds = u64::try_from(elapsed).unwrap_or(1).max(1);
    manifest.data.plain_bytes.saturating_mul(1000) / milliseconds
}
