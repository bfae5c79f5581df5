//! The table port with retries.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Retry, RetryPolicy};
use crate::random::SharedRandom;
use crate::storage::{
    Continuation, ETag, EntityKey, Nth, Page, Query, Span, StorageResult, StoredEntity, TableName,
    TableOperation, TableStore,
};

/// A table store that tries transient failures again; see the module for what a retried write may
/// answer.
#[derive(Debug, Clone)]
pub struct RetryingTableStore {
    inner: Arc<dyn TableStore>,
    retry: Retry,
}

impl RetryingTableStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn TableStore>, policy: RetryPolicy, random: SharedRandom) -> Self {
        Self {
            inner,
            retry: Retry { policy, random },
        }
    }
}

#[async_trait]
impl TableStore for RetryingTableStore {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.retry
            .run("create table", 0, || self.inner.create_table(table))
            .await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        self.retry
            .run("get entity", 0, || self.inner.get(table, key))
            .await
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        self.retry
            .run("query entities", 0, || self.inner.query(table, query, from))
            .await
    }

    async fn nth(&self, table: &TableName, span: &Span, number: usize) -> StorageResult<Nth> {
        self.retry
            .run("number rows", 0, || self.inner.nth(table, span, number))
            .await
    }

    async fn table_version(&self, table: &TableName) -> StorageResult<Option<ETag>> {
        self.retry
            .run("read version of table", 0, || {
                self.inner.table_version(table)
            })
            .await
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        self.retry
            .run("write entity", 0, || {
                self.inner.write(table, operation.clone())
            })
            .await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        self.retry
            .run("write batch", 0, || {
                self.inner.write_batch(table, operations.clone())
            })
            .await
    }
}
