//! Seeded randomness: one stream of numbers, the same for the same seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dilux_core::random::Random;

/// A generator of numbers from a seed (SplitMix64). Not fit for secrets.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

/// The odd step between two states of the generator.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Dice {
    /// The generator of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next 64 bits.
    pub(crate) fn roll(&self) -> u64 {
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is at least 1. The bias of the division does not matter here.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// A number between the two, both included.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// True `per_million` times in a million.
    pub(crate) fn chance(&self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// A span of whole milliseconds between the two.
    pub(crate) fn span(&self, least: Duration, most: Duration) -> Duration {
        let milliseconds = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.between(milliseconds(least), milliseconds(most)))
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&self, first: T, others: &[T]) -> T {
        let index = usize::try_from(self.below(others.len() as u64 + 1)).unwrap_or(0);
        index
            .checked_sub(1)
            .and_then(|index| others.get(index).copied())
            .unwrap_or(first)
    }

    /// A generator of its own, whose use does not disturb this one.
    #[must_use]
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.roll())
    }
}

impl Random for Dice {
    fn fill(&self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            let bytes = self.roll().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
    }
}
