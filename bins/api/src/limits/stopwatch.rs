//! Time that only goes forward, made from a clock that people and protocols set.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dilux_core::clock::SharedClock;
use governor::clock::Clock;
use jiff::Timestamp;

/// How long it has been running. A clock that is put back stops it for no longer than a moment.
#[derive(Debug)]
pub(super) struct Stopwatch {
    clock: SharedClock,
    reading: Mutex<Reading>,
}

#[derive(Debug)]
struct Reading {
    at: Timestamp,
    elapsed: Duration,
}

impl Stopwatch {
    /// One that begins now.
    pub(super) fn new(clock: SharedClock) -> Self {
        let reading = Reading {
            at: clock.now(),
            elapsed: Duration::ZERO,
        };
        Self {
            clock,
            reading: Mutex::new(reading),
        }
    }
}

impl Clock for Stopwatch {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let step = now.duration_since(reading.at);
        // Negative after the clock was put back.
        reading.elapsed += Duration::try_from(step).unwrap_or_default();
        reading.at = now;
        reading.elapsed
    }
}
