//! The queue port with retries.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Retry, RetryPolicy};
use crate::random::SharedRandom;
use crate::storage::{
    MessageId, QueueName, QueueStore, Receipt, ReceivedMessage, SendOptions, StorageResult,
};

/// A queue store that tries transient failures again; see the module for what a retried call may
/// answer.
#[derive(Debug, Clone)]
pub struct RetryingQueueStore {
    inner: Arc<dyn QueueStore>,
    retry: Retry,
}

impl RetryingQueueStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn QueueStore>, policy: RetryPolicy, random: SharedRandom) -> Self {
        Self {
            inner,
            retry: Retry { policy, random },
        }
    }
}

#[async_trait]
impl QueueStore for RetryingQueueStore {
    async fn create_queue(&self, queue: &QueueName) -> StorageResult<()> {
        self.retry
            .run("create queue", 0, || self.inner.create_queue(queue))
            .await
    }

    async fn send(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId> {
        self.retry
            .run("send message", 0, || self.inner.send(queue, text, options))
            .await
    }

    async fn receive(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>> {
        self.retry
            .run("receive messages", 0, || {
                self.inner.receive(queue, most, visibility)
            })
            .await
    }

    async fn peek(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>> {
        self.retry
            .run("peek messages", 0, || self.inner.peek(queue, most))
            .await
    }

    async fn renew(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt> {
        self.retry
            .run("renew message", 0, || {
                self.inner.renew(queue, id, receipt, visibility)
            })
            .await
    }

    async fn delete(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()> {
        self.retry
            .run("delete message", 0, || {
                self.inner.delete(queue, id, receipt)
            })
            .await
    }

    async fn approximate_count(&self, queue: &QueueName) -> StorageResult<u64> {
        self.retry
            .run("count messages", 0, || self.inner.approximate_count(queue))
            .await
    }

    async fn clear(&self, queue: &QueueName) -> StorageResult<()> {
        self.retry
            .run("clear queue", 0, || self.inner.clear(queue))
            .await
    }
}
