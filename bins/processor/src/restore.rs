//! A restore job: read the data of a backup, checking every hash, into a new database.

use dilux_core::crash;
use dilux_core::expiry::Expiry;
use dilux_core::model::{
    AuditAction, BackupId, Comparison, EngineId, Job, Manifest, RestoreWork, Stage,
};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Driver, RestorePlan, Target};

use crate::Processor;
use crate::backup::refuse_endless;
use crate::claim::Claim;
use crate::keeper::Activity;

/// Differences that a job row names; more would not help a reader.
const MOST_DIFFERENCES: usize = 20;

impl Processor {
    pub(crate) async fn restore(
        &self,
        claim: &Claim,
        job: &Job,
        work: &RestoreWork,
        activity: &Activity,
    ) -> Result<(), Failure> {
        activity.enter(Stage::Preparing);
        refuse_endless(job, self.installation.settings.worker.retry)?;
        let manifest = self.manifest_of(&work.backup_id).await?;
        self.lease_backup(job, &work.backup_id, &manifest).await?;
        let driver = self.drivers.for_engine(manifest.engine_type)?;
        let target = self.restore_target(&work.target_engine, &manifest).await?;
        let plan = RestorePlan {
            database: work.target_database.clone(),
            traits: manifest.traits.clone(),
            server: manifest.server.clone(),
            tool: manifest.tool.clone(),
            is_rehearsal: false,
        };
        let sink = activity
            .unless_stopped(driver.restore(&target, &plan))
            .await;
        let sink = sink.map_err(|failure| explain(job, work, failure))?;
        crash::point("after-restore-created");
        activity.enter(Stage::Restoring);
        self.pipeline
            .restore(&manifest.data, sink, &activity.control)
            .await?;
        crash::point("after-restore-written");
        let comparison = if work.compare_with_source {
            activity.enter(Stage::Checking);
            let compared = self.compare(&*driver, &manifest, work);
            Some(activity.unless_stopped(compared).await?)
        } else {
            None
        };
        let now = self.installation.clock.now();
        let progress = activity.final_progress();
        let job = claim
            .change(|job| {
                let mut done = job.complete(now)?;
                done.comparison.clone_from(&comparison);
                done.progress = progress;
                Ok(done)
            })
            .await?;
        crash::point("after-restore-completed");
        self.audit(&job, AuditAction::RestoreCompleted, None).await;
        Ok(())
    }

    /// The manifest of a backup that must have one.
    pub(crate) async fn manifest_of(&self, id: &BackupId) -> Result<Manifest, Failure> {
        let manifest = match id.job() {
            Some(job) => {
                self.manifest(id.as_str(), &Manifest::blob_name(&job))
                    .await?
            }
            None => None,
        };
        manifest.ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                format!("backup '{id}' has no manifest: it was never completed, or deleted"),
            )
        })
    }

    /// Keeps retention from deleting what is being read. The API did so before it booked the
    /// job; this is for jobs that were booked again since.
    pub(crate) async fn lease_backup(
        &self,
        job: &Job,
        backup: &BackupId,
        manifest: &Manifest,
    ) -> Result<(), Failure> {
        let expiry = Expiry::new(self.installation.clone());
        let leased = expiry.lease_restore(&manifest.database_id, backup, &job.id);
        leased.await.map_err(|error| {
            let kind = match error {
                dilux_core::Error::Refused(_) => FailureKind::Configuration,
                _ => FailureKind::Storage,
            };
            Failure::new(kind, error.to_string())
        })
    }

    /// The target server, with the source's own credentials where it is the same server.
    pub(crate) async fn restore_target(
        &self,
        engine: &EngineId,
        manifest: &Manifest,
    ) -> Result<Target, Failure> {
        // The source may have moved since.
        if *engine == manifest.engine_id
            && let Some(subject) = self.subject(&manifest.database_id).await?
            && subject.engine.id == *engine
        {
            return self.target(&subject).await;
        }
        let engine = self.engine(engine).await?;
        if engine.engine_type != manifest.engine_type {
            return Err(Failure::new(
                FailureKind::Configuration,
                format!(
                    "the backup is of type {}, but the engine '{}' is of type {}",
                    manifest.engine_type, engine.name, engine.engine_type
                ),
            ));
        }
        self.engine_target(&engine).await
    }

    async fn compare(
        &self,
        driver: &dyn Driver,
        manifest: &Manifest,
        work: &RestoreWork,
    ) -> Result<Comparison, Failure> {
        let Some(subject) = self.subject(&manifest.database_id).await? else {
            return Err(Failure::new(
                FailureKind::Configuration,
                "the restore is complete, but its source is registered no more, so nothing can be compared",
            ));
        };
        let source_target = self.target(&subject).await?;
        let source = driver
            .fingerprint(&source_target, &manifest.database_name)
            .await?;
        // Whatever opened it at the start may have expired.
        let target = self.restore_target(&work.target_engine, manifest).await?;
        let copy = driver.fingerprint(&target, &work.target_database).await?;
        let mut differences = source.differences(&copy);
        differences.truncate(MOST_DIFFERENCES);
        Ok(Comparison {
            tables: source.tables.len() as u64,
            rows: source.total_rows(),
            differences,
        })
    }
}

/// An earlier attempt that was interrupted may have left the target behind, and nobody can tell it
/// from a database that somebody needs.
fn explain(job: &Job, work: &RestoreWork, failure: Failure) -> Failure {
    if failure.kind != FailureKind::TargetExists || job.epoch == 1 {
        return failure;
    }
    Failure::new(
        FailureKind::TargetExists,
        format!(
            "an earlier attempt of this restore was interrupted and may have left '{}' half \
             restored; drop it, or restore under another name",
            work.target_database
        ),
    )
}
