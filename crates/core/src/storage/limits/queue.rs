//! The limits of Azure Queue ("Put Message", "Get Messages", "Update Message").

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{SEVEN_DAYS, refuse, require};
use crate::storage::{
    MessageId, QueueName, QueueStore, Receipt, ReceivedMessage, SendOptions, StorageResult,
    TimeToLive,
};

const TEXT_BYTES: usize = 64 * 1024;
const MOST: u32 = 32;

/// A queue store that refuses what breaks a limit with `Invalid`.
#[derive(Debug)]
pub struct LimitedQueueStore<T: ?Sized> {
    inner: Arc<T>,
}

impl<T: QueueStore + ?Sized> LimitedQueueStore<T> {
    /// Puts the limits above `inner`.
    pub fn new(inner: Arc<T>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl<T: QueueStore + ?Sized> QueueStore for LimitedQueueStore<T> {
    async fn create_queue(&self, queue: &QueueName) -> StorageResult<()> {
        self.inner.create_queue(queue).await
    }

    async fn send(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId> {
        check_text(text)?;
        check_send(options)?;
        self.inner.send(queue, text, options).await
    }

    async fn receive(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>> {
        const OPERATION: &str = "receive messages";
        check_most(most, OPERATION)?;
        require(!visibility.is_zero(), OPERATION, || {
            "a visibility of 0 s hides nothing".to_owned()
        })?;
        check_span(visibility, OPERATION)?;
        self.inner.receive(queue, most, visibility).await
    }

    async fn peek(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>> {
        check_most(most, "peek messages")?;
        self.inner.peek(queue, most).await
    }

    async fn renew(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt> {
        check_span(visibility, "renew message")?;
        self.inner.renew(queue, id, receipt, visibility).await
    }

    async fn delete(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()> {
        self.inner.delete(queue, id, receipt).await
    }

    async fn approximate_count(&self, queue: &QueueName) -> StorageResult<u64> {
        self.inner.approximate_count(queue).await
    }

    async fn clear(&self, queue: &QueueName) -> StorageResult<()> {
        self.inner.clear(queue).await
    }
}

fn check_text(text: &str) -> StorageResult<()> {
    const OPERATION: &str = "send message";
    require(text.len() <= TEXT_BYTES, OPERATION, || {
        format!("a text of {} bytes is more than 64 KiB", text.len())
    })?;
    let is_allowed = |c: char| {
        (!c.is_control() || matches!(c, '\t' | '\n' | '\r'))
            && !matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    require(text.chars().all(is_allowed), OPERATION, || {
        "the text holds a control character".to_owned()
    })
}

fn check_send(options: SendOptions) -> StorageResult<()> {
    const OPERATION: &str = "send message";
    check_span(options.delay, OPERATION)?;
    match options.time_to_live {
        TimeToLive::Forever => Ok(()),
        TimeToLive::Seconds(0) => Err(refuse(OPERATION, "a life of 0 s is none")),
        TimeToLive::Seconds(life) => require(
            options.delay < Duration::from_secs(u64::from(life)),
            OPERATION,
            || "the message would be dead before it becomes visible".to_owned(),
        ),
    }
}

fn check_most(most: u32, operation: &'static str) -> StorageResult<()> {
    require((1..=MOST).contains(&most), operation, || {
        format!("{most} messages at once are not 1–{MOST}")
    })
}

fn check_span(span: Duration, operation: &'static str) -> StorageResult<()> {
    require(
        span.subsec_nanos() == 0 && span <= SEVEN_DAYS,
        operation,
        || format!("{span:?} is not a number of whole seconds up to 7 days"),
    )
}
