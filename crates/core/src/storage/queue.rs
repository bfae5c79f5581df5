//! The queue port: at-least-once delivery of small texts, with visibility and receipts.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{StorageError, StorageErrorKind, StorageResult};

/// Name of a queue: 3–63 lower-case letters, digits and single inner hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueName(String);

impl QueueName {
    /// Parses a queue name.
    pub fn new(name: impl Into<String>) -> StorageResult<Self> {
        let name = name.into();
        if super::blob::is_dns_label(&name) {
            Ok(Self(name))
        } else {
            Err(StorageError::new(
                StorageErrorKind::Invalid,
                "name queue",
                format!("'{name}' is not 3–63 lower-case letters, digits and single hyphens"),
            ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Id of a message, given by the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(pub String);

/// Proof of having received a message; changes with each receive and renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(pub String);

/// How long a message lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeToLive {
    /// Until it is deleted: what our own messages use, since a lost doorbell is a late backup.
    #[default]
    Forever,
    /// Whole seconds, at least 1.
    Seconds(u32),
}

/// How to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// Hide the message this long first, whole seconds, at most 7 days and less than the life.
    pub delay: Duration,
    /// How long it lives.
    pub time_to_live: TimeToLive,
}

/// A message in the hands of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Its id, the same for each delivery.
    pub id: MessageId,
    /// Needed to renew or delete it.
    pub receipt: Receipt,
    /// What was sent, unchanged.
    pub text: String,
    /// How often it has been received, this time included; renewals do not count.
    pub dequeue_count: u32,
    /// When it was sent, by the store's clock, to the second.
    pub inserted_at: Timestamp,
}

/// Queues of texts.
///
/// # Contract
/// - At least once: a message is delivered until it is deleted or its life ends. Order is by the
///   instant it becomes visible, then by insertion, but nobody may rely on order.
/// - A received message is invisible to others until its visibility ends, by the store's clock, in
///   whole seconds.
/// - A receipt is good until the message is received or renewed again. With a stale receipt, or
///   when the message is gone, `renew` and `delete` give `PreconditionFailed`: it is not yours any
///   more. Never retry blindly, never take it as a failure of the work.
/// - The text is at most 64 KiB of UTF-8 without control characters other than tab and line ends.
#[async_trait]
pub trait QueueStore: Send + Sync + fmt::Debug {
    /// Makes sure that the queue exists. Idempotent.
    async fn create_queue(&self, queue: &QueueName) -> StorageResult<()>;

    /// Sends a text.
    async fn send(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId>;

    /// Receives up to `most` messages (1–32) and hides them for `visibility` (1 s – 7 d).
    async fn receive(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>>;

    /// Looks at up to `most` visible messages (1–32) without taking them. Gives their texts.
    async fn peek(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>>;

    /// Hides the message for `visibility` from now (0 s – 7 d; 0 shows it at once). The receipt
    /// given is void afterwards; use the new one.
    async fn renew(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt>;

    /// Deletes the message.
    async fn delete(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()>;

    /// About how many messages there are, hidden ones included.
    async fn approximate_count(&self, queue: &QueueName) -> StorageResult<u64>;

    /// Deletes all messages.
    async fn clear(&self, queue: &QueueName) -> StorageResult<()>;
}
