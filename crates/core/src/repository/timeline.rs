//! Rows by time, newest first across days: partitions are days, row keys inverted ticks.
//!
//! Table order is newest first inside a day only, and no store sorts downwards; so a second table
//! holds one row per day that has entries, under keys that sort newest first. A page then costs
//! the rows that it shows, however long the history is.

mod counts;
mod stretch;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use super::keys::{day_of, inverted_day, inverted_ticks};
use super::rows::Rows;
use crate::storage::{
    Comparison, Condition, Entity, EntityKey, Filter, Nth, Property, Query, Span, StorageResult,
    StoredEntity, TableName, TableOperation, TableStore, Value,
};

use counts::Counts;
pub use stretch::Stretch;

/// Days are those of UTC, which are all of this length.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Days that are asked for at first: most pages end in one of them.
const DAYS: usize = 4;

/// Entries of a day that is passed over by number, at a guess: the more pages, the more days are asked
/// for at once.
const ENTRIES: usize = 1000;

/// Where the next page of a timeline starts: the last row shown. Opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    day: String,
    row: String,
}

/// A cursor that was not made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a cursor that an earlier page gave")]
pub struct InvalidCursor;

impl Cursor {
    /// The cursor after which the rows older than `until` come.
    pub fn before(until: Timestamp) -> Self {
        let newest = until
            .checked_sub(SignedDuration::from_nanos(1))
            .unwrap_or(until);
        // Behind every id of that instant.
        Self::of(newest, &format!("{}~", inverted_ticks(until)))
    }

    /// The cursor at the row `row` of the day of `at`.
    pub(super) fn of(at: Timestamp, row: &str) -> Self {
        Self {
            day: day_of(at),
            row: row.to_owned(),
        }
    }

    /// The cursor at a row of a table whose walks need no day.
    pub(super) fn at_row(row: &str) -> Self {
        Self {
            day: String::new(),
            row: row.to_owned(),
        }
    }

    /// The cursor at the row `row` of a day.
    pub(super) fn at_key(day: &str, row: &str) -> Self {
        Self {
            day: day.to_owned(),
            row: row.to_owned(),
        }
    }

    /// The cursor at a row.
    pub(super) fn at(key: &EntityKey) -> Self {
        Self {
            day: key.partition.clone(),
            row: key.row.clone(),
        }
    }

    /// The partition key: a day, or a month of the Python product's audit log.
    pub(super) fn partition(&self) -> &str {
        &self.day
    }

    /// The row key.
    pub(super) fn row(&self) -> &str {
        &self.row
    }

    /// The cursor as text.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}|{}", self.day, self.row))
    }

    /// Reads the text of a cursor.
    pub fn parse(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| InvalidCursor)?;
        let (day, row) = text.split_once('|').ok_or(InvalidCursor)?;
        let is_day = day.parse::<jiff::civil::Date>().is_ok();
        let is_month = day.len() == 6 && day.bytes().all(|byte| byte.is_ascii_digit());
        let is_key =
            row.len() <= 512 && !row.contains(|c: char| c.is_control() || "/\\#?%".contains(c));
        if (is_day || is_month) && is_key {
            Ok(Self {
                day: day.to_owned(),
                row: row.to_owned(),
            })
        } else {
            Err(InvalidCursor)
        }
    }
}

/// What was passed over.
enum Passed {
    /// All before this entry, which has the number.
    To(Cursor),
    /// All: there are only so many.
    All(usize),
}

/// A table of rows by time.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    tables: Arc<dyn TableStore>,
    pub(super) table: TableName,
    pub(super) days: TableName,
    counts: Counts,
}

impl Timeline {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName, days: TableName) -> Self {
        Self {
            tables,
            table,
            days,
            counts: Counts::default(),
        }
    }

    /// The key of an entry.
    pub(super) fn key(at: Timestamp, id: &str) -> EntityKey {
        EntityKey::new(day_of(at), format!("{}_{id}", inverted_ticks(at)))
    }

    /// Writes an entry whole, over an earlier one with the same key. The day comes first: a day
    /// without entries costs one empty read, an entry without its day would never be seen.
    pub(super) async fn put(&self, entity: Entity) -> StorageResult<()> {
        self.mark_day(&entity.key.partition).await?;
        self.tables
            .write(
                &self.table,
                TableOperation::Replace(entity, Condition::None),
            )
            .await?;
        Ok(())
    }

    /// Notes that a day has entries, before it has them.
    pub(super) async fn mark_day(&self, day: &str) -> StorageResult<()> {
        let day = EntityKey::new(self.table.as_str(), inverted_day(day));
        let marker = TableOperation::Replace(Entity::new(day), Condition::None);
        self.tables.write(&self.days, marker).await.map(drop)
    }

    /// Walks the entries of a stretch newest first, until `visit` answers `false`.
    pub(super) async fn walk(
        &self,
        stretch: Stretch<'_>,
        mut visit: impl FnMut(StoredEntity, Cursor) -> bool + Send,
    ) -> StorageResult<()> {
        let end = stretch.end();
        let mut days = Rows::new(&*self.tables, &self.days, self.days_query(stretch));
        while let Some(marker) = days.next().await? {
            let day = inverted_day(&marker.entity.key.row);
            let after = stretch
                .after
                .filter(|cursor| cursor.day == day)
                .map(|cursor| cursor.row.as_str());
            let query = Query {
                top: Rows::first_page(stretch.expected),
                ..day_query(&day, after, end.as_ref())
            };
            let mut rows = Rows::new(&*self.tables, &self.table, query);
            while let Some(row) = rows.next().await? {
                let cursor = Cursor {
                    day: day.clone(),
                    row: row.entity.key.row.clone(),
                };
                if !visit(row, cursor) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Where the `number`th newest entry of whole days is, from 1; `None` when there are fewer. What
    /// was counted of past days is believed for a minute, unless somebody wrote to them.
    pub(super) async fn nth(
        &self,
        days: Stretch<'_>,
        number: usize,
    ) -> StorageResult<Option<Cursor>> {
        match self.pass_over(days, number).await? {
            Passed::To(cursor) => Ok(Some(cursor)),
            Passed::All(_) => Ok(None),
        }
    }

    /// How many entries whole days have. Past days count as in [`Self::nth`].
    pub(super) async fn count(&self, days: Stretch<'_>) -> StorageResult<usize> {
        match self.pass_over(days, usize::MAX).await? {
            Passed::To(_) => Ok(usize::MAX),
            Passed::All(entries) => Ok(entries),
        }
    }

    async fn pass_over(&self, days: Stretch<'_>, number: usize) -> StorageResult<Passed> {
        let query = Query {
            top: Rows::first_page(DAYS + number / ENTRIES),
            ..self.days_query(days)
        };
        let mut days = Rows::new(&*self.tables, &self.days, query);
        let (mut passed, mut place) = (0_usize, 0);
        while let Some(marker) = days.next().await? {
            let day = inverted_day(&marker.entity.key.row);
            let left = number.saturating_sub(passed);
            let known = self.counts.of(&day, &marker.etag);
            passed += if let Some(entries) = known.filter(|entries| *entries < left) {
                entries
            } else {
                let span = Span::partition(day.as_str());
                match self.tables.nth(&self.table, &span, left).await? {
                    Nth::Row(row) => return Ok(Passed::To(Cursor { day, row })),
                    Nth::Fewer(entries) => {
                        self.counts.keep(place, day, marker.etag, entries);
                        entries
                    }
                }
            };
            place += 1;
        }
        Ok(Passed::All(passed))
    }

    /// The entries of `since` and later, up to the end of the day of `until`: a query a day, which
    /// reads nothing older.
    pub(super) async fn entries_since(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> StorageResult<Vec<StoredEntity>> {
        let newer = newer_than(since);
        let (mut at, last) = (since, day_of(until));
        let mut found = Vec::new();
        loop {
            let day = day_of(at);
            let query = day_query(&day, None, Some(&newer));
            let mut rows = Rows::new(&*self.tables, &self.table, query);
            while let Some(row) = rows.next().await? {
                found.push(row);
            }
            if day >= last {
                return Ok(found);
            }
            at = at.saturating_add(DAY).unwrap_or(until);
        }
    }

    /// The days of a stretch that have entries, newest first.
    fn days_query(&self, stretch: Stretch<'_>) -> Query {
        let mut filter = Filter::partition(self.table.as_str());
        if let Some(cursor) = stretch.after {
            let newest = Value::String(inverted_day(&cursor.day));
            filter = filter.and(Filter::compare(
                Property::RowKey,
                Comparison::GreaterOrEqual,
                newest,
            ));
        }
        if let Some(since) = stretch.since {
            let oldest = Value::String(inverted_day(&day_of(since)));
            filter = filter.and(Filter::compare(
                Property::RowKey,
                Comparison::LessOrEqual,
                oldest,
            ));
        }
        Query {
            filter: Some(filter),
            top: Rows::first_page(DAYS),
            ..Query::default()
        }
    }
}

/// The row keys of `since` and later.
fn newer_than(since: Timestamp) -> Filter {
    // Behind every id.
    let end = Value::String(format!("{}~", inverted_ticks(since)));
    Filter::compare(Property::RowKey, Comparison::Less, end)
}

fn day_query(day: &str, after: Option<&str>, filter: Option<&Filter>) -> Query {
    let mut all = Filter::partition(day);
    if let Some(row) = after {
        all = all.and(Filter::compare(
            Property::RowKey,
            Comparison::Greater,
            Value::String(row.to_owned()),
        ));
    }
    if let Some(filter) = filter {
        all = all.and(filter.clone());
    }
    Query {
        filter: Some(all),
        ..Query::default()
    }
}
