//! The rows of a query, one after the other, however many pages the store makes of them.

use crate::storage::{
    Continuation, Page, Query, StorageResult, StoredEntity, TableName, TableStore,
};

/// Reads the next page when the rows of the last one are used up, and not before.
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
            self.ready = entities.into_iter();
            self.next = next;
        }
    }
}
