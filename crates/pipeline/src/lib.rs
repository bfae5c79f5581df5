//! Bytes of a dump through SHA-256, compression, SHA-256 and staged blocks into a blob store, and
//! back into a restore.
//!
//! Nothing here spawns a tool or knows an engine. Nothing becomes visible in the store without the
//! proof that the dump is whole; no restore is called good before both hashes agree.

mod blocks;
mod codec;
mod commit;
mod control;
mod digest;
mod failure;
mod pool;
mod restore;
mod store;

use std::sync::Arc;

use dilux_core::random::SharedRandom;
use dilux_core::storage::BlobStore;

pub use commit::StagedDump;
pub use control::{Computing, Control, Progress, Tuning};
pub use digest::Digest;
pub use store::Destination;

/// The way between dumps and a blob store. Cheap to clone; one serves any number of jobs, each of
/// which holds at most about 40 MiB of buffers.
#[derive(Debug, Clone)]
pub struct Pipeline {
    blobs: Arc<dyn BlobStore>,
    random: SharedRandom,
    tuning: Tuning,
}

impl Pipeline {
    /// A pipeline into and out of `blobs`, which must retry transient failures itself. `random`
    /// tells the blocks of one attempt from those of any other.
    pub fn new(blobs: Arc<dyn BlobStore>, random: SharedRandom) -> Self {
        Self {
            blobs,
            random,
            tuning: Tuning::default(),
        }
    }

    /// The same pipeline with other sizes and levels.
    #[must_use]
    pub fn with_tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }
}
