//! Connections to the SQLite file: one writer, a few readers, none on an async thread.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::directory;
use super::fault::Fault;
use crate::crash;
use crate::storage::StorageErrorKind;

/// How long a write waits for the writes of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS: usize = 4;

/// The SQLite file of a store.
pub(super) struct Database {
    path: PathBuf,
    /// Fair, so that writes happen in the order in which they were asked for.
    writer: Arc<AsyncMutex<Writer>>,
    readers: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

struct Writer {
    durable: Connection,
    relaxed: Connection,
}

/// When a write counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// When it is on the disk.
    Durable,
    /// When it survives the process: it is on the disk with the next durable write at the latest.
    Relaxed,
}

impl Database {
    /// Opens the file, making it where it is missing. The caller holds the store's lock.
    pub(super) fn open(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join("store.sqlite");
        // SQLite gives its side files the mode of this one.
        directory::private_file()
            .create(true)
            .truncate(false)
            .open(&path)?;
        let durable = connect(&path, "FULL")?;
        let mode: String =
            durable.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Fault::refused(
                StorageErrorKind::Invalid,
                format!(
                    "the file system of '{}' cannot share a database between processes; use a \
                     local disk",
                    directory.display()
                ),
            ));
        }
        let relaxed = connect(&path, "NORMAL")?;
        Ok(Self {
            path,
            writer: Arc::new(AsyncMutex::new(Writer { durable, relaxed })),
            readers: Arc::new(Semaphore::new(READERS)),
            idle: Arc::default(),
        })
    }

    /// Runs `work` on a durable connection at once, before the store is shared.
    pub(super) fn prepare<R>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let mut writer = self
            .writer
            .try_lock()
            .map_err(|_| internal("it is open already"))?;
        work(&mut writer.durable)
    }

    /// Runs `work` in a read transaction: it sees one state of the store.
    pub(super) async fn read<R, W>(&self, work: W) -> Result<R, Fault>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> Result<R, Fault> + Send + 'static,
    {
        let permit = self.readers.clone().acquire_owned().await;
        let permit = permit.map_err(|_| internal("the store is closed"))?;
        let (path, idle) = (self.path.clone(), self.idle.clone());
        blocking(move || {
            let _permit = permit;
            let pooled = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match pooled {
                Some(connection) => connection,
                None => connect_reader(&path)?,
            };
            let result = {
                let transaction = connection.transaction()?;
                work(&transaction)
            };
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            result
        })
        .await
    }

    /// Runs `work` in a write transaction, which no other write of any process overlaps, and
    /// commits it when `work` succeeds. Writes begin in the order in which they were first polled.
    pub(super) async fn write<R, W>(&self, durability: Durability, work: W) -> Result<R, Fault>
    where
        R: Send + 'static,
        W: FnOnce(&Transaction<'_>) -> Result<R, Fault> + Send + 'static,
    {
        let mut writer = self.writer.clone().lock_owned().await;
        blocking(move || {
            let connection = match durability {
                Durability::Durable => &mut writer.durable,
                Durability::Relaxed => &mut writer.relaxed,
            };
            let _moves_on = crash::hold_pauses();
            // A transaction that reads first and writes later could fail at once when another
            // process writes in between, whatever the timeout.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })
        .await
    }
}

/// Runs blocking work away from the async threads.
pub(super) async fn blocking<R, W>(work: W) -> Result<R, Fault>
where
    R: Send + 'static,
    W: FnOnce() -> Result<R, Fault> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(internal(
            "the work was broken off by a defect or a shutdown",
        )),
    }
}

fn internal(message: &str) -> Fault {
    Fault::refused(StorageErrorKind::Internal, message)
}

fn connect(path: &Path, synchronous: &str) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    Ok(connection)
}

fn connect_reader(path: &Path) -> Result<Connection, Fault> {
    let connection = connect(path, "FULL")?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}
