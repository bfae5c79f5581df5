//! What a job sees of its bytes while they flow, and what it may set.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

/// How far the bytes of one job have come; read while they flow.
#[derive(Debug, Default)]
pub struct Progress {
    plain_bytes: AtomicU64,
    stored_bytes: AtomicU64,
}

impl Progress {
    /// Bytes read from the dump, or written into the restore.
    pub fn plain_bytes(&self) -> u64 {
        self.plain_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that the store has acknowledged, or that were read from it.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add_plain(&self, bytes: usize) {
        self.plain_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_stored(&self, bytes: usize) {
        self.stored_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The strings of one job: its progress to read and its end to demand.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Stops it. Do this rather than drop the future: only then are dump and blocks cleared away.
    pub cancel: CancellationToken,
}

/// Where hashes are computed, and chunks compressed and decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Computing {
    /// On threads of their own, so that nobody waits for them.
    #[default]
    OnThreads,
    /// Where the bytes flow: for simulations, in which threads would make no run like another.
    InPlace,
}

/// Sizes and levels. The defaults are measured ones (`examples/throughput`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Chunks that are compressed at the same time.
    pub workers: NonZeroUsize,
    /// Plain bytes that make one gzip member or Zstandard frame.
    pub chunk_bytes: NonZeroUsize,
    /// Size of the first blocks; later ones grow so that a blob holds more.
    pub block_bytes: NonZeroUsize,
    /// Level of gzip as `libdeflate` counts, 0–12.
    pub gzip_level: i32,
    /// Level of Zstandard, 1–19.
    pub zstd_level: i32,
    /// Where bytes are hashed, compressed and decompressed.
    pub computing: Computing,
}

impl Default for Tuning {
    fn default() -> Self {
        /// More would not help, since one tool feeds them all, but each takes 3–4 MiB.
        const MOST_WORKERS: NonZeroUsize = at_least_one(4);
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            workers: cores.min(MOST_WORKERS),
            chunk_bytes: at_least_one(1 << 20),
            block_bytes: at_least_one(8 << 20),
            // About 5 % more than `gzip -6` for a fifth of its work. One level less makes 9–16 %
            // more of text; one level more costs a tenth to a fifth more work for 1–2 %.
            gzip_level: 2,
            // Level 3 costs half as much work again and makes at best 6 % less.
            zstd_level: 1,
            computing: Computing::OnThreads,
        }
    }
}

const fn at_least_one(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}
