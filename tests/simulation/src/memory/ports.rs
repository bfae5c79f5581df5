//! The ports over the operations, without any fault between.

use std::ops::Range;
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

use super::Memory;
use super::blobs::Place;

#[async_trait]
impl TableStore for Memory {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.make_table(table);
        Ok(())
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        self.get_row(table, key)
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        self.query_rows(table, query, from)
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        self.write_row(table, operation)
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        self.write_rows(table, operations)
    }
}

#[async_trait]
impl QueueStore for Memory {
    async fn create_queue(&self, queue: &QueueName) -> StorageResult<()> {
        self.make_queue(queue);
        Ok(())
    }

    async fn send(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId> {
        self.send_message(queue, text, options)
    }

    async fn receive(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>> {
        self.receive_messages(queue, most, visibility)
    }

    async fn peek(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>> {
        self.peek_messages(queue, most)
    }

    async fn renew(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt> {
        self.renew_message(queue, id, receipt, visibility)
    }

    async fn delete(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()> {
        self.delete_message(queue, id, receipt)
    }

    async fn approximate_count(&self, queue: &QueueName) -> StorageResult<u64> {
        self.count_messages(queue)
    }

    async fn clear(&self, queue: &QueueName) -> StorageResult<()> {
        self.clear_messages(queue)
    }
}

#[async_trait]
impl BlobStore for Memory {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        self.make_container(container);
        Ok(())
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        self.put_blob(&Place::new(container, name), bytes, options)
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        self.stage(&Place::new(container, name), id, bytes)
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        self.commit(&Place::new(container, name), blocks, options)
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        self.discard(&Place::new(container, name))
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        self.describe(&Place::new(container, name))
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        self.read_blob(&Place::new(container, name), &range, version)
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        self.delete_blob(&Place::new(container, name), version)
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        self.list_blobs(container, prefix, most, from)
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

impl Memory {
    pub(crate) fn set_secret(&self, name: &SecretName, value: &SecretValue) {
        self.content().secrets.insert(name.clone(), value.clone());
    }

    pub(crate) fn get_secret(&self, name: &SecretName) -> Option<SecretValue> {
        self.content().secrets.get(name).cloned()
    }

    pub(crate) fn delete_secret(&self, name: &SecretName) {
        self.content().secrets.remove(name);
    }

    pub(crate) fn list_secrets(&self) -> Vec<SecretName> {
        self.content().secrets.keys().cloned().collect()
    }
}

#[async_trait]
impl SecretStore for Memory {
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()> {
        self.set_secret(name, value);
        Ok(())
    }

    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>> {
        Ok(self.get_secret(name))
    }

    async fn delete(&self, name: &SecretName) -> StorageResult<()> {
        self.delete_secret(name);
        Ok(())
    }

    async fn list(&self) -> StorageResult<Vec<SecretName>> {
        Ok(self.list_secrets())
    }
}
