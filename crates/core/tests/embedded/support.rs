//! What the tests of the embedded adapter share.

use std::path::Path;
use std::sync::Arc;

use dilux_core::clock::{ManualClock, SystemClock};
use dilux_core::random::SystemRandom;
use dilux_core::storage::StorageResult;
use dilux_core::storage::embedded::EmbeddedStore;

pub(crate) fn open(directory: &Path) -> StorageResult<EmbeddedStore> {
    EmbeddedStore::open(directory, Arc::new(SystemClock), Arc::new(SystemRandom))
}

/// A store whose clock the test moves.
pub(crate) fn open_at(directory: &Path, now: &str) -> (EmbeddedStore, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(now.parse().unwrap()));
    let store = EmbeddedStore::open(directory, clock.clone(), Arc::new(SystemRandom)).unwrap();
    (store, clock)
}
