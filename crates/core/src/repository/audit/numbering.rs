//! How many entries there are, and which stands at a number, without reading them: partitions are
//! counted by the store, and those of past days once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::Mutex;

use super::AuditFilter;
use super::legacy::Legacy;
use super::walk::{AFTER_ENTRIES, month_of_day};
use crate::repository::keys::{day_of, inverted_day};
use crate::repository::rows::Rows;
use crate::repository::timeline::{Cursor, Timeline};
use crate::storage::{
    Comparison, Filter, Nth, Property, Query, Span, StorageResult, TableStore, Value,
};

/// Partitions that are counted at once.
const AT_ONCE: usize = 16;

/// The newest days, which are counted each time: an entry that was long on its way is of a day ago.
const OPEN_DAYS: usize = 2;

/// Where the entries after some others are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPlace {
    /// Entries that pass, on all pages. Damaged rows count.
    pub total: usize,
    /// They come after this entry; after none when absent.
    pub after: Option<Cursor>,
    /// And after so many more.
    pub left: usize,
}

/// Counts, kept from call to call.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(Arc<Mutex<Option<Closed>>>);

/// Entries of partitions that grow no more.
#[derive(Debug, Clone, Default)]
struct Closed {
    /// The newest day when they were counted. They are counted anew on another.
    on: Option<String>,
    days: Arc<BTreeMap<String, usize>>,
    /// All of the months of the Python product together.
    months: usize,
}

/// What there is, by day: those that are closed, and the later ones.
struct Counted {
    closed: Closed,
    open: BTreeMap<String, usize>,
}

/// The partitions of the log.
pub(super) struct Partitions<'a> {
    pub(super) tables: &'a dyn TableStore,
    pub(super) log: &'a Timeline,
    pub(super) legacy: &'a Legacy,
}

impl Counts {
    /// Where the entries are that `filter` passes after the `skip` newest of them; `None` when the
    /// filter asks for more than days, so that only reading the entries can tell.
    pub(super) async fn place(
        &self,
        log: &Partitions<'_>,
        filter: &AuditFilter,
        skip: usize,
    ) -> StorageResult<Option<AuditPlace>> {
        let legacy = log.legacy;
        let has_bounds = filter.from.is_some() || filter.until.is_some();
        if !filter.is_of_whole_days() || (has_bounds && !legacy.months.is_empty()) {
            return Ok(None);
        }
        let counted = self.count(log).await?;
        let (from, until) = (filter.from.map(day_of), filter.until.map(day_of));
        let days = counted.newest_first().filter(|(day, _)| {
            from.as_ref().is_none_or(|from| *day >= from)
                && until.as_ref().is_none_or(|until| *day < until)
        });
        let (mut passed, mut found) = (0, None);
        for (day, entries) in days {
            if found.is_none() && passed + entries >= skip {
                found = Some((day, skip - passed));
            }
            passed += entries;
        }
        let mut place = AuditPlace {
            total: passed + counted.closed.months,
            after: None,
            left: skip,
        };
        // The days of months that the Python product wrote are mixed with its entries.
        let newest = legacy.months.first();
        let is_apart = |day: &str| newest.is_none_or(|month| month_of_day(day) > *month);
        if let Some((day, number)) = found.filter(|(day, number)| *number > 0 && is_apart(day))
            && let Nth::Row(row) = log.nth(day, number).await?
        {
            place.after = Some(Cursor::at_key(day, &row));
            place.left = 0;
        }
        Ok(Some(place))
    }

    async fn count(&self, log: &Partitions<'_>) -> StorageResult<Counted> {
        if let Some(closed) = self.0.lock().await.clone() {
            let open = log.days_after(closed.newest()).await?;
            if open.last() == closed.on.as_ref() {
                let open = log.count(open).await?;
                return Ok(Counted { closed, open });
            }
        }
        // One caller counts, the others wait.
        let mut kept = self.0.lock().await;
        let all = log.days_after(None).await?;
        let closed = match kept.take_if(|kept| kept.on.as_ref() == all.last()) {
            Some(closed) => closed,
            None => log.close(&all).await?,
        };
        *kept = Some(closed.clone());
        let is_open = |day: &&String| closed.newest().is_none_or(|newest| day.as_str() > newest);
        let open = log.count(all.iter().filter(is_open).cloned().collect());
        Ok(Counted {
            open: open.await?,
            closed,
        })
    }
}

impl Closed {
    fn newest(&self) -> Option<&str> {
        let (day, _) = self.days.last_key_value()?;
        Some(day)
    }
}

impl Counted {
    fn newest_first(&self) -> impl Iterator<Item = (&String, usize)> {
        let (open, closed) = (self.open.iter().rev(), self.closed.days.iter().rev());
        open.chain(closed).map(|(day, entries)| (day, *entries))
    }
}

impl Partitions<'_> {
    /// The days with entries that are later than `day`.
    async fn days_after(&self, day: Option<&str>) -> StorageResult<BTreeSet<String>> {
        let mut filter = Filter::partition(self.log.table.as_str());
        if let Some(day) = day {
            let bound = Value::String(inverted_day(day));
            filter = filter.and(Filter::compare(Property::RowKey, Comparison::Less, bound));
        }
        let query = Query {
            filter: Some(filter),
            ..Query::default()
        };
        let mut markers = Rows::new(self.tables, &self.log.days, query);
        let is_later = |of_legacy: &&String| day.is_none_or(|day| of_legacy.as_str() > day);
        let mut days: BTreeSet<String> =
            self.legacy.days.iter().filter(is_later).cloned().collect();
        while let Some(marker) = markers.next().await? {
            days.insert(inverted_day(&marker.entity.key.row));
        }
        Ok(days)
    }

    /// Counts all of these days but the newest, and the months.
    async fn close(&self, days: &BTreeSet<String>) -> StorageResult<Closed> {
        let past = days.iter().rev().skip(OPEN_DAYS).cloned();
        let days_of_past = self.count(past.collect()).await?;
        let months = self.count(self.legacy.months.iter().cloned().collect());
        Ok(Closed {
            on: days.last().cloned(),
            days: Arc::new(days_of_past),
            months: months.await?.values().sum(),
        })
    }

    async fn count(&self, partitions: BTreeSet<String>) -> StorageResult<BTreeMap<String, usize>> {
        futures::stream::iter(partitions)
            .map(async |partition| {
                let entries = match self.nth(&partition, usize::MAX).await? {
                    Nth::Fewer(entries) => entries,
                    Nth::Row(_) => usize::MAX,
                };
                Ok((partition, entries))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// The `number`th newest entry of a partition.
    async fn nth(&self, partition: &str, number: usize) -> StorageResult<Nth> {
        let entries = Span {
            partition: partition.to_owned(),
            end: Some(AFTER_ENTRIES.to_owned()),
        };
        self.tables.nth(&self.log.table, &entries, number).await
    }
}
