//! Live events: who listens, and for how long they may. What there is to tell is found by `watch`,
//! which reads the stores for all of them, since the services share nothing else.

mod feed;
mod hub;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use dilux_core::model::{AlertId, Job};
use dilux_core::{Error, Result};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

pub(crate) use feed::{Event, EventId};
pub(super) use hub::Hub;

use super::{AlertView, App, Application, BackupView};
use crate::caller::{Caller, Proof};
use crate::permission::Permission;
use feed::Listener;
use hub::Seat;

/// How often it is looked whether a listener may still listen: what ends a session or a token ends
/// its streams within this time.
const CHECK_EVERY: Duration = Duration::from_secs(15);

/// How long until that is tried again when the stores do not answer.
const CHECK_AGAIN: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Debug)]
pub(crate) enum Change {
    /// A job is new, went on or ended; as it stands.
    Job(Box<Job>),
    /// A backup was made.
    Backup(Box<BackupView>),
    /// An alert was raised, or something about it is another, such as who has taken note of it.
    Alert(Box<AlertView>),
    /// What an alert tells of is over.
    AlertOver(AlertId),
    /// The stores do not answer; what happens meanwhile is told when they do.
    Unavailable,
    /// The stores answer again.
    Available,
    /// What happened before this is not known here: read everything anew.
    Reset,
}

/// The events that one caller listens to.
#[derive(Debug)]
pub(crate) struct EventStream {
    app: App,
    caller: Caller,
    proof: Proof,
    listener: Listener,
    /// Cancelled when there is nothing more to come.
    ended: CancellationToken,
    checks: Interval,
    _seat: Seat,
}

impl Application {
    /// What happens from now on; after the event `last`, when that is still known.
    /// Fails when the caller, or all callers together, listen too often already, and while the
    /// stores do not answer.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        last: Option<EventId>,
        caller: Caller,
        proof: Proof,
    ) -> Result<EventStream> {
        let seat = self.events.take_seat(&caller.user_id)?;
        let ended = self.events.see_to_watch(self).await?;
        let mut checks = interval_at(Instant::now() + CHECK_EVERY, CHECK_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(EventStream {
            app: self.clone(),
            caller,
            proof,
            listener: self.events.feed().follow(last.as_ref()),
            ended,
            checks,
            _seat: seat,
        })
    }
}

impl EventStream {
    /// Who listens.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The next event; `None` when the service stops, or the caller may listen no more.
    pub(crate) async fn next(&mut self) -> Option<Arc<Event>> {
        let ended = self.ended.clone();
        tokio::select! {
            biased;
            () = ended.cancelled() => None,
            event = self.next_for_caller() => event,
        }
    }

    async fn next_for_caller(&mut self) -> Option<Arc<Event>> {
        loop {
            // A check that is due comes before events, however many there are.
            tokio::select! {
                biased;
                _ = self.checks.tick() => self.check().await?,
                event = self.listener.next() => return Some(event),
            }
        }
    }

    /// `None` when the caller may listen no more. While the stores do not say, nothing is told.
    async fn check(&mut self) -> Option<()> {
        loop {
            let found = self.app.identify_again(&self.proof, &self.caller).await;
            match found.and_then(|caller| caller.require(Permission::View).map(|()| caller)) {
                Ok(caller) => {
                    self.caller = caller;
                    return Some(());
                }
                Err(Error::Unavailable { .. }) => sleep(CHECK_AGAIN).await,
                Err(error) => {
                    tracing::debug!(%error, "a stream of events ends");
                    return None;
                }
            }
        }
    }
}
