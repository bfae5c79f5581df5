//! Live events as a script of a user reads them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;

/// Longest wait for an event.
const LIMIT: Duration = Duration::from_mins(3);

/// Something that the API told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveEvent {
    /// Its place in the stream.
    pub id: String,
    /// What kind of thing it tells.
    pub name: String,
    /// What.
    pub data: Value,
}

impl LiveEvent {
    /// Whether it tells that this job is in this state.
    pub fn is_job(&self, id: &str, state: &str) -> bool {
        self.name == "job" && self.data["id"] == id && self.data["state"] == state
    }
}

/// A stream of events under reading.
pub struct LiveEvents {
    parts: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    unread: Vec<u8>,
    /// All that was told so far.
    pub told: Vec<LiveEvent>,
}

impl LiveEvents {
    /// The events of an answer.
    pub(crate) fn of(answer: Response) -> Self {
        Self {
            parts: answer.bytes_stream().boxed(),
            unread: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The next event.
    pub async fn next(&mut self) -> Result<LiveEvent> {
        let next = timeout(LIMIT, self.read()).await;
        let event = next.with_context(|| format!("nothing after {:#?}", self.told))??;
        self.told.push(event.clone());
        Ok(event)
    }

    /// Reads on to the first event that `is_it`.
    pub async fn until(&mut self, is_it: impl Fn(&LiveEvent) -> bool) -> Result<LiveEvent> {
        loop {
            let event = self.next().await?;
            if is_it(&event) {
                return Ok(event);
            }
        }
    }

    async fn read(&mut self) -> Result<LiveEvent> {
        loop {
            let end = self.unread.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let rest = self.unread.split_off(end + 2);
                let block = std::mem::replace(&mut self.unread, rest);
                if let Some(event) = parse(std::str::from_utf8(&block)?)? {
                    return Ok(event);
                }
                continue;
            }
            match self.parts.next().await {
                Some(part) => self.unread.extend(part?),
                None => bail!("the stream ended after {:#?}", self.told),
            }
        }
    }
}

/// `None` for a comment.
fn parse(block: &str) -> Result<Option<LiveEvent>> {
    let mut event = LiveEvent::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", name)) => name.clone_into(&mut event.name),
            Some(("id", id)) => id.clone_into(&mut event.id),
            Some(("data", data)) => event.data = serde_json::from_str(data)?,
            _ => {}
        }
    }
    Ok((!event.name.is_empty()).then_some(event))
}
