//! Queues over the network.

use std::time::Duration;

use async_trait::async_trait;
use dilux_core::storage::{
    MessageId, QueueName, QueueStore, Receipt, ReceivedMessage, SendOptions, StorageResult,
};

use super::{Connection, Nature};
use crate::network::Store;

#[async_trait]
impl QueueStore for Connection {
    async fn create_queue(&self, queue: &QueueName) -> StorageResult<()> {
        let name = queue.clone();
        let (call, subject) = ((Nature::Write, "create queue"), queue.as_str().to_owned());
        self.carry(Store::Queues, call, subject, move |memory| {
            memory.make_queue(&name);
            Ok(())
        })
        .await
    }

    async fn send(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId> {
        let (queue, text) = (queue.clone(), text.to_owned());
        let call = (Nature::Write, "send message");
        self.carry(Store::Queues, call, text.clone(), move |memory| {
            memory.send_message(&queue, &text, options)
        })
        .await
    }

    async fn receive(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>> {
        let queue = queue.clone();
        let call = (Nature::Poll, "receive messages");
        self.carry(Store::Queues, call, String::new(), move |memory| {
            memory.receive_messages(&queue, most, visibility)
        })
        .await
    }

    async fn peek(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>> {
        let queue = queue.clone();
        let call = (Nature::Read, "peek messages");
        self.carry(Store::Queues, call, String::new(), move |memory| {
            memory.peek_messages(&queue, most)
        })
        .await
    }

    async fn renew(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt> {
        let subject = id.0.clone();
        let (queue, id, receipt) = (queue.clone(), id.clone(), receipt.clone());
        let call = (Nature::Write, "renew message");
        self.carry(Store::Queues, call, subject, move |memory| {
            memory.renew_message(&queue, &id, &receipt, visibility)
        })
        .await
    }

    async fn delete(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()> {
        let subject = id.0.clone();
        let (queue, id, receipt) = (queue.clone(), id.clone(), receipt.clone());
        let call = (Nature::Write, "delete message");
        self.carry(Store::Queues, call, subject, move |memory| {
            memory.delete_message(&queue, &id, &receipt)
        })
        .await
    }

    async fn approximate_count(&self, queue: &QueueName) -> StorageResult<u64> {
        let queue = queue.clone();
        let call = (Nature::Read, "count messages");
        self.carry(Store::Queues, call, String::new(), move |memory| {
            memory.count_messages(&queue)
        })
        .await
    }

    async fn clear(&self, queue: &QueueName) -> StorageResult<()> {
        let queue = queue.clone();
        let call = (Nature::Write, "clear queue");
        self.carry(Store::Queues, call, String::new(), move |memory| {
            memory.clear_messages(&queue)
        })
        .await
    }
}
