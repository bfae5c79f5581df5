//! The sentences in which the pipeline fails.

use dilux_core::storage::{StorageError, StorageErrorKind};
use dilux_core::transfer::{Failure, FailureKind};

/// A storage error as a person should read it; the store's own words become the detail.
pub(crate) fn storage(error: &StorageError) -> Failure {
    let (kind, message) = match error.kind() {
        StorageErrorKind::Full => (
            FailureKind::Storage,
            "the backup store is full; free some space or enlarge it, then try again",
        ),
        StorageErrorKind::Denied => (
            FailureKind::Storage,
            "the backup store refused the access; check its credentials and permissions",
        ),
        StorageErrorKind::Unavailable => (
            FailureKind::Storage,
            "the backup store does not answer; check that it is up and can be reached",
        ),
        StorageErrorKind::Throttled => (
            FailureKind::Storage,
            "the backup store is too busy; try again later or raise its limits",
        ),
        StorageErrorKind::NotFound => (
            FailureKind::Storage,
            "the backup container or the blob is missing; check the container's name",
        ),
        StorageErrorKind::PreconditionFailed => (
            FailureKind::Integrity,
            "somebody changed the stored data while it was read",
        ),
        StorageErrorKind::Corrupt => (
            FailureKind::Integrity,
            "the backup store gave or got damaged bytes; check its disks",
        ),
        StorageErrorKind::AlreadyExists
        | StorageErrorKind::Protected
        | StorageErrorKind::Invalid
        | StorageErrorKind::Internal => (
            FailureKind::Storage,
            "the backup store refused an operation",
        ),
    };
    Failure::new(kind, message).with_detail(error.to_string())
}

/// The stored bytes are not the ones that were written.
pub(crate) fn integrity(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Integrity, message)
}

/// Something that cannot be, unless we are wrong.
pub(crate) fn defect(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Internal, message)
}

/// Somebody asked to stop.
pub(crate) fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "stopped on request")
}
