//! Stores that fail when a test says so, and count what is read.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dilux_core::secret::{SecretName, SecretStore, SecretValue};
use dilux_core::storage::{
    Continuation, ETag, EntityKey, Nth, Page, Query, Span, StorageError, StorageErrorKind,
    StorageResult, StoredEntity, TableName, TableOperation, TableStore,
};
use tokio::sync::Notify;

/// How the stores go away, both at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// An operation has no effect, and neither has any after it.
    Refused,
    /// An operation has its effect, but its answer is lost, and nothing is answered after it.
    Unanswered,
    /// An operation has its effect, and then the process is dead: nothing of it goes on.
    Dead,
}

/// Rows whose writes fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken {
    table: &'static str,
    partition: Option<&'static str>,
}

impl Broken {
    fn concerns(self, table: &TableName, operation: &TableOperation) -> bool {
        let partition = operation.key().partition.as_str();
        self.table == table.as_str() && self.partition.is_none_or(|broken| broken == partition)
    }
}

/// What fails.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// All tables.
    pub(crate) tables_are_down: AtomicBool,
    /// Writes of secrets.
    pub(crate) secrets_are_down: AtomicBool,
    /// Removals of secrets.
    pub(crate) secrets_stay: AtomicBool,
    /// Writes of secrets so far.
    pub(crate) secret_writes: AtomicUsize,
    /// Writes to this table, or to one partition of it.
    pub(crate) broken_table: Mutex<Option<Broken>>,
    /// After so many requests that read tables, all tables.
    pub(crate) reads_left: Mutex<Option<usize>>,
    /// After so many requests that read tables, one of them.
    pub(crate) failing_read: Mutex<Option<usize>>,
    /// After so many operations of tables and secrets, both stores.
    pub(crate) operations_left: Mutex<Option<(usize, Break)>>,
    /// Where the dice stand that say how long each operation takes; at 0 none is slow.
    pub(crate) slowness: AtomicU64,
    /// Told when the process is dead.
    pub(crate) died: Notify,
    /// Requests that read tables so far.
    pub(crate) reads: AtomicUsize,
    /// Rows that they answered.
    pub(crate) rows: AtomicUsize,
}

impl Faults {
    pub(crate) fn break_table(&self, table: &'static str) {
        let partition = None;
        *self.broken_table.lock().unwrap() = Some(Broken { table, partition });
    }

    /// Writes of rows of one kind fail, beside others in the same table.
    pub(crate) fn break_partition(&self, table: &'static str, partition: &'static str) {
        let partition = Some(partition);
        *self.broken_table.lock().unwrap() = Some(Broken { table, partition });
    }

    pub(crate) fn mend(&self) {
        *self.broken_table.lock().unwrap() = None;
        *self.reads_left.lock().unwrap() = None;
        *self.failing_read.lock().unwrap() = None;
        *self.operations_left.lock().unwrap() = None;
        self.tables_are_down.store(false, Ordering::SeqCst);
        self.secrets_are_down.store(false, Ordering::SeqCst);
        self.secrets_stay.store(false, Ordering::SeqCst);
    }

    /// Both stores go away after so many operations.
    pub(crate) fn break_after(&self, operations: usize, how: Break) {
        *self.operations_left.lock().unwrap() = Some((operations, how));
    }

    /// Carries out an operation of either store, unless both are away.
    async fn carry_out<T>(
        &self,
        operation: impl Future<Output = StorageResult<T>>,
    ) -> StorageResult<T> {
        self.wait().await;
        let broken = match self.operations_left.lock().unwrap().as_mut() {
            None => None,
            Some((0, how)) => Some((true, *how)),
            Some((left, how)) => {
                *left -= 1;
                (*left == 0).then_some((false, *how))
            }
        };
        match broken {
            None | Some((false, Break::Refused)) => operation.await,
            Some((false, Break::Unanswered)) => {
                operation.await?;
                Err(Self::down())
            }
            Some((is_dead, Break::Dead)) => {
                if !is_dead {
                    operation.await?;
                    self.died.notify_one();
                }
                std::future::pending().await
            }
            Some((true, _)) => Err(Self::down()),
        }
    }

    /// Waits for up to 4 ms, most often not at all.
    async fn wait(&self) {
        let mix = |dice: u64| dice.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        let next = |dice: u64| (dice > 0).then(|| mix(dice));
        let rolled = self
            .slowness
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        if let Ok(dice) = rolled
            && (dice >> 60) % 3 == 0
        {
            tokio::time::sleep(Duration::from_micros((dice >> 40) % 4000)).await;
        }
    }

    fn down() -> StorageError {
        StorageError::new(StorageErrorKind::Unavailable, "reach store", "switched off")
    }

    fn note_read(&self, rows: usize) {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.rows.fetch_add(rows, Ordering::SeqCst);
    }

    fn check_tables(&self) -> StorageResult<()> {
        if self.tables_are_down.load(Ordering::SeqCst) {
            Err(Self::down())
        } else {
            Ok(())
        }
    }

    fn check_read(&self) -> StorageResult<()> {
        self.check_tables()?;
        let mut failing = self.failing_read.lock().unwrap();
        if let Some(left) = failing.take() {
            *failing = left.checked_sub(1);
            if failing.is_none() {
                return Err(Self::down());
            }
        }
        match self.reads_left.lock().unwrap().as_mut() {
            Some(0) => return Err(Self::down()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn check_write(&self, table: &TableName, operation: &TableOperation) -> StorageResult<()> {
        self.check_tables()?;
        match *self.broken_table.lock().unwrap() {
            Some(broken) if broken.concerns(table, operation) => Err(Self::down()),
            _ => Ok(()),
        }
    }
}

/// Tables that fail on demand.
#[derive(Debug)]
pub(crate) struct FaultyTables {
    inner: Arc<dyn TableStore>,
    faults: Arc<Faults>,
}

impl FaultyTables {
    pub(crate) fn new(inner: Arc<dyn TableStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl TableStore for FaultyTables {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.faults.check_tables()?;
        self.faults.carry_out(self.inner.create_table(table)).await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        self.faults.check_read()?;
        let row = self.faults.carry_out(self.inner.get(table, key)).await?;
        self.faults.note_read(row.iter().count());
        Ok(row)
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        self.faults.check_read()?;
        let page = self
            .faults
            .carry_out(self.inner.query(table, query, from))
            .await?;
        self.faults.note_read(page.entities.len());
        Ok(page)
    }

    async fn nth(&self, table: &TableName, span: &Span, number: usize) -> StorageResult<Nth> {
        self.faults.check_read()?;
        let found = self
            .faults
            .carry_out(self.inner.nth(table, span, number))
            .await?;
        self.faults.note_read(1);
        Ok(found)
    }

    async fn table_version(&self, table: &TableName) -> StorageResult<Option<ETag>> {
        self.faults.check_read()?;
        let version = self
            .faults
            .carry_out(self.inner.table_version(table))
            .await?;
        self.faults.note_read(0);
        Ok(version)
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        self.faults.check_write(table, &operation)?;
        self.faults
            .carry_out(self.inner.write(table, operation))
            .await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        for operation in &operations {
            self.faults.check_write(table, operation)?;
        }
        self.faults
            .carry_out(self.inner.write_batch(table, operations))
            .await
    }
}

/// Secrets that cannot be written or removed on demand.
#[derive(Debug)]
pub(crate) struct FaultySecrets {
    inner: Arc<dyn SecretStore>,
    faults: Arc<Faults>,
}

impl FaultySecrets {
    pub(crate) fn new(inner: Arc<dyn SecretStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl SecretStore for FaultySecrets {
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()> {
        if self.faults.secrets_are_down.load(Ordering::SeqCst) {
            return Err(Faults::down());
        }
        self.faults.secret_writes.fetch_add(1, Ordering::SeqCst);
        self.faults.carry_out(self.inner.set(name, value)).await
    }

    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>> {
        self.faults.carry_out(self.inner.get(name)).await
    }

    async fn delete(&self, name: &SecretName) -> StorageResult<()> {
        if self.faults.secrets_stay.load(Ordering::SeqCst) {
            return Err(Faults::down());
        }
        self.faults.carry_out(self.inner.delete(name)).await
    }

    async fn list(&self) -> StorageResult<Vec<SecretName>> {
        self.faults.carry_out(self.inner.list()).await
    }
}
