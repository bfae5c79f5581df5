//! The storage ports in memory: exact, deterministic, without any delay or failure of their own.
//!
//! The operations are ordinary functions, so that whoever carries a request to the store decides
//! when, how often and whether it happens.

mod blobs;
mod ports;
mod queues;
mod rows;
mod select;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dilux_core::clock::SharedClock;
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::{
    ETag, EntityKey, StorageError, StorageErrorKind, TableName, TableOperation, Value,
};
use jiff::Timestamp;

use crate::defect::Defect;

pub(crate) use blobs::Place;
pub(crate) use blobs::{Blob, Container};
pub(crate) use rows::Row;

use queues::Queue;

/// Properties of a row.
pub(crate) type Properties = BTreeMap<String, Value>;

/// Everything that is stored.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Tables by name.
    pub(crate) tables: BTreeMap<TableName, BTreeMap<EntityKey, Row>>,
    /// Containers by name.
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) queues: BTreeMap<String, Queue>,
    /// Data of backups that is not any more what was written, by name of the blob: since when.
    pub(crate) decayed: BTreeMap<String, Timestamp>,
    secrets: BTreeMap<SecretName, SecretValue>,
    counter: u64,
}

impl Content {
    /// A number that was never given before.
    fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The rows of a table; none when there is no such table.
    pub(crate) fn rows(&self, table: &str) -> impl Iterator<Item = (&EntityKey, &Row)> {
        self.tables
            .iter()
            .filter(move |(name, _)| name.as_str() == table)
            .flat_map(|(_, rows)| rows)
    }

    /// A blob.
    pub(crate) fn blob(&self, container: &str, name: &str) -> Option<&Blob> {
        self.containers.get(container)?.blobs.get(name)
    }

    /// The texts of all messages.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &str> {
        self.queues.values().flat_map(Queue::texts)
    }

    /// Loses the messages of a queue for which `is_lost` answers `true`.
    pub(crate) fn lose_messages(&mut self, queue: &str, is_lost: impl FnMut() -> bool) {
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.lose(is_lost);
        }
    }
}

/// Sees each change as it happens, inside the store, whoever caused it.
pub(crate) trait Witness: Send + Sync + std::fmt::Debug {
    /// A row was written or, when it is not in `content` any more, deleted.
    fn row_changed(
        &self,
        content: &Content,
        table: &TableName,
        key: &EntityKey,
        before: Option<&Row>,
    );

    /// A blob was written or, when it is not in `content` any more, deleted.
    fn blob_changed(&self, content: &Content, container: &str, name: &str, before: Option<&Blob>);
}

/// A store in memory. Fails only where a port's contract says so.
#[derive(Debug)]
pub struct Memory {
    clock: SharedClock,
    content: Mutex<Content>,
    witness: Option<std::sync::Arc<dyn Witness>>,
    defect: Option<Defect>,
}

impl Memory {
    /// An empty store whose own clock is `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            content: Mutex::default(),
            witness: None,
            defect: None,
        }
    }

    /// The same store, watched.
    #[must_use]
    pub(crate) fn watched_by(self, witness: std::sync::Arc<dyn Witness>) -> Self {
        Self {
            witness: Some(witness),
            ..self
        }
    }

    /// The same store, broken.
    #[must_use]
    pub(crate) fn with_defect(self, defect: Option<Defect>) -> Self {
        Self { defect, ..self }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// What a store that failed at this request answers; only a broken one says "nothing".
    pub(crate) fn says_empty_on_failure(&self) -> bool {
        self.has(Defect::ReadsFailureAsEmpty)
    }

    /// Everything that is stored, for those who look at it from outside.
    pub(crate) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store's time, to the 100 ns that a table keeps.
    fn now(&self) -> Timestamp {
        cut(self.clock.now())
    }
}

/// An instant cut to 100 ns.
fn cut(instant: Timestamp) -> Timestamp {
    let nanoseconds = instant.as_nanosecond();
    Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(100)).unwrap_or(instant)
}

fn etag(number: u64) -> ETag {
    ETag::new(format!("\"{number}\""))
}

fn error(
    kind: StorageErrorKind,
    operation: &'static str,
    message: impl Into<String>,
) -> StorageError {
    StorageError::new(kind, operation, message)
}

/// The name of a write for errors and logs.
pub(crate) fn verb(operation: &TableOperation) -> &'static str {
    match operation {
        TableOperation::Insert(_) => "insert entity",
        TableOperation::Replace(..) => "replace entity",
        TableOperation::Merge(..) => "merge entity",
        TableOperation::Delete(..) => "delete entity",
    }
}
