//! What goes wrong below the ports, and which storage error it is.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::storage::{StorageError, StorageErrorKind};

/// A failure that does not know yet during which operation it happened.
#[derive(Debug)]
pub(super) enum Fault {
    /// We refused.
    Refused {
        kind: StorageErrorKind,
        message: String,
        batch_index: Option<usize>,
    },
    /// SQLite failed.
    Sqlite(rusqlite::Error),
    /// The file system failed.
    Io(io::Error),
}

impl Fault {
    pub(super) fn refused(kind: StorageErrorKind, message: impl Into<String>) -> Self {
        Self::Refused {
            kind,
            message: message.into(),
            batch_index: None,
        }
    }

    pub(super) fn corrupt(message: impl Into<String>) -> Self {
        Self::refused(StorageErrorKind::Corrupt, message)
    }

    /// Names the write of a batch that was refused.
    pub(super) fn at(self, index: usize) -> Self {
        match self {
            Self::Refused { kind, message, .. } => Self::Refused {
                kind,
                message,
                batch_index: Some(index),
            },
            other => other,
        }
    }

    /// Whether a transaction that ended like this certainly has not been committed. A disk that
    /// failed while it was written to may have kept it.
    pub(super) fn left_nothing(&self) -> bool {
        match self {
            Self::Refused { kind, .. } => *kind != StorageErrorKind::Internal,
            Self::Sqlite(error) => matches!(
                classify_sqlite(error).0,
                StorageErrorKind::Full | StorageErrorKind::Denied
            ),
            Self::Io(_) => false,
        }
    }

    /// Whether we refused the request as such.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self, Self::Refused { kind, .. } if *kind == StorageErrorKind::Invalid)
    }

    /// Whether room is what was missing.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Refused { kind, .. } => *kind == StorageErrorKind::Full,
            Self::Sqlite(error) => classify_sqlite(error).0 == StorageErrorKind::Full,
            Self::Io(error) => classify_io(error) == StorageErrorKind::Full,
        }
    }

    pub(super) fn into_error(self, operation: &'static str, directory: &Path) -> StorageError {
        match self {
            Self::Refused {
                kind,
                message,
                batch_index,
            } => StorageError::new(kind, operation, message).with_batch_index(batch_index),
            Self::Sqlite(error) => {
                let (kind, what) = classify_sqlite(&error);
                StorageError::new(kind, operation, sentence(kind, what, directory))
                    .with_source(error)
            }
            Self::Io(error) => {
                let kind = classify_io(&error);
                let what = format!("the file system reports: {error}");
                StorageError::new(kind, operation, sentence(kind, &what, directory))
                    .with_source(error)
            }
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustix::io::Errno> for Fault {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::refused(error.kind(), error.to_string())
    }
}

fn sentence(kind: StorageErrorKind, what: &str, directory: &Path) -> String {
    let place = directory.display();
    match kind {
        StorageErrorKind::Full => format!(
            "no room is left for the store in '{place}': free space on its disk, or give it a \
             larger one; nothing of this write was kept"
        ),
        StorageErrorKind::Denied => {
            format!("this process may not write to the store in '{place}'; {what}")
        }
        StorageErrorKind::Corrupt => {
            format!("the store in '{place}' is damaged; {what}")
        }
        _ => format!("the store in '{place}' does not answer; {what}"),
    }
}

fn classify_sqlite(error: &rusqlite::Error) -> (StorageErrorKind, &'static str) {
    let Some(failure) = error.sqlite_error() else {
        return (
            StorageErrorKind::Corrupt,
            "a row has another shape than was written",
        );
    };
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            StorageErrorKind::Unavailable,
            "another process has been writing to it for more than 10 s",
        ),
        ErrorCode::DiskFull => (StorageErrorKind::Full, ""),
        // Growing the shared index fails like this, and only for lack of room.
        ErrorCode::SystemIoFailure
            if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE =>
        {
            (StorageErrorKind::Full, "")
        }
        ErrorCode::SystemIoFailure => (
            StorageErrorKind::Unavailable,
            "its disk reports an input/output error",
        ),
        ErrorCode::CannotOpen => (
            StorageErrorKind::Unavailable,
            "its database cannot be opened",
        ),
        ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
            (StorageErrorKind::Denied, "its database is read-only for it")
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => (
            StorageErrorKind::Corrupt,
            "its database cannot be read; restore it from a copy",
        ),
        _ => (
            StorageErrorKind::Internal,
            "its database failed in a way nobody foresaw",
        ),
    }
}

fn classify_io(error: &io::Error) -> StorageErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StorageErrorKind::Full
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StorageErrorKind::Denied
        }
        _ => StorageErrorKind::Unavailable,
    }
}
