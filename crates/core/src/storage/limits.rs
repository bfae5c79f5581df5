//! Decorators that refuse, before any adapter sees it, what Azure would refuse.
//!
//! Emulators and the embedded adapter are laxer than the real service; with these above them a
//! program that works on one store works on all.

mod blob;
mod queue;
mod table;

use std::time::Duration;

use super::{StorageError, StorageErrorKind, StorageResult};

pub use blob::LimitedBlobStore;
pub use queue::LimitedQueueStore;
pub use table::LimitedTableStore;
pub(super) use table::check_entity;

/// Longest visibility and delay of a message (Azure: "Put Message", "Get Messages").
const SEVEN_DAYS: Duration = Duration::from_hours(7 * 24);

fn refuse(operation: &'static str, message: impl Into<String>) -> StorageError {
    StorageError::new(StorageErrorKind::Invalid, operation, message)
}

fn require(
    holds: bool,
    operation: &'static str,
    message: impl FnOnce() -> String,
) -> StorageResult<()> {
    if holds {
        Ok(())
    } else {
        Err(refuse(operation, message()))
    }
}
