//! Partitions of the audit log that no marker of a day names: those of the Python product, which
//! were months (`202512`) and, in an earlier version of it, days.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::repository::keys::inverted_day;
use crate::repository::rows::Rows;
use crate::repository::timeline::Timeline;
use crate::storage::{
    Comparison, Filter, Property, Query, StorageResult, TableName, TableStore, Value,
};

/// What a scan meets first after all days of a year, and before its months.
const AFTER_DAYS: &str = "-~";

/// The partitions of the Python product, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Legacy {
    /// Days, `2025-12-09`.
    pub(super) days: Vec<String>,
    /// Months, `202512`.
    pub(super) months: Vec<String>,
}

impl Legacy {
    /// Looks for them from partition to partition. The days that we marked are the newest, so that
    /// the first of a year that is met ends the looking among that year's days.
    pub(super) async fn find(tables: &dyn TableStore, log: &Timeline) -> StorageResult<Self> {
        let marked = marked(tables, log).await?;
        let mut found = Self::default();
        let mut passed = String::new();
        while let Some(partition) = next_after(tables, &log.table, &passed).await? {
            let year = partition.get(..4).unwrap_or_default();
            if marked.contains(&partition) {
                passed = format!("{year}{AFTER_DAYS}");
                continue;
            }
            if is_month(&partition) {
                found.months.push(partition.clone());
            } else if is_day(&partition) {
                found.days.push(partition.clone());
            }
            passed = partition;
        }
        found.days.reverse();
        found.months.reverse();
        Ok(found)
    }
}

/// Whether a partition is a month of the Python product.
pub(super) fn is_month(partition: &str) -> bool {
    partition.len() == 6 && partition.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_day(partition: &str) -> bool {
    partition.parse::<jiff::civil::Date>().is_ok()
}

async fn marked(tables: &dyn TableStore, log: &Timeline) -> StorageResult<BTreeSet<String>> {
    let query = Query {
        filter: Some(Filter::partition(log.table.as_str())),
        ..Query::default()
    };
    let mut markers = Rows::new(tables, &log.days, query);
    let mut days = BTreeSet::new();
    while let Some(marker) = markers.next().await? {
        days.insert(inverted_day(&marker.entity.key.row));
    }
    Ok(days)
}

/// The first partition after `passed`.
pub(super) async fn next_after(
    tables: &dyn TableStore,
    table: &TableName,
    passed: &str,
) -> StorageResult<Option<String>> {
    let bound = Value::String(passed.to_owned());
    let query = Query {
        filter: Some(Filter::compare(
            Property::PartitionKey,
            Comparison::Greater,
            bound,
        )),
        select: Some(Vec::new()),
        top: NonZeroU32::new(1),
    };
    let row = Rows::new(tables, table, query).next().await?;
    Ok(row.map(|row| row.entity.key.partition))
}
