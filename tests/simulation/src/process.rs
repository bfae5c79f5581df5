//! A simulated process: it can be killed, stopped for a while, or cut off from the store.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// One life of a process, from its start to its death.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    is_dead: AtomicBool,
    died: Notify,
    stopped_until: Mutex<Option<Instant>>,
    cut_off_until: Mutex<Option<Instant>>,
}

impl Process {
    /// A process that begins to live. `name` is for logs.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_dead: AtomicBool::new(false),
            died: Notify::new(),
            stopped_until: Mutex::default(),
            cut_off_until: Mutex::default(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ends it as `kill -9` does: nothing that it runs gets any further.
    pub(crate) fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
        self.died.notify_one();
    }

    /// Waits for its death.
    pub(crate) async fn death(&self) {
        self.died.notified().await;
    }

    /// Freezes its next steps until then.
    pub(crate) fn stop_until(&self, then: Instant) {
        *self
            .stopped_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(then);
    }

    /// Keeps its requests from the store until then.
    pub(crate) fn cut_off_until(&self, then: Instant) {
        *self
            .cut_off_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(then);
    }

    /// Whether its requests do not arrive now.
    pub(crate) fn is_cut_off(&self) -> bool {
        is_ahead(&self.cut_off_until).is_some()
    }

    /// Lets a step of the process happen: at once, once it is not stopped any more, or never.
    pub(crate) async fn step(&self) {
        loop {
            if self.is_dead.load(Ordering::Relaxed) {
                return pending().await;
            }
            match is_ahead(&self.stopped_until) {
                None => return,
                Some(then) => sleep_until(then).await,
            }
        }
    }
}

/// The instant, unless it has come; then it is forgotten.
fn is_ahead(until: &Mutex<Option<Instant>>) -> Option<Instant> {
    let mut until = until.lock().unwrap_or_else(PoisonError::into_inner);
    if until.is_some_and(|then| then <= Instant::now()) {
        *until = None;
    }
    *until
}
