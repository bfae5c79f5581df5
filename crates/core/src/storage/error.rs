//! The one error type of every storage adapter.

use std::time::Duration;

/// Result of a storage operation.
pub type StorageResult<T> = Result<T, StorageError>;

/// What kind of failure it was; the same in every adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageErrorKind {
    /// The table, queue, container, row, message or blob is not there (404). A lookup answers
    /// `None` instead; this is for writes with a condition and for missing tables or containers.
    NotFound,
    /// A create-only write met something that is there already (409).
    AlreadyExists,
    /// The version or receipt is not the current one (412; for receipts also 400 and 404).
    PreconditionFailed,
    /// The request breaks a documented limit or rule; the same call never succeeds.
    Invalid,
    /// No answer, connection failure, 5xx. The effect may or may not have happened.
    Unavailable,
    /// Too many requests (429, 503 ServerBusy).
    Throttled,
    /// The credentials were refused (401, 403).
    Denied,
    /// A rule of the store itself protects the blob: an immutability policy or a legal hold (409).
    Protected,
    /// The store has no room left.
    Full,
    /// What was read is not what was written.
    Corrupt,
    /// An answer nobody foresaw.
    Internal,
}

/// A storage failure: kind, what was attempted, and the technical source.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct StorageError {
    kind: StorageErrorKind,
    operation: &'static str,
    message: String,
    retry_after: Option<Duration>,
    batch_index: Option<usize>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StorageError {
    /// An error of `kind` while doing `operation` (verb and object: `insert entity`).
    pub fn new(
        kind: StorageErrorKind,
        operation: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            operation,
            message: message.into(),
            retry_after: None,
            batch_index: None,
            source: None,
        }
    }

    /// Adds the technical cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the wait that the server asked for.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Names the operation of a batch that failed, counted from 0.
    #[must_use]
    pub fn with_batch_index(mut self, index: Option<usize>) -> Self {
        self.batch_index = index;
        self
    }

    /// The kind.
    pub fn kind(&self) -> StorageErrorKind {
        self.kind
    }

    /// What happened, without what was attempted.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was attempted.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The wait that the server asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Which operation of a batch failed.
    pub fn batch_index(&self) -> Option<usize> {
        self.batch_index
    }

    /// Whether the same call may succeed later. The only question that retry code may ask.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            StorageErrorKind::Unavailable | StorageErrorKind::Throttled
        )
    }
}
