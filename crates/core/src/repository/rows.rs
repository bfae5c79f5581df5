//! The rows of a query, one after the other, however many pages the store makes of them.

use std::num::NonZeroU32;

use crate::storage::{
    Continuation, Page, Query, StorageResult, StoredEntity, TableName, TableStore,
};

/// Largest page that stores give.
const MOST: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// By how much each page is longer than the one before, where the query says how long the first is.
const GROWTH: NonZeroU32 = NonZeroU32::new(4).unwrap();

/// Reads the next page when the rows of the last one are used up, and not before. A query that says
/// how many rows it expects begins with a page of so many: whoever needs few reads few, and whoever
/// goes on soon reads whole pages.
pub(super) struct Rows<'a> {
    tables: &'a dyn TableStore,
    table: &'a TableName,
    query: Query,
    ready: std::vec::IntoIter<StoredEntity>,
    next: Option<Continuation>,
    is_started: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(tables: &'a dyn TableStore, table: &'a TableName, query: Query) -> Self {
        Self {
            tables,
            table,
            query,
            ready: Vec::new().into_iter(),
            next: None,
            is_started: false,
        }
    }

    /// A number of rows as the length of a first page.
    pub(super) fn first_page(expected: usize) -> Option<NonZeroU32> {
        let expected = u32::try_from(expected).unwrap_or(u32::MAX).max(1);
        NonZeroU32::new(expected).map(|rows| rows.min(MOST))
    }

    /// The next row; `None` after the last one.
    pub(super) async fn next(&mut self) -> StorageResult<Option<StoredEntity>> {
        loop {
            if let Some(row) = self.ready.next() {
                return Ok(Some(row));
            }
            if self.is_started && self.next.is_none() {
                return Ok(None);
            }
            let Page { entities, next } = self
                .tables
                .query(self.table, &self.query, self.next.as_ref())
                .await?;
            self.is_started = true;
            self.query.top = self
                .query
                .top
                .map(|top| top.saturating_mul(GROWTH).min(MOST));
            self.ready = entities.into_iter();
            self.next = next;
        }
    }
}
