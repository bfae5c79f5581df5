//! Asking for a restore into a new database.

use dilux_core::model::{
    AuditAction, Backup, BackupId, BackupStatus, DatabaseName, Engine, EngineId, EngineType,
    Manifest, RestoreWork, Work,
};
use dilux_core::{Error, Result};
use jiff::tz::TimeZone;
use serde_json::json;

use super::jobs::{Started, job_event};
use super::{Application, refuse};
use crate::caller::Caller;
use crate::wire::backup::RestoreWish;

/// Longest database name in bytes that PostgreSQL keeps whole, and in characters that MySQL takes.
const POSTGRESQL_NAME_BYTES: usize = 63;
const MYSQL_NAME_CHARACTERS: usize = 64;

impl Application {
    /// Books a job that restores a backup. The same `key` gives the same job.
    pub(crate) async fn restore(
        &self,
        id: &BackupId,
        wish: RestoreWish,
        key: Option<&str>,
        caller: &Caller,
    ) -> Result<(Started, RestoreWork)> {
        let backup = self.backup(id).await?;
        let manifest = self.restorable(&backup).await?;
        let engine = self.target_engine(&wish, &manifest).await?;
        let target_database = self.target_database(&wish, &manifest, &engine).await?;
        let work = RestoreWork {
            backup_id: backup.id.clone(),
            target_engine: engine.id.clone(),
            target_database,
            compare_with_source: wish.compare_with_source,
        };
        let job_id = self.job_id_for("restore", &backup.database_id, key);
        self.expiry()
            .lease_restore(&backup.database_id, &backup.id, &job_id)
            .await?;
        let job = self.new_job(job_id, backup.job_owner(), Work::Restore(work));
        let started = Started::from(self.installation.dispatcher.dispatch(job).await?);
        let booked = booked_work(&started, &wish, &backup.id)?;
        if started.is_new {
            let details = json!({
                "backup_id": backup.id.as_str(),
                "database_id": backup.database_id.as_str(),
                "target_engine": booked.target_engine.as_str(),
                "target_database": booked.target_database.as_str(),
            });
            let event = job_event(AuditAction::RestoreTriggered, &started.job, details);
            self.record(caller, event).await;
        }
        Ok((started, booked))
    }

    /// The manifest of a backup that can be restored: without one there is no backup.
    async fn restorable(&self, backup: &Backup) -> Result<Manifest> {
        if backup.status != BackupStatus::Completed {
            return Err(Error::Refused(format!(
                "only completed backups can be restored; the status of this one is '{}'",
                backup.status
            )));
        }
        let manifest = self.manifest(&backup.job_id).await?;
        manifest.ok_or_else(|| {
            Error::Refused(
                "the manifest of this backup is gone, so it cannot be restored".to_owned(),
            )
        })
    }

    async fn target_engine(&self, wish: &RestoreWish, manifest: &Manifest) -> Result<Engine> {
        let id = wish.engine_id.as_ref().unwrap_or(&manifest.engine_id);
        self.restore_engine(id, manifest).await
    }

    /// An engine that a backup can be restored onto.
    pub(super) async fn restore_engine(
        &self,
        id: &EngineId,
        manifest: &Manifest,
    ) -> Result<Engine> {
        let Some(engine) = self.installation.repositories.engines.get(id).await? else {
            let reason = format!("there is no engine '{id}'; name one to restore onto");
            return Err(Error::invalid("engine_id", reason));
        };
        let engine = engine.value;
        if engine.engine_type != manifest.engine_type {
            let reason = format!(
                "is of type {}, but the backup is of type {}",
                engine.engine_type, manifest.engine_type
            );
            return Err(Error::invalid("engine_id", reason));
        }
        let drivers = &self.drivers;
        drivers.for_engine(engine.engine_type).map_err(refuse)?;
        Ok(engine)
    }

    async fn target_database(
        &self,
        wish: &RestoreWish,
        manifest: &Manifest,
        engine: &Engine,
    ) -> Result<DatabaseName> {
        let Some(name) = &wish.target_database else {
            return self.default_name(&manifest.database_name);
        };
        if let Some(reason) = too_long(engine.engine_type, name) {
            return Err(Error::invalid("target_database", reason));
        }
        let registered = self.databases_of(&engine.id).await?;
        if registered
            .iter()
            .any(|database| database.value.database_name == *name)
        {
            return Err(Error::Refused(format!(
                "target_database: a database of this name is registered on engine '{}'; a restore \
                 makes a new one",
                engine.name
            )));
        }
        Ok(name.clone())
    }

    /// `{name}_restored_{YYYYMMDD_HHMMSS}`, the name cut so that the whole fits everywhere.
    fn default_name(&self, name: &DatabaseName) -> Result<DatabaseName> {
        let now = self.installation.clock.now().to_zoned(TimeZone::UTC);
        let suffix = format!("_restored_{}", now.strftime("%Y%m%d_%H%M%S"));
        let room = POSTGRESQL_NAME_BYTES - suffix.len();
        let mut end = name.as_str().len().min(room);
        while !name.as_str().is_char_boundary(end) {
            end -= 1;
        }
        format!("{}{suffix}", &name.as_str()[..end])
            .parse()
            .map_err(|error| Error::internal("name the restored database", error))
    }
}

fn too_long(engine_type: EngineType, name: &DatabaseName) -> Option<String> {
    match engine_type {
        EngineType::PostgreSql if name.as_str().len() > POSTGRESQL_NAME_BYTES => Some(format!(
            "must be at most {POSTGRESQL_NAME_BYTES} bytes long"
        )),
        EngineType::MySql if name.as_str().chars().count() > MYSQL_NAME_CHARACTERS => Some(
            format!("must be at most {MYSQL_NAME_CHARACTERS} characters long"),
        ),
        _ => None,
    }
}

/// What the job does. One that an earlier request with the same key booked must do what this one
/// asks for.
fn booked_work(started: &Started, wish: &RestoreWish, backup: &BackupId) -> Result<RestoreWork> {
    let Work::Restore(work) = &started.job.work else {
        return Err(other_request());
    };
    let is_same = work.backup_id == *backup
        && work.compare_with_source == wish.compare_with_source
        && wish
            .target_database
            .as_ref()
            .is_none_or(|name| *name == work.target_database)
        && wish
            .engine_id
            .as_ref()
            .is_none_or(|id| *id == work.target_engine);
    if started.is_new || is_same {
        Ok(work.clone())
    } else {
        Err(other_request())
    }
}

fn other_request() -> Error {
    Error::Refused("this Idempotency-Key was used for another restore; use a new one".to_owned())
}
