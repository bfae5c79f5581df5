//! What happened, boiled down to a number: two runs with one number were the same run.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dilux_core::clock::Clock as _;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::clock::SimulatedClock;

thread_local! {
    static NOW: Cell<Option<SimulatedClock>> = const { Cell::new(None) };
}

/// The log of one run. It keeps no lines; `tracing` shows them at level DEBUG.
#[derive(Debug, Clone)]
pub(crate) struct EventLog {
    clock: SimulatedClock,
    hash: Arc<AtomicU64>,
    events: Arc<AtomicU64>,
}

impl EventLog {
    /// An empty log by this clock, which from now on also dates what this thread traces.
    pub(crate) fn new(clock: SimulatedClock) -> Self {
        NOW.set(Some(clock));
        Self {
            clock,
            // The offset basis of FNV-1a.
            hash: Arc::new(AtomicU64::new(0xCBF2_9CE4_8422_2325)),
            events: Arc::default(),
        }
    }

    /// Notes that `who` did `what` with this outcome.
    pub(crate) fn note(&self, who: &str, what: &str, outcome: &str) {
        let now = self.clock.now().as_millisecond();
        self.add(&now.to_le_bytes());
        for text in [who, what, outcome] {
            self.add(text.as_bytes());
        }
        self.events.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(target: "simulation", "{who}: {what} -> {outcome}");
    }

    /// The number of everything so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    /// How many events there were.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// FNV-1a, eight bytes at a time.
    fn add(&self, bytes: &[u8]) {
        let mut hash = self.hash.load(Ordering::Relaxed);
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01B3);
            hash ^= hash >> 29;
        }
        self.hash.store(hash, Ordering::Relaxed);
    }
}

/// Dates traced lines by the simulated time of their thread.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedTime;

impl FormatTime for SimulatedTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        match NOW.get() {
            Some(clock) => write!(writer, "{:.3}", clock.now()),
            None => writer.write_str("before time"),
        }
    }
}
