//! The queue operations.

use std::time::Duration;

use dilux_core::storage::{
    MessageId, QueueName, Receipt, ReceivedMessage, SendOptions, StorageErrorKind, StorageResult,
    TimeToLive,
};
use jiff::{SignedDuration, Timestamp};

use super::{Content, Memory, error};

#[derive(Debug)]
struct Message {
    id: String,
    text: String,
    receipt: Option<String>,
    visible_at: Timestamp,
    dies_at: Timestamp,
    inserted_at: Timestamp,
    dequeue_count: u32,
}

/// The messages of a queue, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Queue(Vec<Message>);

impl Queue {
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|message| message.text.as_str())
    }

    pub(super) fn lose(&mut self, mut is_lost: impl FnMut() -> bool) {
        self.0.retain(|_| !is_lost());
    }

    /// Visible messages in the order in which they became so, at most `most`.
    fn visible(&self, now: Timestamp, most: u32) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.0.len())
            .filter(|index| self.0[*index].visible_at <= now)
            .collect();
        found.sort_by_key(|index| self.0[*index].visible_at);
        found.truncate(most as usize);
        found
    }

    fn held(&self, id: &MessageId, receipt: &Receipt) -> Option<usize> {
        self.0.iter().position(|message| {
            message.id == id.0 && message.receipt.as_deref() == Some(receipt.0.as_str())
        })
    }
}

impl Memory {
    pub(crate) fn make_queue(&self, queue: &QueueName) {
        let mut content = self.content();
        content.queues.entry(queue.as_str().to_owned()).or_default();
    }

    pub(crate) fn send_message(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId> {
        let now = self.now();
        let mut content = self.content();
        let id = format!("message-{}", content.number());
        let queue = living(&mut content, queue, now, "send message")?;
        let dies_at = match options.time_to_live {
            TimeToLive::Forever => Timestamp::MAX,
            TimeToLive::Seconds(life) => after(now, Duration::from_secs(u64::from(life))),
        };
        queue.0.push(Message {
            id: id.clone(),
            text: text.to_owned(),
            receipt: None,
            visible_at: after(now, options.delay),
            dies_at,
            inserted_at: Timestamp::from_second(now.as_second()).unwrap_or(now),
            dequeue_count: 0,
        });
        Ok(MessageId(id))
    }

    pub(crate) fn receive_messages(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>> {
        let now = self.now();
        let mut content = self.content();
        let first = content.number();
        let queue = living(&mut content, queue, now, "receive messages")?;
        let visible = queue.visible(now, most);
        let received = visible.into_iter().map(|index| {
            let message = &mut queue.0[index];
            let receipt = format!("receipt-{first}-{index}");
            message.receipt = Some(receipt.clone());
            message.visible_at = after(now, visibility);
            message.dequeue_count += 1;
            ReceivedMessage {
                id: MessageId(message.id.clone()),
                receipt: Receipt(receipt),
                text: message.text.clone(),
                dequeue_count: message.dequeue_count,
                inserted_at: message.inserted_at,
            }
        });
        Ok(received.collect())
    }

    pub(crate) fn peek_messages(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>> {
        let now = self.now();
        let mut content = self.content();
        let queue = living(&mut content, queue, now, "peek messages")?;
        let visible = queue.visible(now, most);
        Ok(visible
            .into_iter()
            .map(|index| queue.0[index].text.clone())
            .collect())
    }

    pub(crate) fn renew_message(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt> {
        const OPERATION: &str = "renew message";
        let now = self.now();
        let mut content = self.content();
        let fresh = format!("receipt-{}", content.number());
        let queue = living(&mut content, queue, now, OPERATION)?;
        let index = queue.held(id, receipt).ok_or_else(|| not_held(OPERATION))?;
        let message = &mut queue.0[index];
        message.receipt = Some(fresh.clone());
        message.visible_at = after(now, visibility);
        Ok(Receipt(fresh))
    }

    pub(crate) fn delete_message(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()> {
        const OPERATION: &str = "delete message";
        let now = self.now();
        let mut content = self.content();
        let queue = living(&mut content, queue, now, OPERATION)?;
        let index = queue.held(id, receipt).ok_or_else(|| not_held(OPERATION))?;
        queue.0.remove(index);
        Ok(())
    }

    pub(crate) fn count_messages(&self, queue: &QueueName) -> StorageResult<u64> {
        let now = self.now();
        let mut content = self.content();
        Ok(living(&mut content, queue, now, "count messages")?.0.len() as u64)
    }

    pub(crate) fn clear_messages(&self, queue: &QueueName) -> StorageResult<()> {
        let now = self.now();
        let mut content = self.content();
        living(&mut content, queue, now, "clear queue")?.0.clear();
        Ok(())
    }
}

/// A queue without the messages whose life is over.
fn living<'a>(
    content: &'a mut Content,
    queue: &QueueName,
    now: Timestamp,
    operation: &'static str,
) -> StorageResult<&'a mut Queue> {
    let found = content.queues.get_mut(queue.as_str()).ok_or_else(|| {
        let message = format!("there is no queue '{}'", queue.as_str());
        error(StorageErrorKind::NotFound, operation, message)
    })?;
    found.0.retain(|message| message.dies_at > now);
    Ok(found)
}

fn not_held(operation: &'static str) -> dilux_core::storage::StorageError {
    error(
        StorageErrorKind::PreconditionFailed,
        operation,
        "the message is not held with this receipt any more",
    )
}

fn after(now: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    now.saturating_add(span).unwrap_or(Timestamp::MAX)
}
