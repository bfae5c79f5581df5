//! Backups: read single ones, with what people wish about them.

use dilux_core::expiry::Wish;
use dilux_core::model::{
    AuditAction, AuditResourceType, Backup, BackupId, Engine, JobId, Manifest,
};
use dilux_core::repository::{Version, Versioned};
use dilux_core::storage::{BlobName, StorageError};
use dilux_core::{Error, Result};
use serde_json::json;

use super::Application;
use super::audit::Event;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::Tags;
use crate::wire::backup::describe;

/// Largest manifest that is read.
const MANIFEST_LIMIT: u64 = 1024 * 1024;

/// A backup with its engine, while that is registered.
#[derive(Debug)]
pub(crate) struct BackupView {
    /// The backup.
    pub(crate) backup: Backup,
    /// Its engine.
    pub(crate) engine: Option<Engine>,
}

impl Application {
    /// One backup, with its manifest when it has one.
    pub(crate) async fn view_backup(
        &self,
        id: &BackupId,
    ) -> Result<(BackupView, Option<Manifest>)> {
        let backup = self.backup(id).await?;
        let manifest = self.manifest(&backup.job_id).await?;
        Ok((self.with_engine(backup).await?, manifest))
    }

    /// The line of the history of a backup.
    pub(super) async fn backup(&self, id: &BackupId) -> Result<Backup> {
        Ok(self.backup_line(id).await?.value)
    }

    /// The line of the history of a backup, with its version. Its key holds the time of the
    /// booking, which the job knows, and the manifest when the job is gone.
    pub(super) async fn backup_line(&self, id: &BackupId) -> Result<Versioned<Backup>> {
        let not_found = || Error::NotFound {
            what: "Backup",
            id: id.to_string(),
        };
        let job_id = id.job().ok_or_else(not_found)?;
        let repositories = &self.installation.repositories;
        let booked_at = if let Some(job) = repositories.jobs.get(&job_id).await? {
            job.value.created_at
        } else {
            let manifest = self.manifest(&job_id).await?;
            manifest.ok_or_else(not_found)?.job_created_at
        };
        let line = repositories.backups.get(&job_id, booked_at).await?;
        line.ok_or_else(not_found)
    }

    /// The version of what people may change about a backup: what is wished about keeping it.
    pub(crate) async fn version_of(&self, backup: &Backup) -> Result<Version> {
        Ok(wishes(self.expiry().version(backup).await?))
    }

    /// Gives a backup labels in place of those that it has.
    pub(crate) async fn label_backup(
        &self,
        id: &BackupId,
        labels: &Tags,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<(BackupView, Version)> {
        let backup = self.backup(id).await?;
        let accepts = |version: Option<&Version>| if_match.check(&wishes(version.cloned()));
        let (expiry, wish) = (self.expiry(), Wish::Label(labels.0.clone()));
        let labelled = expiry.wish_if(&backup, wish, accepts).await?;
        let (labelled, version) = labelled;
        let event = Event {
            action: AuditAction::BackupLabelled,
            resource_type: AuditResourceType::Backup,
            resource_id: labelled.id.to_string(),
            resource_name: describe(&labelled),
            details: json!({
                "database_id": labelled.database_id.as_str(),
                "changes": {"labels": {"from": backup.marks.labels, "to": labels.0}},
            }),
            failure: None,
        };
        self.record(caller, event).await;
        Ok((self.with_engine(labelled).await?, wishes(version)))
    }

    /// A backup with its engine, while that is registered.
    pub(super) async fn with_engine(&self, backup: Backup) -> Result<BackupView> {
        let engine = match &backup.engine_id {
            None => None,
            Some(id) => self.installation.repositories.engines.get(id).await?,
        };
        Ok(BackupView {
            backup,
            engine: engine.map(|engine| engine.value),
        })
    }

    /// The manifest of a job.
    pub(super) async fn manifest(&self, job: &JobId) -> Result<Option<Manifest>> {
        let (blobs, container) = (
            &self.installation.storage.blobs,
            &self.installation.settings.container,
        );
        let name = BlobName::new(Manifest::blob_name(job))?;
        let Some(properties) = blobs.properties(container, &name).await? else {
            return Ok(None);
        };
        if properties.size > MANIFEST_LIMIT {
            return Err(Error::Internal {
                message: format!("the manifest of job '{job}' is too large to be one"),
                source: None,
            });
        }
        let version = Some(&properties.etag);
        let bytes = blobs
            .read(container, &name, 0..properties.size, version)
            .await
            .map_err(|error: StorageError| Error::from(error))?;
        Manifest::from_json(&bytes)
            .map(Some)
            .map_err(|error| Error::internal(format!("read the manifest of job '{job}'"), error))
    }
}

/// The version of a backup by that of its wishes.
pub(super) fn wishes(version: Option<Version>) -> Version {
    version.unwrap_or_else(|| Version::new("no wishes"))
}
