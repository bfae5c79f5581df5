//! How much of their limit everybody has used, for a bounded number of keys.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Keys that are told apart. When so many have used some of their limit, further ones share one
/// bucket: a flood from made-up addresses takes no more memory, and does not push out who came before.
pub(super) const CAPACITY: usize = 10_000;

/// For each key the instant at which its bucket is full again.
#[derive(Debug)]
pub(super) struct Usage<K> {
    /// What one request takes.
    request: Nanos,
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    full_at: HashMap<K, Nanos>,
    shared: Option<Nanos>,
    /// Until then no bucket is full again, so that looking for one is useless.
    next_full: Option<Nanos>,
}

impl<K> Usage<K> {
    /// No usage yet, of a limit that gives a request back after each `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            request: interval.into(),
            buckets: Mutex::new(Buckets {
                full_at: HashMap::new(),
                shared: None,
                next_full: None,
            }),
        }
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Forgets buckets that are full at `now`: they are as good as new ones.
    fn make_room(&mut self, now: Nanos) {
        if self.full_at.len() < CAPACITY || self.next_full.is_some_and(|next| now < next) {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        self.next_full = self.full_at.values().min().copied();
    }
}

impl<K: Hash + Eq + Clone> StateStore for Usage<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = buckets.full_at.get_mut(key) {
            let (outcome, next) = measure(Some(*full_at))?;
            *full_at = next;
            return Ok(outcome);
        }
        let (outcome, full_at) = measure(None)?;
        buckets.make_room(full_at.saturating_sub(self.request));
        if buckets.full_at.len() < CAPACITY {
            buckets.full_at.insert(key.clone(), full_at);
            return Ok(outcome);
        }
        let (outcome, next) = measure(buckets.shared)?;
        buckets.shared = Some(next);
        Ok(outcome)
    }
}

#[cfg(test)]
impl<K> Usage<K> {
    /// How many keys are told apart.
    pub(super) fn len(&self) -> usize {
        self.buckets.lock().unwrap().full_at.len()
    }
}
