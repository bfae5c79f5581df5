//! Clocks that follow the paused time of the runtime.

use dilux_core::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that shows the simulated time, wrong by a fixed span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimulatedClock {
    origin: Timestamp,
    started: Instant,
    skew: SignedDuration,
}

impl SimulatedClock {
    /// A right clock that shows `origin` now.
    pub(crate) fn starting_at(origin: Timestamp) -> Self {
        Self {
            origin,
            started: Instant::now(),
            skew: SignedDuration::ZERO,
        }
    }

    /// The same time as a clock shows it that is wrong by `skew`.
    #[must_use]
    pub(crate) fn skewed(self, skew: SignedDuration) -> Self {
        Self { skew, ..self }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.started.elapsed());
        let shown = self.skew + elapsed.unwrap_or(SignedDuration::ZERO);
        self.origin.saturating_add(shown).unwrap_or(self.origin)
    }
}
