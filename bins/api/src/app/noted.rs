//! What the audit log tells once an hour, so that nobody floods it by doing it again and again. Kept
//! in memory: each API process notes for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How often the same is noted.
const PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Things that are remembered at most.
const CAPACITY: usize = 1000;

/// When things were last noted.
#[derive(Debug)]
pub(super) struct Noted<K>(Mutex<HashMap<K, Timestamp>>);

/// Whether something is to be noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It was, within the last hour.
    No,
    /// It is.
    Yes,
    /// It is, but so much else was noted within the hour that it would not be remembered.
    Unremembered,
}

impl<K> Default for Noted<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Noted<K> {
    /// Whether `what` is to be noted now.
    pub(super) fn due(&self, what: &K, now: Timestamp) -> Due {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CAPACITY {
            all.retain(|_, last| now.duration_since(*last) < PAUSE);
        }
        match all.get(what) {
            Some(last) if now.duration_since(*last) < PAUSE => Due::No,
            None if all.len() >= CAPACITY => Due::Unremembered,
            _ => Due::Yes,
        }
    }

    /// `what` was noted.
    pub(super) fn note(&self, what: K, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < CAPACITY || all.contains_key(&what) {
            all.insert(what, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_due_once_an_hour_and_memory_is_bounded() {
        let noted = Noted::<usize>::default();
        let start = Timestamp::UNIX_EPOCH;
        for what in 0..CAPACITY {
            assert_eq!(noted.due(&what, start), Due::Yes);
            noted.note(what, start);
            assert_eq!(noted.due(&what, start), Due::No);
        }
        assert_eq!(noted.due(&CAPACITY, start), Due::Unremembered);
        noted.note(CAPACITY, start);
        assert_eq!(noted.due(&CAPACITY, start), Due::Unremembered);
        let later = start + PAUSE;
        assert_eq!(noted.due(&0, later - SignedDuration::from_secs(1)), Due::No);
        assert_eq!(noted.due(&CAPACITY, later), Due::Yes);
        assert_eq!(noted.due(&0, later), Due::Yes);
    }
}
