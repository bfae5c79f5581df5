//! A flat collection: one partition, one row per thing, addressed by id.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;

use super::mirror::{self, MOST_KEPT, Mirror};
use super::row::{Row, RowReader, RowWriter};
use super::rows::Rows;
use super::settle::write_settled;
use crate::storage::{
    Comparison, Condition, Continuation, ETag, EntityKey, Filter, Property, Query, StorageError,
    StorageErrorKind, StorageResult, StoredEntity, TableName, TableOperation, TableStore, Value,
};

/// Version of a stored thing.
pub type Version = ETag;

/// A thing as stored, with its version for the next conditional write.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// The thing.
    pub value: T,
    /// Its version.
    pub version: Version,
}

/// A row that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRow {
    /// Its key.
    pub key: EntityKey,
    /// Why.
    pub reason: String,
}

/// What a listing found.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The good rows, in key order.
    pub items: Vec<T>,
    /// The others.
    pub damaged: Vec<DamagedRow>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            damaged: Vec::new(),
        }
    }
}

impl<T: Row> Listing<Versioned<T>> {
    /// Adds a row, with the damaged ones when it cannot be decoded.
    fn add(&mut self, table: &TableName, row: StoredEntity) {
        match T::read(&RowReader(&row.entity)) {
            Ok(value) => {
                let version = row.etag;
                self.items.push(Versioned { value, version });
            }
            Err(fault) => {
                let key = row.entity.key;
                tracing::warn!(
                    table = table.as_str(), partition = %key.partition, row = %key.row,
                    reason = %fault, "row cannot be decoded"
                );
                self.damaged.push(DamagedRow {
                    key,
                    reason: fault.to_string(),
                });
            }
        }
    }
}

/// One partition of things of type `T`, addressed by ids of type `I`.
pub struct Collection<T, I> {
    tables: Arc<dyn TableStore>,
    table: TableName,
    partition: &'static str,
    mirror: Arc<Mirror<T>>,
    marker: PhantomData<fn() -> (T, I)>,
}

impl<T, I> Clone for Collection<T, I> {
    fn clone(&self) -> Self {
        Self {
            tables: self.tables.clone(),
            table: self.table.clone(),
            partition: self.partition,
            mirror: self.mirror.clone(),
            marker: PhantomData,
        }
    }
}

impl<T, I> fmt::Debug for Collection<T, I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Collection")
            .field("table", &self.table)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

impl<T: Row, I: fmt::Display> Collection<T, I> {
    pub(super) fn new(
        tables: Arc<dyn TableStore>,
        table: TableName,
        partition: &'static str,
    ) -> Self {
        Self {
            tables,
            table,
            partition,
            mirror: Arc::default(),
            marker: PhantomData,
        }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    fn key(&self, id: &I) -> EntityKey {
        EntityKey::new(self.partition, id.to_string())
    }

    fn entity(&self, value: &T) -> crate::storage::Entity {
        let mut row = RowWriter::new(EntityKey::new(self.partition, value.row_key()));
        value.write(&mut row);
        row.finish()
    }

    /// Reads one; `None` when there is none.
    pub async fn get(&self, id: &I) -> StorageResult<Option<Versioned<T>>> {
        self.tables
            .get(&self.table, &self.key(id))
            .await?
            .map(|row| decode(&row))
            .transpose()
    }

    /// Reads all, in key order.
    pub async fn list(&self) -> StorageResult<Listing<Versioned<T>>> {
        let query = Query {
            filter: Some(Filter::partition(self.partition)),
            ..Query::default()
        };
        list_rows(&*self.tables, &self.table, query).await
    }

    /// All as they stand, in key order: kept from an earlier call where the table has not changed
    /// since, so that asking again and again costs next to nothing. Needs a store that has versions
    /// of tables; with another, only calls at once share what they read.
    pub async fn all(&self) -> StorageResult<Arc<Listing<Versioned<T>>>> {
        match self.kept().await? {
            Some(rows) => Ok(rows),
            None => self.list().await.map(Arc::new),
        }
    }

    /// As [`Self::all`]; `None` when there are too many to be kept.
    pub async fn kept(&self) -> StorageResult<Option<Arc<Listing<Versioned<T>>>>> {
        self.mirror.rows(self).await
    }

    /// All in key order: what is kept in one go, and what is too much for that page by page.
    pub fn chunks(&self) -> Chunks<'_, T, I> {
        Chunks {
            collection: self,
            next: Next::Kept,
        }
    }

    /// Reads a page of them in key order, and where the next one starts.
    pub async fn page(
        &self,
        from: Option<&Continuation>,
    ) -> StorageResult<(Listing<Versioned<T>>, Option<Continuation>)> {
        let query = Query {
            filter: Some(Filter::partition(self.partition)),
            ..Query::default()
        };
        let page = self.tables.query(&self.table, &query, from).await?;
        let mut listing = Listing::default();
        for row in page.entities {
            listing.add(&self.table, row);
        }
        Ok((listing, page.next))
    }

    /// Reads those from `first` to `last` in key order, both included.
    pub async fn between(&self, first: &I, last: &I) -> StorageResult<Listing<Versioned<T>>> {
        let bound = |comparison, id: &I| {
            Filter::compare(Property::RowKey, comparison, Value::String(id.to_string()))
        };
        let filter = Filter::partition(self.partition)
            .and(bound(Comparison::GreaterOrEqual, first))
            .and(bound(Comparison::LessOrEqual, last));
        let query = Query {
            filter: Some(filter),
            ..Query::default()
        };
        list_rows(&*self.tables, &self.table, query).await
    }

    /// Creates one; `AlreadyExists` when its id is taken.
    pub async fn insert(&self, value: T) -> StorageResult<Versioned<T>> {
        let operation = TableOperation::Insert(self.entity(&value));
        let version = write_settled(&*self.tables, &self.table, operation).await?;
        versioned(value, version)
    }

    /// Replaces one in the version that was read; `PreconditionFailed` when it is another by now.
    pub async fn replace(&self, value: T, version: &Version) -> StorageResult<Versioned<T>> {
        let condition = Condition::Matches(version.clone());
        let operation = TableOperation::Replace(self.entity(&value), condition);
        let version = write_settled(&*self.tables, &self.table, operation).await?;
        versioned(value, version)
    }

    /// Deletes one in the version that was read. One that is gone already counts as deleted.
    pub async fn delete(&self, id: &I, version: &Version) -> StorageResult<()> {
        let operation = TableOperation::Delete(self.key(id), Condition::Matches(version.clone()));
        write_settled(&*self.tables, &self.table, operation)
            .await
            .map(drop)
    }
}

/// A walk through a collection.
#[derive(Debug)]
pub struct Chunks<'a, T, I> {
    collection: &'a Collection<T, I>,
    next: Next,
}

/// What a walk reads next.
#[derive(Debug)]
enum Next {
    /// Everything, if it is kept.
    Kept,
    /// A page.
    Page(Continuation),
    /// It has seen all.
    Nothing,
}

impl<T: Row, I: fmt::Display> Chunks<'_, T, I> {
    /// Rows that follow; `None` after the last ones.
    pub async fn next(&mut self) -> StorageResult<Option<Arc<Listing<Versioned<T>>>>> {
        let from = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => return Ok(None),
            Next::Page(from) => Some(from),
            Next::Kept => match self.collection.kept().await? {
                Some(rows) => return Ok(Some(rows)),
                None => None,
            },
        };
        let (page, next) = self.collection.page(from.as_ref()).await?;
        if let Some(next) = next {
            self.next = Next::Page(next);
        }
        Ok(Some(Arc::new(page)))
    }
}

#[async_trait]
impl<T: Row, I: fmt::Display> mirror::Source<T> for Collection<T, I> {
    async fn version(&self) -> StorageResult<Option<ETag>> {
        self.tables.table_version(&self.table).await
    }

    async fn read(&self) -> StorageResult<Option<mirror::Rows<T>>> {
        let mut all = Listing::default();
        let mut from = None;
        loop {
            let (page, next) = self.page(from.as_ref()).await?;
            all.items.extend(page.items);
            all.damaged.extend(page.damaged);
            if all.items.len() > MOST_KEPT {
                return Ok(None);
            }
            match next {
                Some(next) => from = Some(next),
                None => return Ok(Some(Arc::new(all))),
            }
        }
    }
}

/// The written thing with the version that the store gave.
pub(super) fn versioned<T>(value: T, version: Option<ETag>) -> StorageResult<Versioned<T>> {
    version
        .map(|version| Versioned { value, version })
        .ok_or_else(|| {
            StorageError::new(
                StorageErrorKind::Internal,
                "write entity",
                "the store gave no version",
            )
        })
}

/// Decodes one row, or names it as damaged.
pub(super) fn decode<T: Row>(row: &StoredEntity) -> StorageResult<Versioned<T>> {
    T::read(&RowReader(&row.entity))
        .map(|value| Versioned {
            value,
            version: row.etag.clone(),
        })
        .map_err(|fault| {
            let key = &row.entity.key;
            StorageError::new(
                StorageErrorKind::Corrupt,
                "decode row",
                format!("row ({}, {}): {fault}", key.partition, key.row),
            )
        })
}

/// Reads every row of a query, through all its pages, damaged rows apart.
pub(super) async fn list_rows<T: Row>(
    tables: &dyn TableStore,
    table: &TableName,
    query: Query,
) -> StorageResult<Listing<Versioned<T>>> {
    let mut listing = Listing::default();
    let mut rows = Rows::new(tables, table, query);
    while let Some(row) = rows.next().await? {
        listing.add(table, row);
    }
    Ok(listing)
}
