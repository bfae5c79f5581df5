//! A backup job: dump, stage, commit the data, publish the manifest, keep the books.

use bytes::Bytes;
use dilux_core::crash;
use dilux_core::model::{
    AttemptEnd, AuditAction, BackupWork, Job, JobState, Manifest, RetryRule, Stage, StoredData,
    Work,
};
use dilux_core::random::hex_text;
use dilux_core::schedule::Timeliness;
use dilux_core::storage::{BlobName, ContainerName, PutCondition, PutOptions, StorageErrorKind};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::RunningDump;
use dilux_pipeline::Destination;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Processor;
use crate::bookkeeping::storage_failure;
use crate::claim::{Claim, ClaimError};
use crate::keeper::Activity;
use crate::subject::Subject;

/// Largest manifest that is read; ours are a few KiB.
const MANIFEST_LIMIT: u64 = 1 << 20;

/// What is known of a dump besides its bytes.
struct Origin {
    subject: Subject,
    dump: RunningDumpFacts,
    started_at: Timestamp,
    warnings: String,
}

struct RunningDumpFacts {
    server: dilux_core::model::ServerIdentity,
    tool: dilux_core::model::ToolIdentity,
    traits: dilux_core::model::DatabaseTraits,
    notes: Vec<String>,
}

impl Processor {
    pub(crate) async fn back_up(
        &self,
        claim: &Claim,
        job: &Job,
        work: &BackupWork,
        activity: &Activity,
    ) -> Result<(), Failure> {
        activity.enter(Stage::Preparing);
        if job.epoch > 1
            && let Some(manifest) = self
                .manifest(job.id.as_str(), &Manifest::blob_name(&job.id))
                .await?
        {
            tracing::info!("an earlier attempt had committed; only the books are finished");
            return self.record_success(claim, &manifest).await;
        }
        refuse_endless(job, self.installation.settings.worker.retry)?;
        let Some(subject) = self.subject(&job.database_id).await? else {
            return self.miss(claim, "the database is registered no more").await;
        };
        if work.needs_enabled && !subject.database.enabled {
            return self
                .miss(claim, "the database was disabled before its backup began")
                .await;
        }
        match self
            .timeliness(job, &subject.database, &subject.engine)
            .await
        {
            Ok(Timeliness::Timely) => {}
            Ok(Timeliness::Wait(end)) => return self.give_back_until(claim, end).await,
            Ok(Timeliness::TooLate(reason)) => return self.miss(claim, &reason).await,
            Err(error) => return Err(storage_failure("the policy could not be read", &error)),
        }
        self.record_start(job, &subject).await?;
        crash::point("after-history-started");
        let (data, origin) = self.move_bytes(claim, job, subject, activity).await?;
        let manifest = self.describe(job, claim, origin, data);
        let manifest = self.publish(manifest).await?;
        crash::point("after-manifest");
        self.record_success(claim, &manifest).await
    }

    /// Runs the dump into committed data. The claim is proved once more before anything becomes
    /// visible.
    async fn move_bytes(
        &self,
        claim: &Claim,
        job: &Job,
        subject: Subject,
        activity: &Activity,
    ) -> Result<(StoredData, Origin), Failure> {
        let driver = self.drivers.for_engine(subject.engine.engine_type)?;
        let target = self.target(&subject).await?;
        let started_at = self.installation.clock.now();
        let dump = driver.dump(&target, &subject.database.database_name);
        let dump = activity.unless_stopped(dump).await?;
        crash::point("after-dump-started");
        let RunningDump {
            source,
            server,
            tool,
            traits,
            notes,
        } = dump;
        let facts = RunningDumpFacts {
            server,
            tool,
            traits,
            notes,
        };
        let destination = self.destination(job, &subject, started_at)?;
        self.prepare_container(&subject, &destination).await?;
        activity.enter(Stage::Dumping);
        let staged = self
            .pipeline
            .store(source, destination, &activity.control)
            .await?;
        crash::point("after-staging");
        activity.enter(Stage::Committing);
        if let Err(error) = claim.renew(|job| job.progress = activity.progress()).await {
            self.pipeline.discard(staged).await;
            return Err(error.into());
        }
        let (data, proof) = self.pipeline.commit(staged).await?;
        crash::point("after-data-commit");
        let origin = Origin {
            subject,
            dump: facts,
            started_at,
            warnings: proof.evidence().warnings.clone(),
        };
        Ok((data, origin))
    }

    fn destination(
        &self,
        job: &Job,
        subject: &Subject,
        started_at: Timestamp,
    ) -> Result<Destination, Failure> {
        let compression = subject.database.compression;
        let format = compression.sql_format();
        let time = started_at.to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H%M%S");
        let name = format!(
            "{}/{}/{time}-{}-{}.{format}",
            subject.engine.engine_type,
            subject.database.id,
            job.epoch,
            hex_text(&*self.installation.random, 8),
        );
        let blob = BlobName::new(name)
            .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        let container = match &subject.database.destination {
            None => self.installation.settings.container.clone(),
            Some(chosen) => ContainerName::new(chosen.as_str())
                .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?,
        };
        Ok(Destination {
            container,
            blob,
            epoch: job.epoch,
            compression,
            format: format.to_owned(),
        })
    }

    /// A container of the database's own may not be there yet.
    async fn prepare_container(
        &self,
        subject: &Subject,
        destination: &Destination,
    ) -> Result<(), Failure> {
        if subject.database.destination.is_none() {
            return Ok(());
        }
        let blobs = &self.installation.storage.blobs;
        let created = blobs.create_container(&destination.container).await;
        created.map_err(|error| storage_failure("the container could not be made", &error))
    }

    fn describe(&self, job: &Job, claim: &Claim, origin: Origin, data: StoredData) -> Manifest {
        let Origin {
            subject,
            dump,
            started_at,
            warnings,
        } = origin;
        let (tiers, slot) = match &job.work {
            Work::Backup(work) => (work.tiers.clone(), work.slot),
            Work::Restore(_) | Work::Verify(_) => (Vec::new(), None),
        };
        Manifest {
            schema: Manifest::SCHEMA,
            job_id: job.id.clone(),
            job_created_at: job.created_at,
            epoch: claim.epoch(),
            worker: self.worker.to_string(),
            database_id: subject.database.id,
            database_label: subject.database.label,
            database_name: subject.database.database_name,
            engine_id: subject.engine.id,
            engine_type: subject.engine.engine_type,
            server: dump.server,
            tool: dump.tool,
            traits: dump.traits,
            tiers,
            slot,
            trigger: job.trigger,
            started_at,
            committed_at: self.installation.clock.now(),
            data,
            notes: dump.notes,
            warnings,
            unknown: std::collections::BTreeMap::new(),
        }
    }

    /// Writes the manifest create-only: the commit point. When another attempt was first, its
    /// manifest counts and our data goes.
    async fn publish(&self, manifest: Manifest) -> Result<Manifest, Failure> {
        let name = Manifest::blob_name(&manifest.job_id);
        let blob = blob_name(&name)?;
        let json = manifest
            .to_json()
            .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        let options = PutOptions {
            condition: PutCondition::Absent,
            content_type: Some("application/json".to_owned()),
            ..PutOptions::default()
        };
        let container = &self.installation.settings.container;
        let put = self
            .installation
            .storage
            .blobs
            .put(container, &blob, Bytes::from(json), options)
            .await;
        match put {
            Ok(_) => Ok(manifest),
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => {
                let found = self.manifest(manifest.job_id.as_str(), &name).await?;
                let found = found.ok_or_else(|| {
                    storage_failure("the manifest could not be read back", &error)
                })?;
                if found.data.blob != manifest.data.blob {
                    self.drop_data(&manifest.data).await;
                }
                Ok(found)
            }
            Err(error) => Err(storage_failure("the manifest could not be written", &error)),
        }
    }

    async fn drop_data(&self, data: &StoredData) {
        tracing::info!(blob = %data.blob, "another attempt committed first; dropping our data");
        let (Ok(blob), Ok(container)) = (
            BlobName::new(data.blob.as_str()),
            ContainerName::new(data.container.as_str()),
        ) else {
            return;
        };
        if let Err(error) = self
            .installation
            .storage
            .blobs
            .delete(&container, &blob, None)
            .await
        {
            tracing::warn!(%error, "data without manifest stays behind");
        }
    }

    /// Reads a manifest; `None` when there is none.
    pub(crate) async fn manifest(
        &self,
        job: &str,
        name: &str,
    ) -> Result<Option<Manifest>, Failure> {
        let blob = blob_name(name)?;
        let container = &self.installation.settings.container;
        let blobs = &self.installation.storage.blobs;
        let unreadable = |error| storage_failure("the manifest could not be read", &error);
        let Some(found) = blobs
            .properties(container, &blob)
            .await
            .map_err(unreadable)?
        else {
            return Ok(None);
        };
        let size = found.size.min(MANIFEST_LIMIT);
        let bytes = blobs
            .read(container, &blob, 0..size, Some(&found.etag))
            .await
            .map_err(unreadable)?;
        Manifest::from_json(&bytes).map(Some).map_err(|error| {
            Failure::new(FailureKind::Integrity, format!("backup '{job}': {error}"))
        })
    }

    /// Whether a job that is about to be given up has a backup after all, of an earlier attempt
    /// that outlived its lease and committed meanwhile; then its books are finished.
    pub(crate) async fn finish_committed(
        &self,
        claim: &Claim,
        given_up: &Job,
    ) -> Result<bool, Failure> {
        let is_failed = matches!(given_up.state, JobState::Failed { .. });
        if !is_failed || given_up.epoch == 1 || !matches!(given_up.work, Work::Backup(_)) {
            return Ok(false);
        }
        let name = Manifest::blob_name(&given_up.id);
        match self.manifest(given_up.id.as_str(), &name).await {
            Ok(Some(manifest)) => self.record_success(claim, &manifest).await.map(|()| true),
            Err(failure) if failure.kind == FailureKind::Storage => Err(failure),
            // A manifest that nobody can read is no backup either.
            Ok(None) | Err(_) => Ok(false),
        }
    }

    pub(crate) async fn miss(&self, claim: &Claim, reason: &str) -> Result<(), Failure> {
        tracing::warn!(reason, "job will not run");
        let now = self.installation.clock.now();
        let miss = |job: Job| job.miss(now, reason.to_owned());
        let failure = Failure::new(FailureKind::Missed, reason);
        let missed = miss(claim.job().await).map_err(ClaimError::from)?;
        self.record_missed(&missed, &failure).await?;
        let job = claim.change(miss).await?;
        crash::point("after-miss");
        self.note_schedule(&job).await;
        self.audit(&job, AuditAction::BackupMissed, Some(&failure))
            .await;
        Ok(())
    }
}

fn blob_name(name: &str) -> Result<BlobName, Failure> {
    BlobName::new(name).map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))
}

/// A job whose workers keep dying must not go on for ever, and one that may make fewer attempts than
/// the setting allows must not make more by dying.
pub(crate) fn refuse_endless(job: &Job, setting: RetryRule) -> Result<(), Failure> {
    let rule = job.work.retry_rule(setting);
    if job.attempts < rule.attempts {
        return Ok(());
    }
    let lost = job
        .log
        .iter()
        .filter(|attempt| attempt.end == Some(AttemptEnd::Lost));
    Err(Failure::new(
        FailureKind::WorkerLost,
        format!(
            "all {} attempts at this job are used up, and its worker died in {} of them; look for \
             a memory limit or a crash in the worker's log",
            job.attempts,
            lost.count()
        ),
    ))
}
