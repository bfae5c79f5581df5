//! The stores as one process sees them over the network.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::secret::{SecretName, SecretStore, SecretValue};
use dilux_core::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, EntityKey, MessageId, Page, PutOptions, Query, QueueName, QueueStore,
    Receipt, ReceivedMessage, SendOptions, StorageResult, StoredEntity, TableName, TableOperation,
    TableStore,
};
use url::Url;

use crate::memory::{Memory, Place, verb};
use crate::network::{Network, Request, Store};
use crate::process::Process;

/// A process's way to the stores.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    network: Arc<Network>,
    process: Arc<Process>,
}

/// What a request does to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// It reads.
    Read,
    /// It looks whether there is something to do.
    Poll,
    /// It writes.
    Write,
}

impl Connection {
    /// The way of `process` over `network`.
    pub(crate) fn new(network: Arc<Network>, process: Arc<Process>) -> Self {
        Self { network, process }
    }

    async fn carry<T, F>(
        &self,
        store: Store,
        (nature, operation): (Nature, &'static str),
        subject: String,
        effect: F,
    ) -> StorageResult<T>
    where
        T: Send + 'static,
        F: Fn(&Memory) -> StorageResult<T> + Send + Sync + 'static,
    {
        let request = Request {
            store,
            operation,
            subject,
            is_write: nature != Nature::Read,
            is_poll: nature == Nature::Poll,
        };
        self.network.carry(&self.process, request, effect).await
    }
}

fn of_row(table: &TableName, key: &EntityKey) -> String {
    format!("{table} {} {}", key.partition, key.row)
}

fn of_blob(place: &Place) -> String {
    format!("{} {}", place.container.as_str(), place.name)
}

#[async_trait]
impl TableStore for Connection {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        let name = table.clone();
        let call = (Nature::Write, "create table");
        self.carry(Store::Tables, call, table.to_string(), move |memory| {
            memory.make_table(&name);
            Ok(())
        })
        .await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        let subject = of_row(table, key);
        let (table, key) = (table.clone(), key.clone());
        let call = (Nature::Read, "get entity");
        let found = self.carry(Store::Tables, call, subject, move |memory| {
            memory.get_row(&table, &key)
        });
        match found.await {
            Err(_) if self.network.memory.says_empty_on_failure() => Ok(None),
            found => found,
        }
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        let (name, query, from) = (table.clone(), query.clone(), from.cloned());
        let call = (Nature::Read, "query entities");
        let found = self.carry(Store::Tables, call, table.to_string(), move |memory| {
            memory.query_rows(&name, &query, from.as_ref())
        });
        match found.await {
            Err(_) if self.network.memory.says_empty_on_failure() => Ok(Page {
                entities: Vec::new(),
                next: None,
            }),
            found => found,
        }
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        let subject = of_row(table, operation.key());
        let call = (Nature::Write, verb(&operation));
        let table = table.clone();
        self.carry(Store::Tables, call, subject, move |memory| {
            memory.write_row(&table, operation.clone())
        })
        .await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        let name = table.clone();
        let call = (Nature::Write, "write batch");
        self.carry(Store::Tables, call, table.to_string(), move |memory| {
            memory.write_rows(&name, operations.clone())
        })
        .await
    }
}

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

#[async_trait]
impl BlobStore for Connection {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        let name = container.clone();
        let subject = container.as_str().to_owned();
        let call = (Nature::Write, "create container");
        self.carry(Store::Blobs, call, subject, move |memory| {
            memory.make_container(&name);
            Ok(())
        })
        .await
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let place = Place::new(container, name);
        let call = (Nature::Write, "put blob");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.put_blob(&place, bytes.clone(), options.clone())
        })
        .await
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        let place = Place::new(container, name);
        let call = (Nature::Write, "stage block");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.stage(&place, id, bytes.clone())
        })
        .await
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let (place, blocks) = (Place::new(container, name), blocks.to_vec());
        let call = (Nature::Write, "commit blocks");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.commit(&place, &blocks, options.clone())
        })
        .await
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        let place = Place::new(container, name);
        let call = (Nature::Write, "discard blocks");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.discard(&place)
        })
        .await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        let place = Place::new(container, name);
        let call = (Nature::Read, "get blob properties");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.describe(&place)
        })
        .await
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        let (place, version) = (Place::new(container, name), version.cloned());
        let call = (Nature::Read, "read blob");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.read_blob(&place, &range, version.as_ref())
        })
        .await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        let (place, version) = (Place::new(container, name), version.cloned());
        let call = (Nature::Write, "delete blob");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.delete_blob(&place, version.as_ref())
        })
        .await
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        let (container, from) = (container.clone(), from.cloned());
        let prefix = prefix.to_owned();
        let call = (Nature::Read, "list blobs");
        self.carry(Store::Blobs, call, prefix.clone(), move |memory| {
            memory.list_blobs(&container, &prefix, most, from.as_ref())
        })
        .await
    }

    async fn download_link(
        &self,
        _container: &ContainerName,
        _name: &BlobName,
        _life: Duration,
        _file_name: &str,
    ) -> StorageResult<Option<Url>> {
        Ok(None)
    }
}

#[async_trait]
impl SecretStore for Connection {
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()> {
        let subject = name.as_str().to_owned();
        let (name, value) = (name.clone(), value.clone());
        let call = (Nature::Write, "set secret");
        self.carry(Store::Secrets, call, subject, move |memory| {
            memory.set_secret(&name, &value);
            Ok(())
        })
        .await
    }

    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>> {
        let subject = name.as_str().to_owned();
        let name = name.clone();
        let call = (Nature::Read, "get secret");
        self.carry(Store::Secrets, call, subject, move |memory| {
            Ok(memory.get_secret(&name))
        })
        .await
    }

    async fn delete(&self, name: &SecretName) -> StorageResult<()> {
        let subject = name.as_str().to_owned();
        let name = name.clone();
        let call = (Nature::Write, "delete secret");
        self.carry(Store::Secrets, call, subject, move |memory| {
            memory.delete_secret(&name);
            Ok(())
        })
        .await
    }

    async fn list(&self) -> StorageResult<Vec<SecretName>> {
        let call = (Nature::Read, "list secrets");
        self.carry(Store::Secrets, call, String::new(), |memory| {
            Ok(memory.list_secrets())
        })
        .await
    }
}
