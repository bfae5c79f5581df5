//! From a verdict to a deletion: announce it, wait for the grace period, take the state by
//! compare-and-swap, then manifest, data, history, audit. The manifest goes first: what is left
//! after a crash is data without manifest, which is no backup.

use std::collections::HashMap;

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::findings::shown;
use super::holdings::Holding;
use super::run::Run;
use super::{ACTOR, Expiry, is_lost_race, refused_by};
use crate::crash;
use crate::error::{Error, Result};
use crate::model::{
    AuditAction, AuditEntry, AuditResourceType, AuditStatus, Backup, Deletion, Fate, JobId,
    Manifest, RetentionState, Tombstone,
};
use crate::repository::Versioned;
use crate::retention::{ExpireReason, Verdict};
use crate::storage::{BlobName, ContainerName, StorageError, StorageErrorKind, StorageResult};

impl Expiry {
    /// Does what the verdict on a backup says.
    pub(super) async fn carry_out(
        &self,
        run: &mut Run,
        holding: &mut Holding,
        verdict: &Verdict,
    ) -> Result<()> {
        match (verdict, &holding.state.fate) {
            (Verdict::Keep(_), Fate::Tombstoned(_)) => {
                if let Ok(state) = holding.state.clone().withdraw()
                    && self.write_state(holding, state).await?
                {
                    run.report.withdrawn += 1;
                    tracing::info!(backup.id = %holding.id, "its deletion is taken back: the rules keep it again");
                }
            }
            (Verdict::Keep(_), _) => run.report.kept += 1,
            (Verdict::Expire(reason), Fate::Kept) => {
                self.announce(run, holding, reason).await?;
                self.delete_when_due(run, holding).await?;
            }
            (Verdict::Expire(_), _) => self.delete_when_due(run, holding).await?,
        }
        Ok(())
    }

    async fn announce(
        &self,
        run: &mut Run,
        holding: &mut Holding,
        reason: &ExpireReason,
    ) -> Result<()> {
        let days = i64::from(self.installation.settings.retention.grace_days);
        let grace = SignedDuration::from_hours(24 * days);
        let tombstone = Tombstone {
            set_at: run.now,
            deletes_after: run.now.saturating_add(grace).unwrap_or(run.now),
            reason: reason.as_str().to_owned(),
            sentence: reason.to_string(),
        };
        let deletes_after = tombstone.deletes_after;
        if let Ok(state) = holding.state.clone().bury(tombstone)
            && self.write_state(holding, state).await?
        {
            crash::point("after-tombstone");
            run.report.tombstoned += 1;
            tracing::info!(backup.id = %holding.id, database = %holding.manifest.database_label, %reason, %deletes_after, "backup has expired");
        }
        Ok(())
    }

    pub(super) async fn delete_when_due(&self, run: &mut Run, holding: &mut Holding) -> Result<()> {
        let Fate::Tombstoned(tombstone) = &holding.state.fate else {
            return Ok(());
        };
        if tombstone.deletes_after > run.now {
            run.report.waiting += 1;
            return Ok(());
        }
        if self.is_budget_used_up(run) {
            return Ok(());
        }
        let deletion = Deletion {
            since: run.now,
            reason: tombstone.reason.clone(),
            sentence: tombstone.sentence.clone(),
            booked_at: holding.manifest.job_created_at,
            container: holding.manifest.data.container.clone(),
            blob: holding.manifest.data.blob.clone(),
        };
        if !self
            .is_over(&holding.manifest.job_id)
            .await?
            .unwrap_or(true)
        {
            run.report.blocked += 1;
            return Ok(());
        }
        let restores = self.restores_of(&holding.state).await?;
        let is_over = |job: &JobId| restores.get(job).copied().flatten();
        let state = match holding.state.clone().begin_deletion(deletion, is_over) {
            Ok(state) => state,
            Err(refusal) => {
                run.report.blocked += 1;
                tracing::info!(backup.id = %holding.id, reason = %refusal, "backup is not deleted yet");
                return Ok(());
            }
        };
        self.ensure_line(&holding.manifest).await?;
        if self.write_state(holding, state).await?
            && let Some(version) = holding.version.clone()
        {
            crash::point("after-deletion-begun");
            let state = holding.state.clone();
            let begun = Versioned {
                value: state,
                version,
            };
            self.finish_deletion(run, begun, Some(&holding.manifest))
                .await?;
            // Its line says so already.
            holding.is_obscure = true;
        }
        Ok(())
    }

    /// Finishes a deletion from wherever it stands, with the manifest as far as it is there. Each
    /// step may be repeated.
    pub(super) async fn finish_deletion(
        &self,
        run: &mut Run,
        begun: Versioned<RetentionState>,
        manifest: Option<&Manifest>,
    ) -> Result<()> {
        let Fate::Deleting(deletion) = begun.value.fate.clone() else {
            return Ok(());
        };
        let Some(job) = begun.value.backup_id.job() else {
            return Ok(());
        };
        match self.delete_both(&job, &deletion).await? {
            Ok(()) => {}
            Err(refusal) => return self.postpone(run, begun, manifest, &refusal).await,
        }
        let backups = &self.installation.repositories.backups;
        if let Some(line) = backups.get(&job, deletion.booked_at).await? {
            let mut line = line.value;
            (line.status, line.marks) = shown(&begun.value);
            backups.put(&line).await?;
            self.follow(&line).await?;
            crash::point("after-history-deleted");
            self.audit_deletion(&line, &deletion).await?;
            crash::point("after-deletion-audited");
            tracing::info!(backup.id = %line.id, database = %line.database_label, reason = %deletion.sentence, "backup is deleted");
        }
        let finished = begun.value.finish_deletion();
        let states = &self.installation.repositories.retention;
        match states.put(finished, Some(&begun.version)).await {
            Ok(_) => run.report.deleted += 1,
            // Another scheduler finished it.
            Err(error) if is_lost_race(&error) => {}
            Err(error) => return Err(error.into()),
        }
        crash::point("after-deletion-finished");
        Ok(())
    }

    /// Deletes manifest and data. The inner error is that the store protects one of them.
    async fn delete_both(
        &self,
        job: &JobId,
        deletion: &Deletion,
    ) -> Result<Result<(), StorageError>> {
        let default = &self.installation.settings.container;
        let manifest = BlobName::new(Manifest::blob_name(job))?;
        let own = ContainerName::new(deletion.container.as_str())?;
        let data = BlobName::new(deletion.blob.as_str())?;
        match self.delete_blob(default, &manifest).await {
            Err(error) if error.kind() == StorageErrorKind::Protected => return Ok(Err(error)),
            deleted => deleted?,
        }
        crash::point("after-manifest-deleted");
        match self.delete_blob(&own, &data).await {
            Err(error) if error.kind() == StorageErrorKind::Protected => return Ok(Err(error)),
            deleted => deleted.map_err(|error| refused_by(&own, default, error))?,
        }
        crash::point("after-data-deleted");
        Ok(Ok(()))
    }

    /// Whether a backup that is due has to wait for the next run; counts it then.
    pub(super) fn is_budget_used_up(&self, run: &mut Run) -> bool {
        let budget = u64::from(self.installation.settings.retention.delete_budget);
        let is_used_up = run.report.deleted >= budget;
        run.report.over_budget += u64::from(is_used_up);
        is_used_up
    }

    async fn delete_blob(&self, container: &ContainerName, name: &BlobName) -> StorageResult<()> {
        let blobs = &self.installation.storage.blobs;
        match blobs.delete(container, name, None).await {
            Err(error) if error.kind() != StorageErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The history keeps a line of everything that is deleted.
    async fn ensure_line(&self, manifest: &Manifest) -> Result<()> {
        let backups = &self.installation.repositories.backups;
        let found = backups
            .get(&manifest.job_id, manifest.job_created_at)
            .await?;
        if found.is_none() {
            backups.put(&Backup::of_manifest(manifest)).await?;
        }
        Ok(())
    }

    /// Whether a job is over; `None` when there is none.
    pub(super) async fn is_over(&self, job: &JobId) -> Result<Option<bool>> {
        let found = self.installation.repositories.jobs.get(job).await?;
        Ok(found.map(|job| job.value.is_terminal()))
    }

    pub(super) async fn restores_of(
        &self,
        state: &RetentionState,
    ) -> Result<HashMap<JobId, Option<bool>>> {
        let mut found = HashMap::new();
        for lease in &state.restores {
            found.insert(lease.job.clone(), self.is_over(&lease.job).await?);
        }
        Ok(found)
    }

    /// Written again after a crash, it is the same entry: its id and time follow from the deletion.
    async fn audit_deletion(&self, line: &Backup, deletion: &Deletion) -> Result<()> {
        let hash = Sha256::digest(format!("deleted|{}", line.id));
        let id = data_encoding::HEXLOWER.encode(&hash);
        let id = id
            .parse()
            .map_err(|error| Error::internal("name an audit entry", error))?;
        let details = serde_json::json!({
            "database_id": line.database_id.as_str(),
            "database_type": line.engine_type.as_str(),
            "reason": deletion.reason,
            "sentence": deletion.sentence,
            "container": deletion.container,
            "blob_name": deletion.blob,
            "file_size_bytes": line.stored_bytes,
            "taken_at": line.started_at.map(|at| at.to_string()),
        });
        let entry = AuditEntry {
            id,
            at: deletion.since,
            user_id: "system".to_owned(),
            user_email: ACTOR.to_owned(),
            action: AuditAction::BackupDeletedRetention,
            resource_type: AuditResourceType::Backup,
            resource_id: line.id.to_string(),
            resource_name: line.database_label.to_string(),
            details: details.as_object().cloned().unwrap_or_default(),
            status: AuditStatus::Success,
            error_message: None,
            ip_address: None,
            intent_id: None,
        };
        Ok(self.installation.repositories.audit.append(&entry).await?)
    }
}
