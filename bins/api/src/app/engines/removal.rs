//! Removing an engine with its databases: previewed, noted before the first step, and finished
//! after a crash by the next start or the same call. Backups stay, unless they are to go too.

use dilux_core::custody::SecretOwner;
use dilux_core::model::{
    AuditAction, AuditResourceType, DatabaseId, Engine, EngineId, Job, Removal, Work,
};
use dilux_core::repository::Versioned;
use dilux_core::secret::SecretName;
use dilux_core::{Error, Result, crash};
use serde_json::json;

use crate::app::audit::Event;
use crate::app::databases::DatabaseView;
use crate::app::deletions::BackupsDeleted;
use crate::app::{Application, RACES, is_lost_race, too_many_races, write_error};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::permission::Permission;
use crate::wire::engine::EngineRemoval;

/// What the removal of an engine would take with it.
#[derive(Debug)]
pub(crate) struct RemovalPreview {
    /// The engine.
    pub(crate) engine: Engine,
    /// Its databases, by label.
    pub(crate) databases: Vec<DatabaseView>,
    /// Jobs that would be cancelled.
    pub(crate) jobs: Vec<Job>,
    /// Their backups, which stay unless they are to go too.
    pub(crate) backup_count: u64,
    /// Stored bytes of those.
    pub(crate) backup_bytes: u64,
}

/// What a removal took with it.
#[derive(Debug, Default)]
pub(crate) struct EngineRemoved {
    /// Databases.
    pub(crate) databases: usize,
    /// Their backups, where those were to go too: those that this call deleted.
    pub(crate) backups: BackupsDeleted,
}

impl Application {
    /// What [`Self::delete_engine`] would do.
    pub(crate) async fn preview_removal(&self, id: &EngineId) -> Result<RemovalPreview> {
        let engine = self.engine(id).await?.value;
        let mut databases: Vec<DatabaseView> = self
            .databases_of(id)
            .await?
            .into_iter()
            .map(|database| DatabaseView {
                database,
                engine: engine.clone(),
            })
            .collect();
        databases.sort_by_cached_key(|view| view.database.value.label.as_str().to_lowercase());
        let ids: Vec<DatabaseId> = ids(&databases);
        let (mut backup_count, mut backup_bytes) = (0, 0);
        for id in &ids {
            let (count, bytes) = self.measure_backups(id).await?;
            backup_count += count;
            backup_bytes += bytes;
        }
        Ok(RemovalPreview {
            jobs: self.jobs_on(id, &ids).await?,
            backup_count,
            backup_bytes,
            engine,
            databases,
        })
    }

    /// Removes an engine with its password, and its databases where that is asked for; jobs that
    /// wait or run are cancelled. Backups stay, unless they are to go too. When it is interrupted,
    /// the same call, or the next start of the API, finishes it.
    pub(crate) async fn delete_engine(
        &self,
        id: &EngineId,
        removal: &EngineRemoval,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<EngineRemoved> {
        if removal.delete_backups {
            caller.require(Permission::DeleteData)?;
        }
        if let Some(removed) = self.resume_removal(id).await? {
            return Ok(removed);
        }
        crash::point("before-removal");
        let turn = self.registration.take().await?;
        let removals = &self.installation.repositories.removals;
        let engine = self.engine(id).await?;
        if_match.check(&engine.version)?;
        let databases = self.databases_of(id).await?;
        require_removable(databases.len(), removal)?;
        let engine = engine.value;
        let record = Removal {
            engine_id: engine.id,
            name: engine.name,
            engine_type: engine.engine_type,
            host: engine.host,
            port: engine.port,
            secret: engine.secret,
            total: u32::try_from(databases.len()).unwrap_or(u32::MAX),
            databases: databases.into_iter().map(|row| row.value.id).collect(),
            deletes_backups: removal.delete_backups,
            user_id: caller.user_id.clone(),
            user_email: caller.user_email.clone(),
            at: self.installation.clock.now(),
        };
        turn.require()?;
        removals.insert(record).await.map_err(write_error)?;
        // Nothing is registered on it from here on, so others need not wait until all is gone.
        turn.end().await;
        crash::point("after-removal-noted");
        let removed = self.resume_removal(id).await?;
        removed.ok_or_else(|| Error::Conflict("it was removed by somebody else".to_owned()))
    }

    /// Finishes every removal that was interrupted. Called at the start of the API.
    pub(crate) async fn finish_removals(&self) -> Result<usize> {
        let begun = self.installation.repositories.removals.list().await?.items;
        let count = begun.len();
        for removal in begun {
            let id = &removal.value.engine_id;
            tracing::warn!(engine.id = %id, "removal was interrupted; finishing it");
            self.resume_removal(id).await?;
        }
        Ok(count)
    }

    /// Fails while the engine is being removed, which nothing may be registered on any more. The
    /// caller has the turn at registering.
    pub(in crate::app) async fn require_staying(&self, id: &EngineId) -> Result<()> {
        match self.installation.repositories.removals.get(id).await? {
            None => Ok(()),
            Some(removal) => Err(being_removed(&removal.value)),
        }
    }

    /// Fails while any engine is being removed.
    pub(in crate::app) async fn require_no_removal(&self) -> Result<()> {
        let removals = self.installation.repositories.removals.list().await?.items;
        match removals.first() {
            None => Ok(()),
            Some(removal) => Err(being_removed(&removal.value)),
        }
    }

    /// Carries on a removal that was noted; `None` when there is none.
    async fn resume_removal(&self, id: &EngineId) -> Result<Option<EngineRemoved>> {
        let _alone = self.removing.lock().await;
        match self.installation.repositories.removals.get(id).await? {
            None => Ok(None),
            Some(begun) => self.finish_removal(begun).await.map(Some),
        }
    }

    /// Each step finds what an earlier try has done already. The record shrinks with the databases
    /// and goes last.
    async fn finish_removal(&self, mut removal: Versioned<Removal>) -> Result<EngineRemoved> {
        let mut backups = BackupsDeleted::default();
        let removals = &self.installation.repositories.removals;
        let caller = Caller::admin(
            removal.value.user_id.clone(),
            removal.value.user_email.clone(),
        );
        let id = removal.value.engine_id.clone();
        let jobs = self.jobs_on(&id, &removal.value.databases).await?;
        for job in jobs {
            self.cancel_unless_over(&job, &caller).await?;
        }
        crash::point("after-removal-jobs-cancelled");
        while let Some(database) = removal.value.databases.last() {
            if removal.value.deletes_backups {
                backups.add(self.delete_backups_of(database, &caller).await?);
            }
            self.remove_registered(database, &caller).await?;
            crash::point("after-removal-database");
            let mut rest = removal.value.clone();
            rest.databases.pop();
            removal = removals
                .replace(rest, &removal.version)
                .await
                .map_err(write_error)?;
        }
        self.remove_engine_row(&id, removal.value.secret.as_ref())
            .await?;
        crash::point("after-removal-engine");
        self.record(&caller, removed(&removal.value)).await;
        crash::point("after-removal-audit");
        removals
            .delete(&id, &removal.version)
            .await
            .map_err(write_error)?;
        Ok(EngineRemoved {
            databases: usize::try_from(removal.value.total).unwrap_or(usize::MAX),
            backups,
        })
    }

    async fn remove_registered(&self, id: &DatabaseId, caller: &Caller) -> Result<()> {
        let databases = &self.installation.repositories.databases;
        for _ in 0..RACES {
            let Some(database) = databases.get(id).await? else {
                return Ok(());
            };
            match self.remove_database(database, caller).await {
                Err(Error::Conflict(_)) => {}
                outcome => return outcome,
            }
        }
        too_many_races()
    }

    /// Removes the row with the secret that it names, which a change may have put in the place of
    /// `noted` since the removal began.
    async fn remove_engine_row(&self, id: &EngineId, noted: Option<&SecretName>) -> Result<()> {
        let engines = &self.installation.repositories.engines;
        let custody = self.installation.custody();
        for _ in 0..RACES {
            let owner = SecretOwner::Engine(id.clone());
            let Some(engine) = engines.get(id).await? else {
                // Gone in an earlier try, which may have left its secret.
                let exchange = custody.removal(owner, noted).await?;
                return Ok(custody.end(exchange, Ok(())).await?);
            };
            let secret = engine.value.secret.as_ref();
            let exchange = custody.removal(owner, secret).await?;
            let deleted = engines.delete(id, &engine.version).await;
            match custody.end(exchange, deleted).await {
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(()),
            }
        }
        too_many_races()
    }

    /// Jobs that are not over and back up one of these databases, or restore onto the engine, also
    /// for a verification.
    async fn jobs_on(&self, engine: &EngineId, databases: &[DatabaseId]) -> Result<Vec<Job>> {
        let now = self.installation.clock.now();
        let active = self.installation.repositories.jobs.active(now).await?;
        let on_it = active
            .into_iter()
            .map(|job| job.value)
            .filter(|job| match &job.work {
                Work::Backup(_) => databases.contains(&job.database_id),
                Work::Restore(work) => work.target_engine == *engine,
                Work::Verify(work) => work.rehearse_on.as_ref() == Some(engine),
            });
        Ok(on_it.collect())
    }

    async fn cancel_unless_over(&self, job: &Job, caller: &Caller) -> Result<()> {
        match self.cancel_job(&job.id, &IfMatch::Absent, caller).await {
            // It ended by itself in the meantime.
            Ok(_) | Err(Error::WrongState(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn ids(databases: &[DatabaseView]) -> Vec<DatabaseId> {
    databases
        .iter()
        .map(|view| view.database.value.id.clone())
        .collect()
}

fn being_removed(removal: &Removal) -> Error {
    Error::Refused(format!(
        "engine '{}' is being removed; wait for that, or finish it by DELETE /api/engines/{}",
        removal.name, removal.engine_id
    ))
}

fn removed(removal: &Removal) -> Event {
    Event {
        action: AuditAction::Delete,
        resource_type: AuditResourceType::Engine,
        resource_id: removal.engine_id.to_string(),
        resource_name: removal.name.to_string(),
        details: json!({
            "engine_id": removal.engine_id.as_str(),
            "engine_type": removal.engine_type.as_str(),
            "host": removal.host.as_str(),
            "port": removal.port.get(),
            "cascade_databases": removal.total > 0,
            "cascade_backups": removal.deletes_backups,
            "databases_deleted": removal.total,
        }),
        failure: None,
    }
}

/// Databases go only when that is asked for.
fn require_removable(databases: usize, removal: &EngineRemoval) -> Result<()> {
    if databases == 0 {
        Ok(())
    } else if !removal.delete_databases {
        Err(Error::Refused(format!(
            "Cannot delete engine with {databases} associated database(s). Delete databases first \
             or use delete_databases=true."
        )))
    } else {
        Ok(())
    }
}
