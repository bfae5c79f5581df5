//! A verification job: read the data of a backup to its end, check every hash, and where that is
//! asked for restore it into a database that is dropped again. What it found stays with the backup.

use dilux_core::Error;
use dilux_core::crash;
use dilux_core::expiry::Expiry;
use dilux_core::model::{
    AuditAction, Backup, BackupId, DamageKind, EngineId, Finding, Job, Manifest, Stage, VerifyWork,
};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::RestorePlan;
use jiff::Timestamp;

use crate::Processor;
use crate::backup::refuse_endless;
use crate::bookkeeping::storage_failure;
use crate::claim::Claim;
use crate::keeper::Activity;
use crate::leftovers::{drop_before, rehearsal_name};

impl Processor {
    pub(crate) async fn verify(
        &self,
        claim: &Claim,
        job: &Job,
        work: &VerifyWork,
        activity: &Activity,
    ) -> Result<(), Failure> {
        activity.enter(Stage::Preparing);
        refuse_endless(job, self.installation.settings.worker.retry)?;
        let manifest = self.manifest_of(&work.backup_id).await?;
        self.lease_backup(job, &work.backup_id, &manifest).await?;
        let known = self.known_finding(&manifest).await?;
        activity.enter(Stage::Checking);
        let began_at = self.installation.clock.now();
        let outcome = match &work.rehearse_on {
            None => {
                self.pipeline
                    .verify(&manifest.data, &activity.control)
                    .await
            }
            Some(engine) => self.rehearse(job, engine, &manifest, activity).await,
        };
        crash::point("after-verification-read");
        if let Some(finding) = finding(&outcome, began_at, self.installation.clock.now()) {
            self.note_finding(&manifest, &finding, known.as_ref())
                .await?;
            crash::point("after-finding-shown");
        }
        outcome?;
        let now = self.installation.clock.now();
        let progress = activity.final_progress();
        let job = claim
            .change(|job| {
                let mut done = job.complete(now)?;
                done.progress = progress;
                Ok(done)
            })
            .await?;
        crash::point("after-verification-completed");
        self.audit(&job, AuditAction::BackupVerified, None).await;
        Ok(())
    }

    /// Restores the backup into a database of its own, which is dropped again, as is what earlier
    /// attempts left that were interrupted.
    async fn rehearse(
        &self,
        job: &Job,
        engine: &EngineId,
        manifest: &Manifest,
        activity: &Activity,
    ) -> Result<(), Failure> {
        let driver = self.drivers.for_engine(manifest.engine_type)?;
        let target = self.restore_target(engine, manifest).await?;
        activity
            .unless_stopped(drop_before(job.epoch, job, &*driver, &target))
            .await?;
        let plan = RestorePlan {
            database: rehearsal_name(job, job.epoch)?,
            traits: manifest.traits.clone(),
            server: manifest.server.clone(),
            tool: manifest.tool.clone(),
            is_rehearsal: true,
        };
        let sink = activity
            .unless_stopped(driver.restore(&target, &plan))
            .await?;
        crash::point("after-rehearsal-created");
        self.pipeline
            .restore(&manifest.data, sink, &activity.control)
            .await
    }

    async fn known_finding(&self, manifest: &Manifest) -> Result<Option<Finding>, Failure> {
        let expiry = Expiry::new(self.installation.clone());
        let backup = BackupId::from(&manifest.job_id);
        let known = expiry.finding(&manifest.database_id, &backup).await;
        known.map_err(|error| Failure::new(FailureKind::Storage, error.to_string()))
    }

    async fn note_finding(
        &self,
        manifest: &Manifest,
        finding: &Finding,
        known: Option<&Finding>,
    ) -> Result<(), Failure> {
        let backups = &self.installation.repositories.backups;
        let line = backups.get(&manifest.job_id, manifest.job_created_at).await;
        let line = line.map_err(|e| storage_failure("the history could not be read", &e))?;
        let line = line.map_or_else(|| Backup::of_manifest(manifest), |line| line.value);
        let expiry = Expiry::new(self.installation.clone());
        let noted = expiry.note_verification(&line, finding, known).await;
        noted.map(drop).map_err(|error| {
            let kind = match error {
                Error::Refused(_) => FailureKind::Configuration,
                _ => FailureKind::Storage,
            };
            Failure::new(kind, error.to_string())
        })
    }
}

/// What the outcome of a look from `began_at` to `ended_at` says of the backup; nothing when the
/// server, the store or the worker failed.
fn finding(
    outcome: &Result<(), Failure>,
    began_at: Timestamp,
    ended_at: Timestamp,
) -> Option<Finding> {
    match outcome {
        // What decays behind the reader's back is not seen.
        Ok(()) => Some(Finding::Verified { at: began_at }),
        Err(failure) if failure.kind == FailureKind::Integrity => Some(Finding::Damaged {
            at: ended_at,
            kind: DamageKind::VerificationFailed,
            reason: failure.message.clone(),
        }),
        Err(_) => None,
    }
}
