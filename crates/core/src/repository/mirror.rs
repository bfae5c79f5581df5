//! What a process has read of a collection, kept until somebody changes the table. Calls that come
//! at once share one reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::collection::{Listing, Versioned};
use crate::storage::{ETag, StorageResult};

/// Rows of a collection that are kept at most. A larger one is read at each call.
pub(super) const MOST_KEPT: usize = 10_000;

/// The rows of a collection.
pub(super) type Rows<T> = Arc<Listing<Versioned<T>>>;

/// What is mirrored.
#[async_trait]
pub(super) trait Source<T>: Sync {
    /// The version of the table, if it has one.
    async fn version(&self) -> StorageResult<Option<ETag>>;

    /// All rows; `None` when there are too many to be kept.
    async fn read(&self) -> StorageResult<Option<Rows<T>>>;
}

/// The newest reading of a collection.
#[derive(Debug)]
pub(super) struct Mirror<T> {
    /// How many readings have begun.
    begun: AtomicU64,
    newest: Mutex<Option<Reading<T>>>,
}

#[derive(Debug)]
struct Reading<T> {
    number: u64,
    /// The table's version before it was read.
    version: Option<ETag>,
    /// `None` when there are too many.
    rows: Option<Rows<T>>,
}

impl<T> Default for Mirror<T> {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            newest: Mutex::new(None),
        }
    }
}

impl<T> Mirror<T> {
    /// The rows as they stood at a moment after this call: those kept, if the table has the version
    /// that it had when they were read, or if they were read since; else what the source has.
    pub(super) async fn rows(&self, source: &impl Source<T>) -> StorageResult<Option<Rows<T>>> {
        let begun_before = self.begun.load(Ordering::SeqCst);
        let mut newest = self.newest.lock().await;
        if let Some(reading) = &*newest
            && reading.number > begun_before
        {
            return Ok(reading.rows.clone());
        }
        let version = source.version().await?;
        if let Some(reading) = &*newest
            && version.is_some()
            && reading.version == version
        {
            return Ok(reading.rows.clone());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let rows = source.read().await?;
        *newest = Some(Reading {
            number,
            version,
            rows: rows.clone(),
        });
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::storage::{StorageError, StorageErrorKind};

    /// A table whose readings are counted, and wait until they are let through.
    struct Table {
        version: Option<&'static str>,
        readings: AtomicUsize,
        gate: Semaphore,
        is_down: bool,
    }

    impl Table {
        /// One that lets `readings` through.
        fn open_for(readings: usize, version: Option<&'static str>) -> Self {
            Self {
                version,
                readings: AtomicUsize::new(0),
                gate: Semaphore::new(readings),
                is_down: false,
            }
        }

        fn readings(&self) -> usize {
            self.readings.load(Ordering::SeqCst)
        }

        /// What a call gets: the number of the reading.
        async fn rows(&self, mirror: &Mirror<usize>) -> StorageResult<usize> {
            Ok(mirror.rows(self).await?.unwrap().items[0].value)
        }
    }

    #[async_trait]
    impl Source<usize> for Table {
        async fn version(&self) -> StorageResult<Option<ETag>> {
            Ok(self.version.map(ETag::new))
        }

        async fn read(&self) -> StorageResult<Option<Rows<usize>>> {
            let number = self.readings.fetch_add(1, Ordering::SeqCst) + 1;
            self.gate.acquire().await.unwrap().forget();
            if self.is_down {
                let kind = StorageErrorKind::Unavailable;
                return Err(StorageError::new(kind, "read", "it is down"));
            }
            let row = Versioned {
                value: number,
                version: ETag::new("1"),
            };
            let items = vec![row];
            let damaged = Vec::new();
            Ok(Some(Arc::new(Listing { items, damaged })))
        }
    }

    #[tokio::test]
    async fn an_unchanged_table_is_read_once_and_a_changed_one_again() {
        let mirror = Mirror::default();
        let first = Table::open_for(9, Some("1"));
        for _ in 0..3 {
            assert_eq!(first.rows(&mirror).await.unwrap(), 1);
        }
        assert_eq!(first.readings(), 1);
        let second = Table::open_for(9, Some("2"));
        second.rows(&mirror).await.unwrap();
        assert_eq!(second.readings(), 1);
    }

    #[tokio::test]
    async fn without_versions_every_call_reads_for_itself() {
        let (mirror, table) = (Mirror::default(), Table::open_for(9, None));
        for number in 1..=3 {
            assert_eq!(table.rows(&mirror).await.unwrap(), number);
        }
    }

    #[tokio::test]
    async fn calls_at_once_share_the_reading_that_begins_after_them() {
        let (mirror, table) = (Mirror::default(), Table::open_for(0, None));
        let mut early = Box::pin(table.rows(&mirror));
        assert!(early.as_mut().now_or_never().is_none());
        // What the early call reads may be older than these calls.
        let mut late: Vec<_> = (0..5).map(|_| Box::pin(table.rows(&mirror))).collect();
        for call in &mut late {
            assert!(call.as_mut().now_or_never().is_none());
        }
        table.gate.add_permits(2);
        assert_eq!(early.await.unwrap(), 1);
        for call in late {
            assert_eq!(call.await.unwrap(), 2);
        }
        assert_eq!(table.readings(), 2);
    }

    #[tokio::test]
    async fn neither_a_failed_nor_an_abandoned_reading_is_given_to_anybody() {
        let mirror = Mirror::default();
        let down = |version| Table {
            is_down: true,
            ..Table::open_for(9, Some(version))
        };
        down("1").rows(&mirror).await.unwrap_err();
        let table = Table::open_for(0, Some("1"));
        assert!(Box::pin(table.rows(&mirror)).now_or_never().is_none());
        table.gate.add_permits(1);
        assert_eq!(table.rows(&mirror).await.unwrap(), 2);
        down("2").rows(&mirror).await.unwrap_err();
    }
}
