//! The events of this process in their order: handed to all listeners, and kept for a while for
//! those who come back.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, error::RecvError};

use super::Change;

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Event {
    /// Which one it is.
    pub(crate) id: EventId,
    /// What happened.
    pub(crate) change: Change,
}

/// Names an event: which count it belongs to, and its number in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventId {
    count: String,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.count, self.number)
    }
}

/// A text that names no event of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let (count, number) = text.split_once('-').ok_or(NoEventId)?;
        Ok(Self {
            count: count.to_owned(),
            number: number.parse().map_err(|_| NoEventId)?,
        })
    }
}

/// The events of this process.
#[derive(Debug)]
pub(super) struct Feed {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    count: String,
    number: u64,
    kept: VecDeque<Arc<Event>>,
    sender: broadcast::Sender<Arc<Event>>,
}

impl Feed {
    /// A feed that keeps `most` events, for those who come back and for those who are slow.
    pub(super) fn new(most: usize) -> Self {
        let inner = Inner {
            count: String::new(),
            number: 0,
            kept: VecDeque::new(),
            sender: broadcast::Sender::new(most),
        };
        Self {
            most,
            inner: Mutex::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts anew under another name: nobody can go on from what was told before.
    pub(super) fn begin(&self, count: String) {
        let mut inner = self.lock();
        inner.count = count;
        inner.number = 0;
        inner.kept.clear();
    }

    /// Tells everybody.
    pub(super) fn publish(&self, change: Change) {
        let mut inner = self.lock();
        inner.number += 1;
        let id = inner.newest();
        let event = Arc::new(Event { id, change });
        if inner.kept.len() == self.most {
            inner.kept.pop_front();
        }
        inner.kept.push_back(event.clone());
        // Without a listener it is kept only.
        drop(inner.sender.send(event));
    }

    /// What comes after `last`; after a reset when what came after it is not known any more.
    pub(super) fn follow(self: &Arc<Self>, last: Option<&EventId>) -> Listener {
        let inner = self.lock();
        let missed = last.and_then(|last| inner.after(last));
        let waiting = missed.unwrap_or_else(|| VecDeque::from([inner.reset()]));
        Listener {
            receiver: inner.sender.subscribe(),
            feed: self.clone(),
            waiting,
        }
    }
}

impl Inner {
    fn newest(&self) -> EventId {
        EventId {
            count: self.count.clone(),
            number: self.number,
        }
    }

    fn reset(&self) -> Arc<Event> {
        Arc::new(Event {
            id: self.newest(),
            change: Change::Reset,
        })
    }

    /// All events after this one; `None` when some of them are not kept any more.
    fn after(&self, last: &EventId) -> Option<VecDeque<Arc<Event>>> {
        let missed = self.number.checked_sub(last.number)?;
        let missed = usize::try_from(missed).ok()?;
        let kept = self.kept.len().checked_sub(missed)?;
        (last.count == self.count).then(|| self.kept.iter().skip(kept).cloned().collect())
    }
}

/// Somebody who follows a feed.
#[derive(Debug)]
pub(super) struct Listener {
    feed: Arc<Feed>,
    waiting: VecDeque<Arc<Event>>,
    receiver: broadcast::Receiver<Arc<Event>>,
}

impl Listener {
    /// The next event. Whoever is so slow that some are not kept any more gets a reset, and then
    /// what comes after that.
    pub(super) async fn next(&mut self) -> Arc<Event> {
        if let Some(event) = self.waiting.pop_front() {
            return event;
        }
        match self.receiver.recv().await {
            Ok(event) => event,
            // The feed holds the sender, so it is never closed.
            Err(RecvError::Lagged(_) | RecvError::Closed) => {
                let inner = self.feed.lock();
                self.receiver = inner.sender.subscribe();
                inner.reset()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn feed() -> Arc<Feed> {
        let feed = Feed::new(4);
        feed.begin("first".to_owned());
        Arc::new(feed)
    }

    /// All that is there for a listener now: numbers, and which of them are resets.
    fn all(listener: &mut Listener) -> Vec<(u64, bool)> {
        std::iter::from_fn(|| listener.next().now_or_never())
            .map(|event| (event.id.number, matches!(event.change, Change::Reset)))
            .collect()
    }

    fn publish(feed: &Feed, times: usize) {
        for _ in 0..times {
            feed.publish(Change::Available);
        }
    }

    #[test]
    fn whoever_comes_first_is_told_to_read_everything_and_then_what_happens() {
        let feed = feed();
        publish(&feed, 2);
        let mut listener = feed.follow(None);
        publish(&feed, 2);
        assert_eq!(all(&mut listener), [(2, true), (3, false), (4, false)]);
    }

    #[test]
    fn whoever_comes_back_gets_what_they_missed_while_it_is_kept() {
        let feed = feed();
        publish(&feed, 6);
        for (text, expected) in [
            ("first-6", vec![]),
            ("first-5", vec![(6, false)]),
            (
                "first-2",
                vec![(3, false), (4, false), (5, false), (6, false)],
            ),
            ("first-1", vec![(6, true)]),
            ("first-7", vec![(6, true)]),
            ("other-5", vec![(6, true)]),
        ] {
            let last: EventId = text.parse().unwrap();
            assert_eq!(last.to_string(), text);
            assert_eq!(all(&mut feed.follow(Some(&last))), expected, "{text}");
        }
        feed.begin("second".to_owned());
        let last: EventId = "first-6".parse().unwrap();
        assert_eq!(all(&mut feed.follow(Some(&last))), [(0, true)]);
    }

    #[test]
    fn whoever_is_too_slow_is_told_so_and_loses_nothing_that_comes_later() {
        let feed = feed();
        let mut listener = feed.follow(None);
        publish(&feed, 4);
        assert_eq!(all(&mut listener).len(), 5, "nothing is lost yet");
        publish(&feed, 9);
        assert_eq!(all(&mut listener), [(13, true)]);
        publish(&feed, 1);
        assert_eq!(all(&mut listener), [(14, false)]);
    }

    #[test]
    fn texts_that_are_no_ids_are_none() {
        for text in ["", "first", "first-", "first-x", "-", "first--1"] {
            assert_eq!(text.parse::<EventId>(), Err(NoEventId), "{text}");
        }
    }
}
