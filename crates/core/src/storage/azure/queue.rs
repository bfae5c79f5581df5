//! The queue port on Azure Queue storage.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::HeaderName;
use azure_core::http::{HttpClient, Url};
use azure_core::time::OffsetDateTime;
use azure_storage_queue::models::{
    QueueClientGetPropertiesResultHeaders, QueueClientPeekMessagesOptions,
    QueueClientReceiveMessagesOptions, QueueClientSendMessageOptions, QueueMessage,
    ReceivedMessage as WireMessage,
};
use azure_storage_queue::{QueueClient, QueueServiceClient, QueueServiceClientOptions};
use jiff::Timestamp;

use super::credential::{Signer, client_options};
use super::failure::Failure;
use super::shared_key::Rules;
use crate::clock::SharedClock;
use crate::storage::{
    MessageId, QueueName, QueueStore, Receipt, ReceivedMessage, SendOptions, StorageError,
    StorageErrorKind, StorageResult, TimeToLive,
};

/// The protocol that we speak, whatever newer ones the crate and the account know.
const VERSION: &str = "2025-11-05";

const POP_RECEIPT: HeaderName = HeaderName::from_static("x-ms-popreceipt");

/// Messages in Azure Queue storage.
#[derive(Clone)]
pub struct AzureQueueStore {
    service: Arc<QueueServiceClient>,
}

impl std::fmt::Debug for AzureQueueStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AzureQueueStore")
            .field("endpoint", &self.service.url().as_str())
            .finish()
    }
}

impl AzureQueueStore {
    pub(super) fn new(
        endpoint: Url,
        signer: &Signer,
        transport: &Arc<dyn HttpClient>,
        clock: &SharedClock,
    ) -> StorageResult<Self> {
        let policies = signer
            .policy(Rules::BlobAndQueue, clock)
            .into_iter()
            .collect();
        let options = QueueServiceClientOptions {
            version: VERSION.to_owned(),
            client_options: client_options(transport, policies),
        };
        let credential = signer.token(&endpoint)?;
        let service = QueueServiceClient::new(endpoint, credential, Some(options))
            .map_err(|error| Failure::from(error).into_error("open queue service"))?;
        Ok(Self {
            service: Arc::new(service),
        })
    }

    fn client(&self, queue: &QueueName) -> Result<QueueClient, Failure> {
        Ok(self.service.queue_client(queue.as_str())?)
    }

    async fn send_text(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> Result<MessageId, Failure> {
        let message = QueueMessage {
            message_text: Some(text.to_owned()),
        };
        let options = QueueClientSendMessageOptions {
            message_time_to_live: Some(match options.time_to_live {
                TimeToLive::Forever => -1,
                TimeToLive::Seconds(seconds) => i32::try_from(seconds).unwrap_or(i32::MAX),
            }),
            visibility_timeout: Some(whole_seconds(options.delay)),
            ..Default::default()
        };
        let sent = self
            .client(queue)?
            .send_message(message.try_into()?, Some(options))
            .await?;
        let sent = sent.into_model()?.into_message()?;
        sent.message_id
            .map(MessageId)
            .ok_or_else(|| missing("message id"))
    }

    async fn receive_messages(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> Result<Vec<ReceivedMessage>, Failure> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(count(most)),
            visibility_timeout: Some(whole_seconds(visibility)),
            ..Default::default()
        };
        let received = self
            .client(queue)?
            .receive_messages(Some(options))
            .await?
            .into_model()?;
        received
            .items
            .unwrap_or_default()
            .into_iter()
            .map(received_message)
            .collect()
    }

    async fn peek_texts(&self, queue: &QueueName, most: u32) -> Result<Vec<String>, Failure> {
        let options = QueueClientPeekMessagesOptions {
            number_of_messages: Some(count(most)),
            ..Default::default()
        };
        let peeked = self
            .client(queue)?
            .peek_messages(Some(options))
            .await?
            .into_model()?;
        let messages = peeked.items.unwrap_or_default();
        Ok(messages
            .into_iter()
            .map(|message| message.message_text.unwrap_or_default())
            .collect())
    }

    async fn renew_message(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> Result<Receipt, Failure> {
        let renewed = self
            .client(queue)?
            .update_message(&id.0, &receipt.0, whole_seconds(visibility), None)
            .await?;
        let receipt = renewed.headers().get_optional_string(&POP_RECEIPT);
        receipt.map(Receipt).ok_or_else(|| missing("receipt"))
    }

    async fn count_messages(&self, queue: &QueueName) -> Result<u64, Failure> {
        let properties = self.client(queue)?.get_properties(None).await?;
        let count = properties.approximate_messages_count()?;
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| missing("message count"))
    }
}

#[async_trait]
impl QueueStore for AzureQueueStore {
    async fn create_queue(&self, queue: &QueueName) -> StorageResult<()> {
        let create = async { Ok(self.client(queue)?.create(None).await?) };
        match create.await {
            Ok(_) => Ok(()),
            Err(failure @ Failure::Refused(_)) if failure.code() == Some("QueueAlreadyExists") => {
                Ok(())
            }
            Err(failure) => Err(failure.into_error("create queue")),
        }
    }

    async fn send(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId> {
        self.send_text(queue, text, options)
            .await
            .map_err(|failure| failure.into_error("send message"))
    }

    async fn receive(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>> {
        self.receive_messages(queue, most, visibility)
            .await
            .map_err(|failure| failure.into_error("receive messages"))
    }

    async fn peek(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>> {
        self.peek_texts(queue, most)
            .await
            .map_err(|failure| failure.into_error("peek messages"))
    }

    async fn renew(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt> {
        self.renew_message(queue, id, receipt, visibility)
            .await
            .map_err(|failure| receipt_error(failure, "renew message"))
    }

    async fn delete(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()> {
        let delete = async {
            Ok(self
                .client(queue)?
                .delete_message(&id.0, &receipt.0, None)
                .await?)
        };
        delete
            .await
            .map(drop)
            .map_err(|failure| receipt_error(failure, "delete message"))
    }

    async fn approximate_count(&self, queue: &QueueName) -> StorageResult<u64> {
        self.count_messages(queue)
            .await
            .map_err(|failure| failure.into_error("count messages"))
    }

    async fn clear(&self, queue: &QueueName) -> StorageResult<()> {
        let clear = async { Ok(self.client(queue)?.clear(None).await?) };
        clear
            .await
            .map(drop)
            .map_err(|failure: Failure| failure.into_error("clear queue"))
    }
}

/// The error of a call with a receipt: a stale receipt and a missing message mean the same, that
/// the message is not the caller's any more.
fn receipt_error(failure: Failure, operation: &'static str) -> StorageError {
    let is_lost = matches!(
        failure.code(),
        Some("PopReceiptMismatch" | "MessageNotFound")
    );
    if is_lost {
        let message = "the message was received by another, or is gone";
        StorageError::new(StorageErrorKind::PreconditionFailed, operation, message)
            .with_source(failure)
    } else {
        failure.into_error(operation)
    }
}

fn received_message(message: WireMessage) -> Result<ReceivedMessage, Failure> {
    Ok(ReceivedMessage {
        id: MessageId(message.message_id.ok_or_else(|| missing("message id"))?),
        receipt: Receipt(message.pop_receipt.ok_or_else(|| missing("receipt"))?),
        text: message.message_text.unwrap_or_default(),
        dequeue_count: message
            .dequeue_count
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| missing("dequeue count"))?,
        inserted_at: message
            .insertion_time
            .and_then(timestamp)
            .ok_or_else(|| missing("insertion time"))?,
    })
}

fn timestamp(time: OffsetDateTime) -> Option<Timestamp> {
    Timestamp::from_second(time.unix_timestamp()).ok()
}

/// Seconds as the service counts them; parts of a second round up, so that nothing becomes
/// visible early.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn count(most: u32) -> i32 {
    i32::try_from(most).unwrap_or(i32::MAX)
}

fn missing(what: &str) -> Failure {
    Failure::Unreadable(format!("the queue service's answer has no {what}"))
}
