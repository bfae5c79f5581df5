//! The audit log newest first, from its days and from the months of the Python product, merged by
//! time.

use std::iter::Peekable;
use std::num::NonZeroU32;
use std::vec::IntoIter;

use jiff::Timestamp;

use super::filter::AuditFilter;
use super::legacy::{Legacy, is_month};
use crate::repository::keys::{day_of, inverted_day};
use crate::repository::row::RowReader;
use crate::repository::rows::Rows;
use crate::repository::timeline::{Cursor, Timeline};
use crate::storage::{
    Comparison, EntityKey, Filter, Property, Query, StorageResult, StoredEntity, TableStore, Value,
};

/// Row keys from here on are none of entries.
pub(super) const AFTER_ENTRIES: &str = "~";

/// Entries of the first page.
const PAGE: Option<NonZeroU32> = NonZeroU32::new(200);

/// Days of the first page: most walks end in one of them.
const DAYS: Option<NonZeroU32> = NonZeroU32::new(4);

/// A walk over the log.
pub(super) struct Walk<'a> {
    tables: &'a dyn TableStore,
    log: &'a Timeline,
    filter: Vec<Filter>,
    days: Branch<'a>,
    months: Branch<'a>,
}

/// Partitions of one kind, newest first, and the row that is next in them.
struct Branch<'a> {
    partitions: Partitions<'a>,
    /// Where the partition begins in which the walk starts.
    start: Start,
    oldest: Option<String>,
    open: Option<Rows<'a>>,
    head: Option<(Timestamp, StoredEntity)>,
}

enum Partitions<'a> {
    Months(IntoIter<String>),
    Days(Box<Days<'a>>),
}

/// Days that we marked, and those of the Python product.
struct Days<'a> {
    markers: Rows<'a>,
    marked: Option<String>,
    legacy: Peekable<IntoIter<String>>,
}

/// Where a branch starts: partitions newer than `partition` are passed over, in it those up to
/// `row`, and all entries that are not older than `before`.
#[derive(Default)]
struct Start {
    partition: Option<String>,
    row: Option<String>,
    before: Option<Timestamp>,
    /// Entries of just that instant are still to come.
    includes: bool,
}

impl<'a> Walk<'a> {
    /// A walk from after a cursor, over the partitions in which the filter's time lies.
    pub(super) async fn open(
        tables: &'a dyn TableStore,
        log: &'a Timeline,
        legacy: &Legacy,
        (from, filter): (Option<&Cursor>, &AuditFilter),
    ) -> StorageResult<Self> {
        let (mut days, mut months) = match from {
            None => (Start::default(), Start::default()),
            Some(cursor) => starts(tables, log, legacy, cursor).await?,
        };
        if let Some(until) = filter.until {
            lower(&mut days.partition, day_of(until));
            lower(&mut months.partition, month_of(until));
        }
        let markers = Rows::new(tables, &log.days, marker_query(log, &days));
        let days = Branch {
            partitions: Partitions::Days(Box::new(Days {
                markers,
                marked: None,
                legacy: legacy.days.clone().into_iter().peekable(),
            })),
            start: days,
            oldest: filter.from.map(day_of),
            open: None,
            head: None,
        };
        let months = Branch {
            partitions: Partitions::Months(legacy.months.clone().into_iter()),
            start: months,
            oldest: filter.from.map(month_of),
            open: None,
            head: None,
        };
        Ok(Self {
            tables,
            log,
            filter: filter.of_store(),
            days,
            months,
        })
    }

    /// The next row, and the cursor at it.
    pub(super) async fn next(&mut self) -> StorageResult<Option<(StoredEntity, Cursor)>> {
        let (tables, log) = (self.tables, self.log);
        self.days.fill(tables, log, &self.filter).await?;
        self.months.fill(tables, log, &self.filter).await?;
        let at = |branch: &Branch<'_>| branch.head.as_ref().map(|(at, _)| *at);
        let branch = if at(&self.months) > at(&self.days) {
            &mut self.months
        } else {
            &mut self.days
        };
        Ok(branch.head.take().map(|(_, row)| {
            let cursor = Cursor::at(&row.entity.key);
            (row, cursor)
        }))
    }
}

/// Where both branches start after a cursor. Of entries of one instant, those of days come first.
async fn starts(
    tables: &dyn TableStore,
    log: &Timeline,
    legacy: &Legacy,
    cursor: &Cursor,
) -> StorageResult<(Start, Start)> {
    let own = Start {
        partition: Some(cursor.partition().to_owned()),
        row: Some(cursor.row().to_owned()),
        ..Start::default()
    };
    let is_month = is_month(cursor.partition());
    if legacy.months.is_empty() && !is_month {
        return Ok((own, Start::default()));
    }
    let key = EntityKey::new(cursor.partition(), cursor.row());
    let row = tables.get(&log.table, &key).await?;
    let before = row.map_or(Timestamp::MAX, |row| instant(&row));
    let partition = if is_month {
        day_of(before)
    } else {
        month_of(before)
    };
    let other = Start {
        partition: Some(partition),
        row: None,
        before: Some(before),
        includes: !is_month,
    };
    Ok(if is_month { (other, own) } else { (own, other) })
}

impl<'a> Branch<'a> {
    /// Sees to it that the next row is at hand, unless there is none.
    async fn fill(
        &mut self,
        tables: &'a dyn TableStore,
        log: &'a Timeline,
        filter: &[Filter],
    ) -> StorageResult<()> {
        while self.head.is_none() {
            let Some(rows) = &mut self.open else {
                let Some(partition) = self.next_partition().await? else {
                    return Ok(());
                };
                let query = self.start.query(&partition, filter);
                self.open = Some(Rows::new(tables, &log.table, query));
                continue;
            };
            match rows.next().await? {
                None => self.open = None,
                Some(row) => {
                    let at = instant(&row);
                    if self.start.admits(at) {
                        self.head = Some((at, row));
                    }
                }
            }
        }
        Ok(())
    }

    async fn next_partition(&mut self) -> StorageResult<Option<String>> {
        while let Some(partition) = self.partitions.next().await? {
            let is_too_new = self
                .start
                .partition
                .as_ref()
                .is_some_and(|newest| partition > *newest);
            if is_too_new {
                continue;
            }
            let is_too_old = self
                .oldest
                .as_ref()
                .is_some_and(|oldest| partition < *oldest);
            return Ok((!is_too_old).then_some(partition));
        }
        Ok(None)
    }
}

impl Partitions<'_> {
    async fn next(&mut self) -> StorageResult<Option<String>> {
        match self {
            Self::Months(months) => Ok(months.next()),
            Self::Days(days) => days.next().await,
        }
    }
}

impl Days<'_> {
    async fn next(&mut self) -> StorageResult<Option<String>> {
        if self.marked.is_none() {
            let marker = self.markers.next().await?;
            self.marked = marker.map(|marker| inverted_day(&marker.entity.key.row));
        }
        // A day may be in both: the Python product wrote it, and so do we.
        let next = self.marked.as_ref().max(self.legacy.peek()).cloned();
        self.marked.take_if(|day| Some(&*day) == next.as_ref());
        self.legacy.next_if(|day| Some(day) == next.as_ref());
        Ok(next)
    }
}

impl Start {
    fn admits(&self, at: Timestamp) -> bool {
        self.before
            .is_none_or(|before| at < before || (self.includes && at == before))
    }

    fn query(&self, partition: &str, filter: &[Filter]) -> Query {
        let row = |comparison, text: &str| {
            Filter::compare(Property::RowKey, comparison, Value::String(text.to_owned()))
        };
        let mut all = Filter::partition(partition).and(row(Comparison::Less, AFTER_ENTRIES));
        if let Some(after) = &self.row
            && self.partition.as_deref() == Some(partition)
        {
            all = all.and(row(Comparison::Greater, after));
        }
        for part in filter {
            all = all.and(part.clone());
        }
        Query {
            filter: Some(all),
            top: PAGE,
            ..Query::default()
        }
    }
}

fn marker_query(log: &Timeline, start: &Start) -> Query {
    let mut filter = Filter::partition(log.table.as_str());
    if let Some(day) = &start.partition {
        filter = filter.and(Filter::compare(
            Property::RowKey,
            Comparison::GreaterOrEqual,
            Value::String(inverted_day(day)),
        ));
    }
    Query {
        filter: Some(filter),
        top: DAYS,
        ..Query::default()
    }
}

/// When a row says that it was written; the end of time for one that cannot be read, so that it is
/// met at once and told.
fn instant(row: &StoredEntity) -> Timestamp {
    RowReader(&row.entity)
        .instant("timestamp")
        .unwrap_or(Timestamp::MAX)
}

fn month_of(at: Timestamp) -> String {
    month_of_day(&day_of(at))
}

/// The month of a day, as the Python product wrote it.
pub(super) fn month_of_day(day: &str) -> String {
    day.replace('-', "").chars().take(6).collect()
}

/// Lowers a bound; a partition that the walk starts in the middle of is older or the same.
fn lower(bound: &mut Option<String>, to: String) {
    if bound.as_ref().is_none_or(|present| *present > to) {
        *bound = Some(to);
    }
}
