//! Backups: list and read the history.

use std::collections::HashSet;

use dilux_core::model::{
    AuditAction, AuditResourceType, Backup, BackupId, DatabaseId, Engine, EngineId, JobId, Manifest,
};
use dilux_core::repository::{Cursor, Version, Versioned};
use dilux_core::storage::{BlobName, StorageError};
use dilux_core::{Error, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Application;
use super::audit::Event;
use super::dashboard::by_id;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::Tags;
use crate::wire::backup::{BackupQuery, describe};

/// Largest manifest that is read.
const MANIFEST_LIMIT: u64 = 1024 * 1024;

/// Backups that are looked at first where a filter picks some of them.
const FILTERED: usize = 200;

/// Where a page starts.
#[derive(Debug, Clone)]
pub(crate) enum Paging {
    /// At a number of pages from the newest backup, from 1.
    Page(usize),
    /// After the last backup of an earlier page.
    After(Cursor),
}

/// A backup with its engine, while that is registered.
#[derive(Debug)]
pub(crate) struct BackupView {
    /// The backup.
    pub(crate) backup: Backup,
    /// Its engine.
    pub(crate) engine: Option<Engine>,
}

/// A page of backups.
#[derive(Debug)]
pub(crate) struct BackupPage {
    /// Newest first.
    pub(crate) items: Vec<BackupView>,
    /// Those that match on all pages, unless a cursor was sent.
    pub(crate) total: Option<usize>,
    /// Where the next page starts, when there is one.
    pub(crate) next: Option<Cursor>,
}

/// A query, resolved.
struct Sieve<'a> {
    query: &'a BackupQuery,
    databases: Option<HashSet<DatabaseId>>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Sieve<'_> {
    fn passes(&self, backup: &Backup) -> bool {
        let query = self.query;
        let is_of_engine = |id: &String| {
            backup.engine_id.as_ref().map(EngineId::as_str) == Some(id)
                || self
                    .databases
                    .as_ref()
                    .is_some_and(|ids| ids.contains(&backup.database_id))
        };
        query
            .database_id
            .as_deref()
            .is_none_or(|id| id == backup.database_id.as_str())
            && query.engine_id.as_ref().is_none_or(is_of_engine)
            && query
                .status
                .is_none_or(|wanted| backup.status.is_found_as(wanted))
            && query.triggered_by.is_none_or(|who| who == backup.trigger)
            && query
                .database_type
                .is_none_or(|kind| kind == backup.engine_type)
            && self.until.is_none_or(|until| backup.created_at < until)
    }

    /// Whether this backup, and with it all that follow, is older than asked for.
    fn is_past(&self, backup: &Backup) -> bool {
        self.from.is_some_and(|from| backup.created_at < from)
    }
}

/// What a walk gathers.
struct Gathering {
    skip: usize,
    room: usize,
    counts_all: bool,
    matched: usize,
    found: Vec<(Backup, Cursor)>,
    has_more: bool,
}

impl Gathering {
    /// `is_counted` says that how many match is known without it.
    fn new(query: &BackupQuery, is_counted: bool) -> Self {
        let (skip, counts_all) = match query.page {
            Paging::Page(number) => ((number - 1).saturating_mul(query.page_size), !is_counted),
            Paging::After(_) => (0, false),
        };
        Self {
            skip,
            room: query.page_size,
            counts_all,
            matched: 0,
            found: Vec::new(),
            has_more: false,
        }
    }

    /// Gives how many to skip, and skips none.
    fn forgo_skipping(&mut self) -> usize {
        std::mem::take(&mut self.skip)
    }

    /// How many backups a walk will see, as far as that can be known.
    fn expected(&self, query: &BackupQuery) -> usize {
        if self.counts_all || self.skip > 0 {
            usize::MAX
        } else if query.has_other_filters() {
            FILTERED
        } else {
            self.room + 1
        }
    }

    /// Takes a backup that passed; whether to go on.
    fn take(&mut self, backup: Backup, cursor: Cursor) -> bool {
        self.matched += 1;
        if self.matched > self.skip && self.found.len() < self.room {
            self.found.push((backup, cursor));
        } else if self.matched > self.skip {
            self.has_more = true;
        }
        self.counts_all || !self.has_more
    }
}

impl Application {
    /// The backups that match `query`, newest first. A page by number passes over the keys of those
    /// before it. Where it filters by more than the database it reads and counts all that match, and
    /// costs as much as the history is long. A page by cursor costs what it shows.
    pub(crate) async fn list_backups(&self, query: &BackupQuery) -> Result<BackupPage> {
        let databases = match &query.engine_id {
            None => None,
            Some(id) => Some(self.ids_of_databases(id).await?),
        };
        let sieve = Sieve {
            query,
            databases,
            from: query.start_date.and_then(start_of_day),
            until: query
                .end_date
                .and_then(|day| day.tomorrow().ok())
                .and_then(start_of_day),
        };
        let counted = self.count_backups(query).await?;
        let mut gathering = Gathering::new(query, counted.is_some());
        match (&query.page, counted) {
            (Paging::After(cursor), _) => self.walk(&sieve, &mut gathering, Some(cursor)).await?,
            (Paging::Page(number), Some(_)) if *number > 1 => {
                if let Some(last) = self.last_before(query, gathering.forgo_skipping()).await? {
                    self.walk(&sieve, &mut gathering, Some(&last)).await?;
                }
            }
            (Paging::Page(_), _) => self.walk(&sieve, &mut gathering, None).await?,
        }
        let next = gathering
            .has_more
            .then(|| gathering.found.last().map(|(_, cursor)| cursor.clone()));
        let backups = gathering.found.into_iter().map(|(backup, _)| backup);
        Ok(BackupPage {
            items: self.with_engines(backups.collect()).await?,
            total: counted.or_else(|| gathering.counts_all.then_some(gathering.matched)),
            next: next.flatten(),
        })
    }

    /// How many match, where tallies know it: all backups, and those of a database. `None` also for
    /// a page by cursor, which says nothing of the others.
    async fn count_backups(&self, query: &BackupQuery) -> Result<Option<usize>> {
        if matches!(query.page, Paging::After(_)) || query.has_other_filters() {
            return Ok(None);
        }
        let lines = match &query.database_id {
            None => {
                let tallies = self.tallies().await?;
                tallies.items.iter().map(|it| it.value.ever.lines).sum()
            }
            Some(id) => match id.parse() {
                Ok(id) => self.tally_of(&id).await?.map_or(0, |it| it.ever.lines),
                Err(_) => 0,
            },
        };
        Ok(usize::try_from(lines).ok())
    }

    /// The `skipped`th newest backup, of a database where one is asked for.
    async fn last_before(&self, query: &BackupQuery, skipped: usize) -> Result<Option<Cursor>> {
        let database = match query.database_id.as_deref().map(str::parse).transpose() {
            Ok(database) => database,
            // A text that cannot be an id names no database.
            Err(_) => return Ok(None),
        };
        let backups = &self.installation.repositories.backups;
        Ok(backups.nth(database.as_ref(), skipped).await?)
    }

    async fn walk(
        &self,
        sieve: &Sieve<'_>,
        gathering: &mut Gathering,
        from: Option<&Cursor>,
    ) -> Result<()> {
        let expected = gathering.expected(sieve.query);
        let visit = |backup: Backup, cursor: Cursor| {
            if sieve.is_past(&backup) {
                false
            } else if sieve.passes(&backup) {
                gathering.take(backup, cursor)
            } else {
                true
            }
        };
        let backups = &self.installation.repositories.backups;
        match &sieve.query.database_id {
            None => backups.walk(from, expected, visit).await?,
            // A text that cannot be an id names no database.
            Some(id) => {
                if let Ok(id) = id.parse() {
                    backups.walk_database(&id, from, expected, visit).await?;
                }
            }
        }
        Ok(())
    }

    async fn ids_of_databases(&self, engine_id: &str) -> Result<HashSet<DatabaseId>> {
        let all = self.registered().await?;
        let all = all.items.iter().map(|database| &database.value);
        Ok(all
            .filter(|database| database.engine_id.as_str() == engine_id)
            .map(|database| database.id.clone())
            .collect())
    }

    async fn with_engines(&self, backups: Vec<Backup>) -> Result<Vec<BackupView>> {
        if backups.is_empty() {
            return Ok(Vec::new());
        }
        let engines = self.engines_by_id().await?;
        // Only lines of the Python product name no engine.
        let databases = if backups.iter().all(|backup| backup.engine_id.is_some()) {
            None
        } else {
            Some(self.registered().await?)
        };
        let databases = databases.as_deref().map(by_id).unwrap_or_default();
        let views = backups.into_iter().map(|backup| {
            let registered = || databases.get(&backup.database_id);
            let id = backup.engine_id.as_ref();
            let id = id.or_else(|| registered().map(|database| &database.engine_id));
            BackupView {
                engine: id.and_then(|id| engines.get(id)).cloned(),
                backup,
            }
        });
        Ok(views.collect())
    }

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
        let labelled = self.expiry().label(&backup, &labels.0, accepts).await?;
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
fn wishes(version: Option<Version>) -> Version {
    version.unwrap_or_else(|| Version::new("no wishes"))
}

fn start_of_day(day: Date) -> Option<Timestamp> {
    let midnight = day.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp())
}
