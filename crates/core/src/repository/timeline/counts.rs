//! How many entries past days have, kept from call to call: a page by number counts all days before it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::storage::ETag;

/// The newest days, which are counted each time: their markers are written before their entries.
const OPEN_DAYS: usize = 2;

/// How long a count is believed. An entry that was on its way for longer than the days above is missed
/// for so long at most.
const BELIEVED: Duration = Duration::from_mins(1);

/// Days of which counts are kept: ten years.
const MOST: usize = 3660;

/// A count, and what it holds for.
#[derive(Debug)]
struct Count {
    marker: ETag,
    at: Instant,
    entries: usize,
}

/// Entries by day.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(Arc<Mutex<HashMap<String, Count>>>);

impl Counts {
    /// The entries of a day, as long as its marker is the same.
    pub(super) fn of(&self, day: &str, marker: &ETag) -> Option<usize> {
        let counts = self.lock();
        let count = counts.get(day)?;
        (count.marker == *marker && count.at.elapsed() < BELIEVED).then_some(count.entries)
    }

    /// Keeps what was counted of the day at `place`, from 0 for the newest.
    pub(super) fn keep(&self, place: usize, day: String, marker: ETag, entries: usize) {
        let mut counts = self.lock();
        if place >= OPEN_DAYS && (counts.len() < MOST || counts.contains_key(&day)) {
            let at = Instant::now();
            let count = Count {
                marker,
                at,
                entries,
            };
            counts.insert(day, count);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
