//! The history of backups: pages of it, and all of it for an export.

use std::collections::HashSet;

use dilux_core::Result;
use dilux_core::model::{Backup, DatabaseId, EngineId};
use dilux_core::repository::{Cursor, Stretch};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::dashboard::by_id;
use super::export::{EXPORT_PART, ExportPart};
use super::{Application, BackupView};
use crate::wire::backup::{BackupPageQuery, BackupSelection};

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

/// A selection, resolved.
struct Sieve<'a> {
    selection: &'a BackupSelection,
    databases: Option<HashSet<DatabaseId>>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Sieve<'_> {
    fn passes(&self, backup: &Backup) -> bool {
        let selection = self.selection;
        let is_of_engine = |id: &String| {
            backup.engine_id.as_ref().map(EngineId::as_str) == Some(id)
                || self
                    .databases
                    .as_ref()
                    .is_some_and(|ids| ids.contains(&backup.database_id))
        };
        selection
            .database_id
            .as_deref()
            .is_none_or(|id| id == backup.database_id.as_str())
            && selection.engine_id.as_ref().is_none_or(is_of_engine)
            && selection
                .status
                .is_none_or(|wanted| backup.status.is_found_as(wanted))
            && selection
                .triggered_by
                .is_none_or(|who| who == backup.trigger)
            && selection
                .database_type
                .is_none_or(|kind| kind == backup.engine_type)
            && self.until.is_none_or(|until| backup.created_at < until)
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
    /// Room for a page of the list; `is_counted` says that how many match is known without it.
    fn of_page(page: &BackupPageQuery, is_counted: bool) -> Self {
        let (skip, counts_all) = match page.start {
            Paging::Page(number) => ((number - 1).saturating_mul(page.page_size), !is_counted),
            Paging::After(_) => (0, false),
        };
        Self {
            skip,
            counts_all,
            ..Self::of(page.page_size)
        }
    }

    /// Room for so many backups.
    fn of(room: usize) -> Self {
        Self {
            skip: 0,
            room,
            counts_all: false,
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
    fn expected(&self, selection: &BackupSelection) -> usize {
        if self.counts_all || self.skip > 0 {
            usize::MAX
        } else if selection.has_other_filters() {
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

    /// The backups, and where to go on when more follow.
    fn finish(self) -> (Vec<Backup>, Option<Cursor>) {
        let last = self.found.last().filter(|_| self.has_more);
        let next = last.map(|(_, cursor)| cursor.clone());
        let backups = self.found.into_iter().map(|(backup, _)| backup);
        (backups.collect(), next)
    }
}

impl Application {
    /// The backups of `selection`, newest first. A page by number passes over the keys of those
    /// before it. Where it filters by more than the database it reads and counts all that match, and
    /// costs as much as the history is long between its dates. A page by cursor costs what it shows.
    pub(crate) async fn list_backups(
        &self,
        selection: &BackupSelection,
        page: &BackupPageQuery,
    ) -> Result<BackupPage> {
        let sieve = self.sieve(selection).await?;
        let counted = match &page.start {
            Paging::Page(_) => self.count_backups(selection).await?,
            Paging::After(_) => None,
        };
        let mut gathering = Gathering::of_page(page, counted.is_some());
        match (&page.start, counted) {
            (Paging::After(cursor), _) => self.walk(&sieve, Some(cursor), &mut gathering).await?,
            (Paging::Page(number), Some(_)) if *number > 1 => {
                let skipped = gathering.forgo_skipping();
                if let Some(last) = self.last_before(selection, skipped).await? {
                    self.walk(&sieve, Some(&last), &mut gathering).await?;
                }
            }
            (Paging::Page(_), _) => self.walk(&sieve, None, &mut gathering).await?,
        }
        let total = counted.or_else(|| gathering.counts_all.then_some(gathering.matched));
        let (backups, next) = gathering.finish();
        Ok(BackupPage {
            items: self.with_engines(backups).await?,
            total,
            next,
        })
    }

    /// The next backups of an export, newest first, from after `from`.
    pub(crate) async fn export_backups(
        &self,
        selection: &BackupSelection,
        from: Option<&Cursor>,
    ) -> Result<ExportPart<BackupView>> {
        let sieve = self.sieve(selection).await?;
        let mut gathering = Gathering::of(EXPORT_PART);
        self.walk(&sieve, from, &mut gathering).await?;
        let (backups, next) = gathering.finish();
        Ok(ExportPart {
            items: self.with_engines(backups).await?,
            next,
        })
    }

    async fn sieve<'a>(&self, selection: &'a BackupSelection) -> Result<Sieve<'a>> {
        let databases = match &selection.engine_id {
            None => None,
            Some(id) => Some(self.ids_of_databases(id).await?),
        };
        Ok(Sieve {
            selection,
            databases,
            from: selection.start_date.and_then(start_of_day),
            until: selection
                .end_date
                .and_then(|day| day.tomorrow().ok())
                .and_then(start_of_day),
        })
    }

    /// How many match, where tallies know it: all backups, and those of a database.
    async fn count_backups(&self, selection: &BackupSelection) -> Result<Option<usize>> {
        if selection.has_other_filters() {
            return Ok(None);
        }
        let lines = match &selection.database_id {
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
    async fn last_before(
        &self,
        selection: &BackupSelection,
        skipped: usize,
    ) -> Result<Option<Cursor>> {
        let database = selection.database_id.as_deref().map(str::parse);
        // A text that cannot be an id names no database.
        let Ok(database) = database.transpose() else {
            return Ok(None);
        };
        let backups = &self.installation.repositories.backups;
        Ok(backups.nth(database.as_ref(), skipped).await?)
    }

    async fn walk(
        &self,
        sieve: &Sieve<'_>,
        from: Option<&Cursor>,
        gathering: &mut Gathering,
    ) -> Result<()> {
        let expected = gathering.expected(sieve.selection);
        let visit = |backup: Backup, cursor: Cursor| {
            !sieve.passes(&backup) || gathering.take(backup, cursor)
        };
        let newest = sieve.until.map(Cursor::before);
        let stretch = Stretch::newest(expected)
            .after(from.or(newest.as_ref()))
            .since(sieve.from);
        let backups = &self.installation.repositories.backups;
        match &sieve.selection.database_id {
            None => backups.walk(stretch, visit).await?,
            // A text that cannot be an id names no database.
            Some(id) => {
                if let Ok(id) = id.parse() {
                    backups.walk_database(&id, stretch, visit).await?;
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
}

fn start_of_day(day: Date) -> Option<Timestamp> {
    let midnight = day.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp())
}
