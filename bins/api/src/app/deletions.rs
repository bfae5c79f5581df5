//! Deleting backups: data and line together, after the grace period of retention, by id or by the
//! name of their blob; one or many.

use std::collections::{BTreeMap, HashMap};

use dilux_core::model::{
    AuditAction, AuditResourceType, Backup, BackupId, BackupStatus, DatabaseId, EngineId, Mark,
};
use dilux_core::repository::Versioned;
use dilux_core::{Error, Result};
use serde_json::{Value, json};

use super::audit::Event;
use super::{Application, write_error};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::wire::backup::{BulkDeletion, describe};

/// What became of a wish to delete a backup.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// It goes when its time has come; the line says when.
    Announced(Box<Backup>),
    /// It had no data; its line is gone.
    LineRemoved(BackupId),
}

/// What became of a wish to delete several.
#[derive(Debug, Default)]
pub(crate) struct BulkOutcome {
    /// Those that go, as they were named.
    pub(crate) deleted: Vec<String>,
    /// Names that no backup has.
    pub(crate) not_found: Vec<String>,
    /// Those that stay, and why.
    pub(crate) errors: Vec<(String, String)>,
}

/// What became of the backups of a database that is removed with them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BackupsDeleted {
    /// Those that go when their grace period is over.
    pub(crate) files: usize,
    /// Those that stay, each with the reason.
    pub(crate) errors: Vec<String>,
}

impl BackupsDeleted {
    /// Adds those of another database.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.errors.extend(other.errors);
    }
}

/// The outcome of each wish, by backup.
type Outcomes = HashMap<BackupId, Result<Backup>>;

impl Application {
    /// Deletes a backup: announces it, or removes the line of one that was never made.
    pub(crate) async fn delete_backup(
        &self,
        id: &BackupId,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<Deleted> {
        let line = self.backup_line(id).await?;
        if if_match.is_conditional() {
            if_match.check(&self.version_of(&line.value).await?)?;
        }
        match line.value.status {
            BackupStatus::Completed | BackupStatus::Damaged => {
                let gone = self.delete_one(line.value, caller).await?;
                Ok(Deleted::Announced(Box::new(gone)))
            }
            BackupStatus::Failed | BackupStatus::Cancelled | BackupStatus::Missed => {
                self.remove_line(&line, caller).await?;
                Ok(Deleted::LineRemoved(line.value.id))
            }
            BackupStatus::Pending | BackupStatus::InProgress => Err(Error::WrongState(format!(
                "this backup is still being made; cancel its job '{}' first",
                line.value.job_id
            ))),
            BackupStatus::Deleted => Err(Error::WrongState(
                "this backup is deleted already; its line stays in the history".to_owned(),
            )),
        }
    }

    /// Deletes the backup that has this blob.
    pub(crate) async fn delete_by_blob(&self, name: &str, caller: &Caller) -> Result<Backup> {
        let found = self.backup_of_blob(name).await?;
        let present = found.filter(|backup| backup.status != BackupStatus::Deleted);
        match present {
            Some(backup) => self.delete_one(backup, caller).await,
            None => Err(Error::NotFound {
                what: "Backup",
                id: name.chars().take(1024).collect(),
            }),
        }
    }

    /// Deletes several. One that stays does not keep the others.
    pub(crate) async fn delete_bulk(
        &self,
        wish: &BulkDeletion,
        caller: &Caller,
    ) -> Result<BulkOutcome> {
        let named = match wish {
            BulkDeletion::Blobs(names) => self.backups_of_blobs(names).await?,
            BulkDeletion::Ids(ids) => self.backups_of_ids(ids).await?,
        };
        let present: Vec<Backup> = named.values().flatten().cloned().collect();
        let outcomes = self.request_deletions(present, caller).await?;
        let mut outcome = BulkOutcome::default();
        for name in wish.names() {
            let backup = named.get(name).and_then(Option::as_ref);
            match backup.map(|backup| outcomes.get(&backup.id)) {
                _ if name.is_empty() => {
                    let reason = "must not be empty".to_owned();
                    outcome.errors.push((String::new(), reason));
                }
                None => outcome.not_found.push(name.to_owned()),
                Some(Some(Err(error))) => {
                    outcome.errors.push((name.to_owned(), error.to_string()));
                }
                Some(_) => outcome.deleted.push(name.to_owned()),
            }
        }
        if !outcome.deleted.is_empty() {
            self.record(caller, bulk_event(&outcome)).await;
        }
        Ok(outcome)
    }

    /// Deletes every backup of a database but the last good one.
    pub(super) async fn delete_backups_of(
        &self,
        database: &DatabaseId,
        caller: &Caller,
    ) -> Result<BackupsDeleted> {
        let lines = self.installation.repositories.backups.standing_of(database);
        let mut backups: Vec<Backup> = lines.await?.items.into_iter().map(|it| it.value).collect();
        // The last one of the list may be refused: that is to be the newest.
        backups.sort_by_key(|backup| backup.started_at);
        let described: Vec<(BackupId, String)> = backups
            .iter()
            .map(|backup| (backup.id.clone(), describe(backup)))
            .collect();
        let outcomes = self.request_deletions(backups, caller).await?;
        let errors: Vec<String> = described
            .iter()
            .filter_map(|(id, name)| match outcomes.get(id) {
                Some(Err(error)) => Some(format!("{name}: {error}")),
                _ => None,
            })
            .collect();
        Ok(BackupsDeleted {
            files: described.len() - errors.len(),
            errors,
        })
    }

    /// How many backups of a database there are, and their stored bytes.
    pub(super) async fn measure_backups(&self, database: &DatabaseId) -> Result<(u64, u64)> {
        let lines = self.installation.repositories.backups.standing_of(database);
        let lines = lines.await?.items;
        let bytes = lines.iter().filter_map(|line| line.value.stored_bytes);
        Ok((lines.len() as u64, bytes.sum()))
    }

    /// The backups that have these blobs; `None` for a name that none has, or only a deleted one.
    async fn backups_of_blobs(&self, names: &[String]) -> Result<BTreeMap<String, Option<Backup>>> {
        let mut by_database: BTreeMap<DatabaseId, Vec<&str>> = BTreeMap::new();
        for name in names {
            if let Some(database) = database_of(name) {
                by_database.entry(database).or_default().push(name);
            }
        }
        let mut found: BTreeMap<String, Option<Backup>> =
            names.iter().map(|name| (name.clone(), None)).collect();
        for (database, names) in by_database {
            let lines = self
                .installation
                .repositories
                .backups
                .standing_of(&database);
            for line in lines.await?.items {
                let blob = line.value.blob_name.clone().unwrap_or_default();
                if names.contains(&blob.as_str()) {
                    found.insert(blob, Some(line.value));
                }
            }
        }
        Ok(found)
    }

    async fn backups_of_ids(&self, ids: &[String]) -> Result<BTreeMap<String, Option<Backup>>> {
        let mut found = BTreeMap::new();
        for id in ids {
            let backup = match id.parse() {
                Ok(id) => match self.backup(&id).await {
                    Ok(backup) => Some(backup),
                    Err(Error::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                },
                Err(_) => None,
            };
            found.insert(id.clone(), backup);
        }
        Ok(found)
    }

    async fn delete_one(&self, backup: Backup, caller: &Caller) -> Result<Backup> {
        let id = backup.id.clone();
        let mut outcomes = self.request_deletions(vec![backup], caller).await?;
        let outcome = outcomes.remove(&id);
        let gone = outcome.ok_or_else(|| Error::NotFound {
            what: "Backup",
            id: id.to_string(),
        })??;
        let details = json!({
            "type": "file",
            "blob_name": gone.blob_name,
            "file_name": gone.blob_name.as_deref().and_then(|name| name.rsplit('/').next()),
            "deletes_after": gone.marks.deletes_after.map(|at| at.to_string()),
        });
        self.record(caller, event(&gone, details)).await;
        Ok(gone)
    }

    /// Asks for the deletion of backups of any databases.
    pub(super) async fn request_deletions(
        &self,
        backups: Vec<Backup>,
        caller: &Caller,
    ) -> Result<Outcomes> {
        let mark = Mark {
            at: self.installation.clock.now(),
            by: caller.user_email.clone(),
            note: None,
        };
        let mut by_database: BTreeMap<DatabaseId, Vec<Backup>> = BTreeMap::new();
        for backup in backups {
            let database = backup.database_id.clone();
            by_database.entry(database).or_default().push(backup);
        }
        let expiry = self.expiry();
        let mut outcomes = Outcomes::new();
        for (database, backups) in by_database {
            let asked = expiry.request_deletions(&database, &backups, &mark);
            outcomes.extend(asked.await?);
        }
        Ok(outcomes)
    }

    /// Removes the line of a backup that was never made; its job stays.
    async fn remove_line(&self, line: &Versioned<Backup>, caller: &Caller) -> Result<()> {
        let job = self.installation.repositories.jobs.get(&line.value.job_id);
        if job.await?.is_some_and(|job| !job.value.is_terminal()) {
            return Err(Error::WrongState(format!(
                "its job '{}' is not over; cancel it first",
                line.value.job_id
            )));
        }
        let backups = &self.installation.repositories.backups;
        backups.remove(line).await.map_err(write_error)?;
        let details = json!({
            "type": "record_only",
            "backup_id": line.value.id.as_str(),
            "backup_status": line.value.status.as_str(),
        });
        self.record(caller, event(&line.value, details)).await;
        Ok(())
    }
}

/// The database that is named in the name of a blob: `{type}/{database}/{time}…`.
pub(super) fn database_of(blob: &str) -> Option<DatabaseId> {
    blob.split('/').nth(1)?.parse().ok()
}

fn event(backup: &Backup, mut details: Value) -> Event {
    if let Value::Object(details) = &mut details {
        let more = [
            ("database_id", json!(backup.database_id.as_str())),
            ("database_name", json!(backup.database_label.as_str())),
            ("database_type", json!(backup.engine_type.as_str())),
            (
                "engine_id",
                json!(backup.engine_id.as_ref().map(EngineId::as_str)),
            ),
        ];
        details.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    Event {
        action: AuditAction::BackupDeleted,
        resource_type: AuditResourceType::Backup,
        resource_id: backup.id.to_string(),
        resource_name: describe(backup),
        details,
        failure: None,
    }
}

fn bulk_event(outcome: &BulkOutcome) -> Event {
    Event {
        action: AuditAction::BackupDeletedBulk,
        resource_type: AuditResourceType::Backup,
        resource_id: "bulk".to_owned(),
        resource_name: format!("{} backups", outcome.deleted.len()),
        details: json!({
            "deleted_count": outcome.deleted.len(),
            "deleted_files": outcome.deleted,
            "not_found_count": outcome.not_found.len(),
            "error_count": outcome.errors.len(),
        }),
        failure: None,
    }
}
