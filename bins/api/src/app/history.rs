//! The history of backups: pages of it, and all of it for an export.

use std::collections::HashSet;

use dilux_core::Result;
use dilux_core::model::{Backup, BackupStatus, DatabaseId, EngineId, Tally};
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

/// Where a page begins.
enum Beginning {
    /// Behind this backup.
    After(Cursor),
    /// Behind so many that match, which only reading them tells.
    Read(usize),
    /// There are fewer.
    Nowhere,
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
    /// What lies before `until` follows this.
    newest: Option<Cursor>,
}

impl Sieve<'_> {
    /// Its days.
    fn days(&self) -> Stretch<'_> {
        Stretch::WHOLE.after(self.newest.as_ref()).since(self.from)
    }

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
    /// before it, where it filters by a database or by days at most; otherwise it reads those before
    /// it. Where neither tallies nor days know how many match, it reads all of them. A page by cursor
    /// costs what it shows.
    pub(crate) async fn list_backups(
        &self,
        selection: &BackupSelection,
        page: &BackupPageQuery,
    ) -> Result<BackupPage> {
        let sieve = self.sieve(selection).await?;
        let counted = match &page.start {
            Paging::Page(_) => self.count_backups(&sieve).await?,
            Paging::After(_) => None,
        };
        let beginning = match &page.start {
            Paging::After(cursor) => Beginning::After(cursor.clone()),
            Paging::Page(1) => Beginning::Read(0),
            Paging::Page(number) => {
                let skipped = (number - 1).saturating_mul(page.page_size);
                self.beginning(&sieve, skipped).await?
            }
        };
        let is_counted = counted.is_some() || matches!(page.start, Paging::After(_));
        let mut gathering = Gathering {
            counts_all: !is_counted,
            ..Gathering::of(page.page_size)
        };
        match beginning {
            Beginning::After(last) => self.walk(&sieve, Some(&last), &mut gathering).await?,
            Beginning::Read(skipped) => {
                gathering.skip = skipped;
                self.walk(&sieve, None, &mut gathering).await?;
            }
            Beginning::Nowhere => {}
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
        let until = selection.end_date.and_then(|day| day.tomorrow().ok());
        let until = until.and_then(start_of_day);
        Ok(Sieve {
            selection,
            databases,
            from: selection.start_date.and_then(start_of_day),
            until,
            newest: until.map(Cursor::before),
        })
    }

    /// How many match, where that is known without reading them: the tallies know how many backups
    /// there are of a database, of a type and with most of the statuses, the store how many of a day.
    async fn count_backups(&self, sieve: &Sieve<'_>) -> Result<Option<usize>> {
        let selection = sieve.selection;
        let backups = &self.installation.repositories.backups;
        if selection.has_days() && selection.is_of_days() {
            return Ok(Some(backups.count_lines(sieve.days()).await?));
        }
        if !selection.is_of_tallies() {
            return Ok(None);
        }
        let found = |tally: &Tally| match selection.database_type {
            Some(kind) if tally.engine_type != Some(kind) => Some(0),
            _ => lines_found(tally, selection.status),
        };
        let lines: Option<u64> = match &selection.database_id {
            None => {
                let tallies = self.tallies().await?;
                tallies.items.iter().map(|row| found(&row.value)).sum()
            }
            Some(id) => match id.parse() {
                Ok(id) => self
                    .tally_of(&id)
                    .await?
                    .map_or(Some(0), |tally| found(&tally)),
                // A text that cannot be an id names no database.
                Err(_) => Some(0),
            },
        };
        Ok(lines.and_then(|lines| usize::try_from(lines).ok()))
    }

    /// Where the page after the `skipped` newest of those that match begins.
    async fn beginning(&self, sieve: &Sieve<'_>, skipped: usize) -> Result<Beginning> {
        let selection = sieve.selection;
        let backups = &self.installation.repositories.backups;
        let last = if selection.is_of_days() {
            backups.nth(sieve.days(), skipped).await?
        } else if selection.has_other_filters() {
            return Ok(Beginning::Read(skipped));
        } else {
            let id = selection.database_id.as_deref().unwrap_or_default();
            match id.parse() {
                Ok(id) => backups.nth_of_database(&id, skipped).await?,
                // A text that cannot be an id names no database.
                Err(_) => None,
            }
        };
        Ok(last.map_or(Beginning::Nowhere, Beginning::After))
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
        let stretch = Stretch::newest(expected)
            .after(from.or(sieve.newest.as_ref()))
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

/// How many lines of a database a filter by status finds; `None` where the tally does not tell.
fn lines_found(tally: &Tally, status: Option<BackupStatus>) -> Option<u64> {
    match status {
        None => Some(tally.ever.lines),
        Some(BackupStatus::Completed) => Some(tally.present),
        Some(BackupStatus::Failed) => Some(tally.ever.failed),
        Some(BackupStatus::Damaged) => Some(tally.damage.count),
        Some(BackupStatus::Deleted) => Some(tally.ever.lines.saturating_sub(tally.standing)),
        Some(_) => None,
    }
}
