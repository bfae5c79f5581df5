//! Turns: what only one process of an installation may be at, such as registering.
//!
//! A turn is a row that is taken by compare-and-swap and renewed while it is held. One whose holder
//! was silent for long enough, by the store's clock, is taken over; until then a holder that cannot
//! renew it finds out by its own clock, and writes nothing more.
//! ([why](../../../docs/adr/2026-11-22-registering-in-turns.md))

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::installation::Installation;
use crate::random::{SystemRandom, hex_text};
use crate::repository::StoredTurn;

/// How long a holder may be silent before another takes over.
const LIFE: SignedDuration = SignedDuration::from_secs(20);

/// How often a holder speaks.
const RENEWAL: Duration = Duration::from_secs(4);

/// How long after it last spoke a holder still begins a write. The rest of [`LIFE`] is for that
/// write to arrive.
const TRUSTED: Duration = Duration::from_secs(10);

/// How often a holder tries to give its turn back.
const FAREWELLS: usize = 100;

/// How long somebody waits for a turn: longer than a holder that died keeps it.
const PATIENCE: Duration = Duration::from_secs(25);

/// How often somebody who waits looks, and how many looks the store's clock is asked once in.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_PER_TIME: u32 = 20;

/// What is done in turns, by one task of an installation after the other.
#[derive(Debug)]
pub struct Turns {
    installation: Installation,
    what: &'static str,
    /// Lets the tasks of this process wait in line.
    here: Arc<Mutex<()>>,
}

/// A turn. It is given back when it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub struct Turn {
    hold: Hold,
    /// When its holder last began to speak.
    spoke: watch::Receiver<Instant>,
    renewal: AbortHandle,
    /// Handed on when the turn is given back.
    here: Option<OwnedMutexGuard<()>>,
}

/// The row of a turn, as its holder sees it.
#[derive(Debug, Clone)]
struct Hold {
    installation: Installation,
    what: &'static str,
    holder: String,
    /// Whether it ever asked for the row.
    asked: Arc<AtomicBool>,
}

impl Turns {
    /// Turns at `what` in `installation`.
    pub fn new(installation: Installation, what: &'static str) -> Self {
        Self {
            installation,
            what,
            here: Arc::default(),
        }
    }

    /// Waits for a turn. Gives up when others are at it for too long, or the store does not answer.
    pub async fn take(&self) -> Result<Turn> {
        let here = self.here.clone().lock_owned().await;
        let hold = Hold {
            installation: self.installation.clone(),
            what: self.what,
            // The machine's own, whatever the installation's are: of two holders of one name each
            // would think that it has the turn.
            holder: hex_text(&SystemRandom, 16),
            asked: Arc::default(),
        };
        let (speak, spoke) = watch::channel(Instant::now());
        // From here on the row may be ours, whatever becomes of this task.
        let mut turn = Turn {
            renewal: tokio::spawn(std::future::ready(())).abort_handle(),
            hold,
            spoke,
            here: Some(here),
        };
        turn.hold.wait(&speak).await?;
        let hold = turn.hold.clone();
        turn.renewal = tokio::spawn(async move { hold.keep(&speak).await }).abort_handle();
        Ok(turn)
    }
}

impl Turn {
    /// An error when others may have the turn by now. To be asked before each write that only one
    /// may do.
    pub fn require(&self) -> Result<()> {
        if self.spoke.borrow().elapsed() < TRUSTED {
            return Ok(());
        }
        Err(Error::Unavailable {
            message: "the store was silent for too long in the middle; try again".to_owned(),
            retry_after: None,
            source: None,
        })
    }
}

impl Turn {
    /// Gives the turn back before anything else is done. Where that fails it is tried further, but
    /// not waited for.
    pub async fn end(self) {
        self.renewal.abort();
        if self.hold.write(None).await.is_ok() {
            self.hold.asked.store(false, Ordering::SeqCst);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.renewal.abort();
        let (hold, here) = (self.hold.clone(), self.here.take());
        if !hold.asked.load(Ordering::SeqCst) {
            return;
        }
        // Without a runtime the process ends, and others wait until the turn is over by itself.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                hold.give_back().await;
                drop(here);
            });
        }
    }
}

impl Hold {
    async fn wait(&self, speak: &watch::Sender<Instant>) -> Result<()> {
        let turns = &self.installation.repositories.turns;
        let begun = Instant::now();
        for look in 0_u32.. {
            let stored = turns.get(self.what).await?;
            let is_free = match &stored {
                None => true,
                Some(turn) if turn.holder.is_none() => true,
                Some(turn) if look % LOOKS_PER_TIME == 0 => self.is_over(turn).await?,
                Some(_) => false,
            };
            if is_free {
                speak.send_replace(Instant::now());
                self.asked.store(true, Ordering::SeqCst);
                let version = stored.as_ref().map(|turn| &turn.version);
                let given = turns.give(self.what, Some(&self.holder), version).await?;
                if given.is_some() {
                    return Ok(());
                }
            }
            if begun.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Error::Unavailable {
            message: "others are registering or removing things; try again in a moment".to_owned(),
            retry_after: None,
            source: None,
        })
    }

    /// Whether its holder was silent for so long that it is taken for dead.
    async fn is_over(&self, turn: &StoredTurn) -> Result<bool> {
        let now = self.installation.storage_time().await?;
        let is_over = now.duration_since(turn.at) >= LIFE;
        if is_over {
            tracing::warn!(
                turn = self.what,
                "a turn is taken over, since its holder is silent"
            );
        }
        Ok(is_over)
    }

    /// Says every few seconds that the holder lives. Ends when somebody else took over.
    async fn keep(&self, speak: &watch::Sender<Instant>) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let now = Instant::now();
            match self.write(Some(&self.holder)).await {
                Ok(true) => {
                    speak.send_replace(now);
                }
                Ok(false) => {
                    tracing::warn!(turn = self.what, "a turn was taken over by another process");
                    return;
                }
                Err(error) => tracing::warn!(%error, turn = self.what, "a turn cannot be renewed"),
            }
        }
    }

    async fn give_back(&self) {
        for _ in 0..FAREWELLS {
            match self.write(None).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::debug!(%error, turn = self.what, "a turn cannot be given back yet");
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        tracing::warn!(
            turn = self.what,
            "a turn could not be given back; it ends by itself"
        );
    }

    /// Writes the row anew as long as it is this holder's; `false` when it is not.
    async fn write(&self, holder: Option<&str>) -> Result<bool> {
        let turns = &self.installation.repositories.turns;
        loop {
            let stored = turns.get(self.what).await?;
            let own = stored.filter(|turn| turn.holder.as_deref() == Some(&self.holder));
            let Some(own) = own else {
                return Ok(false);
            };
            let given = turns.give(self.what, holder, Some(&own.version)).await?;
            if given.is_some() {
                return Ok(true);
            }
        }
    }
}
