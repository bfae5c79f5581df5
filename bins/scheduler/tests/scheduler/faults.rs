//! Tables that fail or fall silent when a test says so.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dilux_core::storage::{
    Continuation, ETag, EntityKey, Page, Query, StorageError, StorageErrorKind, StorageResult,
    StoredEntity, TableName, TableOperation, TableStore,
};
use tokio::sync::Notify;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Every call fails.
    Down,
    /// Queries of this table fail.
    QueriesFail(&'static str),
    /// Queries of this table fail, and after the first one every call does.
    GoesDownAt(&'static str),
    /// Queries of this table are never answered.
    Hangs(&'static str),
    /// Nothing is written to this table.
    WritesFail(&'static str),
}

/// The switch of a faulty store.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    fault: Mutex<Option<Fault>>,
    /// Queries that failed.
    refused: AtomicUsize,
    /// Told when a query hangs.
    pub(crate) hung: Notify,
}

impl Faults {
    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    /// How many queries failed.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    fn down() -> StorageError {
        StorageError::new(StorageErrorKind::Unavailable, "reach store", "switched off")
    }

    fn check(&self) -> StorageResult<()> {
        match *self.fault.lock().unwrap() {
            Some(Fault::Down) => Err(Self::down()),
            _ => Ok(()),
        }
    }

    fn check_write(&self, table: &TableName) -> StorageResult<()> {
        match *self.fault.lock().unwrap() {
            Some(Fault::WritesFail(name)) if name == table.as_str() => Err(Self::down()),
            _ => Ok(()),
        }
    }

    async fn check_query(&self, table: &TableName) -> StorageResult<()> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Some(Fault::Down) => Err(Self::down()),
            Some(Fault::QueriesFail(name)) if name == table.as_str() => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(Self::down())
            }
            Some(Fault::GoesDownAt(name)) if name == table.as_str() => {
                self.set(Some(Fault::Down));
                Err(Self::down())
            }
            Some(Fault::Hangs(name)) if name == table.as_str() => {
                self.hung.notify_one();
                std::future::pending().await
            }
            _ => Ok(()),
        }
    }
}

/// A store with a switch.
#[derive(Debug)]
pub(crate) struct FaultyTables {
    pub(crate) inner: Arc<dyn TableStore>,
    pub(crate) faults: Arc<Faults>,
}

#[async_trait]
impl TableStore for FaultyTables {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.faults.check()?;
        self.inner.create_table(table).await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        self.faults.check()?;
        self.inner.get(table, key).await
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        self.faults.check_query(table).await?;
        self.inner.query(table, query, from).await
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        self.faults.check()?;
        self.faults.check_write(table)?;
        self.inner.write(table, operation).await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        self.faults.check()?;
        self.inner.write_batch(table, operations).await
    }
}
