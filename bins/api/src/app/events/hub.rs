//! Who listens, how many may, and that there is one watch while somebody does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dilux_core::random::{Random, hex_text};
use dilux_core::{Error, Result};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Change;
use super::feed::Feed;
use super::watch::{LOOK_EVERY, Watch};
use crate::app::App;

/// Streams that one caller may have open at once.
const MOST_PER_CALLER: usize = 10;

/// Streams that all callers may have open at once.
const MOST: usize = 200;

/// When to try again after there were too many.
const RETRY_AFTER: Duration = Duration::from_secs(15);

/// Events that are kept for those who come back or are slow.
const KEPT: usize = 512;

/// The place where events and listeners meet.
#[derive(Debug)]
pub(in crate::app) struct Hub {
    feed: Arc<Feed>,
    listeners: Arc<Mutex<Listeners>>,
    /// Held while a watch is started, so that there is one.
    starting: AsyncMutex<()>,
    /// Held by the watch that runs; what it saw stays for the next one.
    watch: Arc<AsyncMutex<Watch>>,
    /// Whether the last look of the watch failed.
    is_blind: Arc<AtomicBool>,
    /// Cancelled when the service stops.
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Listeners {
    by_caller: HashMap<String, usize>,
    task: Option<WatchTask>,
}

/// A watch that runs until this is dropped.
#[derive(Debug)]
struct WatchTask {
    ended: CancellationToken,
    _handle: AbortOnDropHandle<()>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            feed: Arc::new(Feed::new(KEPT)),
            listeners: Arc::default(),
            starting: AsyncMutex::default(),
            watch: Arc::default(),
            is_blind: Arc::default(),
            closing: CancellationToken::new(),
        }
    }
}

impl Hub {
    /// What is told.
    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Ends all streams.
    pub(in crate::app) fn close(&self) {
        self.closing.cancel();
    }

    /// A seat for a caller, unless they, or all callers, have as many as they may.
    pub(super) fn take_seat(&self, caller: &str) -> Result<Seat> {
        let mut listeners = lock(&self.listeners);
        let all: usize = listeners.by_caller.values().sum();
        let own = listeners.by_caller.get(caller).copied().unwrap_or(0);
        if own >= MOST_PER_CALLER || all >= MOST {
            let (who, most) = if own >= MOST_PER_CALLER {
                ("you have", MOST_PER_CALLER)
            } else {
                ("the callers of this service have", MOST)
            };
            return Err(Error::TooManyAttempts {
                message: format!(
                    "{who} {most} streams of events open, the most that there may be; close one, \
                     or try again later"
                ),
                retry_after: RETRY_AFTER,
            });
        }
        *listeners.by_caller.entry(caller.to_owned()).or_default() += 1;
        Ok(Seat {
            listeners: self.listeners.clone(),
            caller: caller.to_owned(),
        })
    }

    /// Sees to it that a watch runs, for somebody who has a seat; gives what is cancelled when it
    /// ends. It has looked once, so whatever happens from now on is told.
    pub(super) async fn see_to_watch(&self, app: &App) -> Result<CancellationToken> {
        let _one_at_a_time = self.starting.lock().await;
        if let Some(ended) = self.running() {
            return if self.is_blind.load(Ordering::SeqCst) {
                Err(Error::Unavailable {
                    message: "storage does not answer; there is nothing to tell".to_owned(),
                    retry_after: None,
                    source: None,
                })
            } else {
                Ok(ended)
            };
        }
        let mut watch = self.watch.clone().lock_owned().await;
        if !watch.can_go_on(app.installation.clock.now()) {
            *watch = Watch::default();
            self.feed.begin(count_name(&*app.installation.random));
        }
        watch.look(app, &self.feed).await?;
        self.is_blind.store(false, Ordering::SeqCst);
        Ok(self.start(app.clone(), watch))
    }

    fn running(&self) -> Option<CancellationToken> {
        let listeners = lock(&self.listeners);
        let task = listeners.task.as_ref();
        task.map(|task| task.ended.clone())
            .filter(|ended| !ended.is_cancelled())
    }

    fn start(&self, app: App, watch: OwnedMutexGuard<Watch>) -> CancellationToken {
        let ended = self.closing.child_token();
        let guard = ended.clone().drop_guard();
        let (feed, is_blind) = (self.feed.clone(), self.is_blind.clone());
        let task = tokio::spawn(async move {
            // Streams must not wait for a watch that ended with a defect.
            let _ends_streams = guard;
            keep_watch(&app, watch, &feed, &is_blind).await;
        });
        lock(&self.listeners).task = Some(WatchTask {
            ended: ended.clone(),
            _handle: AbortOnDropHandle::new(task),
        });
        ended
    }
}

/// Looks again and again. A store that does not answer is told of once, and when it is over.
async fn keep_watch(
    app: &App,
    mut watch: OwnedMutexGuard<Watch>,
    feed: &Feed,
    is_blind: &AtomicBool,
) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match watch.look(app, feed).await {
            Ok(()) => {
                if is_blind.swap(false, Ordering::SeqCst) {
                    feed.publish(Change::Available);
                }
            }
            Err(error) => {
                if !is_blind.swap(true, Ordering::SeqCst) {
                    tracing::warn!(%error, "there are no events while storage does not answer");
                    feed.publish(Change::Unavailable);
                }
            }
        }
    }
}

/// A name for a count of events that no other count of any process has.
fn count_name(random: &dyn Random) -> String {
    hex_text(random, 8)
}

fn lock(listeners: &Mutex<Listeners>) -> MutexGuard<'_, Listeners> {
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One stream among those that a caller may have. The watch ends with the last one.
#[derive(Debug)]
pub(super) struct Seat {
    listeners: Arc<Mutex<Listeners>>,
    caller: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut listeners = lock(&self.listeners);
        if let Some(own) = listeners.by_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                listeners.by_caller.remove(&self.caller);
            }
        }
        if listeners.by_caller.is_empty() {
            listeners.task = None;
        }
    }
}
