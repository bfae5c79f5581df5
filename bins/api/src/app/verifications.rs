//! Asking for a verification of a backup.

use dilux_core::model::{
    AuditAction, Backup, BackupId, BackupStatus, EngineId, Job, VerifyWork, Work,
};
use dilux_core::{Error, Result};
use serde_json::json;

use super::Application;
use super::jobs::{Started, found, job_event};
use crate::caller::Caller;
use crate::permission::Permission;
use crate::wire::backup::VerifyWish;

impl Application {
    /// Books a job that verifies a backup. One that does the same and waits or runs already is
    /// answered instead of a second one; the same `key` gives the same job.
    pub(crate) async fn verify_backup(
        &self,
        id: &BackupId,
        wish: &VerifyWish,
        key: Option<&str>,
        caller: &Caller,
    ) -> Result<Started> {
        if wish.engine_id.is_some() {
            // It is restored, if only for a while.
            caller.require(Permission::ReadData)?;
        }
        let backup = self.backup(id).await?;
        self.require_verifiable(&backup, wish.engine_id.as_ref())
            .await?;
        let work = VerifyWork {
            backup_id: backup.id.clone(),
            rehearse_on: wish.engine_id.clone(),
        };
        if let Some(active) = self.active_verification(&work).await? {
            return Ok(found(active));
        }
        let job_id = self.job_id_for("verify", &backup.database_id, key);
        self.expiry()
            .lease_restore(&backup.database_id, &backup.id, &job_id)
            .await?;
        let job = self.new_job(job_id, backup.job_owner(), Work::Verify(work.clone()));
        let started = Started::from(self.installation.dispatcher.dispatch(job).await?);
        if started.job.work != Work::Verify(work) {
            return Err(Error::Refused(
                "this Idempotency-Key was used for another request; use a new one".to_owned(),
            ));
        }
        if started.is_new {
            let details = json!({
                "backup_id": backup.id.as_str(),
                "database_id": backup.database_id.as_str(),
                "rehearse_on": wish.engine_id.as_ref().map(EngineId::as_str),
            });
            let event = job_event(AuditAction::VerificationTriggered, &started.job, details);
            self.record(caller, event).await;
        }
        Ok(started)
    }

    async fn require_verifiable(&self, backup: &Backup, engine: Option<&EngineId>) -> Result<()> {
        let is_there = matches!(
            backup.status,
            BackupStatus::Completed | BackupStatus::Damaged
        );
        if !is_there {
            return Err(Error::WrongState(format!(
                "only backups that were made can be verified; the status of this one is '{}'",
                backup.status
            )));
        }
        let Some(manifest) = self.manifest(&backup.job_id).await? else {
            return Err(Error::WrongState(
                "the manifest of this backup is gone, so there is nothing to verify it by"
                    .to_owned(),
            ));
        };
        if let Some(id) = engine {
            self.restore_engine(id, &manifest).await?;
        }
        Ok(())
    }

    /// The verification of this very kind that waits or runs: a rehearsal proves what reading alone
    /// does not.
    async fn active_verification(&self, work: &VerifyWork) -> Result<Option<Job>> {
        let now = self.installation.clock.now();
        let active = self.installation.repositories.jobs.active(now).await?;
        Ok(active
            .into_iter()
            .map(|job| job.value)
            .find(|job| matches!(&job.work, Work::Verify(active) if active == work)))
    }
}
