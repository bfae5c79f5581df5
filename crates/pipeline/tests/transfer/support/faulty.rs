//! A decorator that lets operations of a store fail by count.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutOptions, StorageError, StorageErrorKind, StorageResult,
};
use url::Url;

/// How operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The operation does not happen.
    Refused(StorageErrorKind),
    /// It happens, but its reply is lost.
    ReplyLost,
    /// It happens, and the reply says that it had happened before: a retry met its own effect.
    MetItself,
    /// It and all after it do not happen.
    DownForGood,
}

/// Passes everything on but for the operation `at`, counted from 0.
#[derive(Debug)]
pub(crate) struct FaultyStore<S> {
    inner: Arc<S>,
    fault: Fault,
    at: usize,
    operations: AtomicUsize,
}

impl<S: BlobStore> FaultyStore<S> {
    pub(crate) fn new(inner: &Arc<S>, fault: Fault, at: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            fault,
            at,
            operations: AtomicUsize::new(0),
        })
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> usize {
        self.operations.load(Ordering::SeqCst)
    }

    async fn meddle<T>(
        &self,
        operation: impl Future<Output = StorageResult<T>> + Send,
    ) -> StorageResult<T> {
        let error = |kind| StorageError::new(kind, "use a faulty store", "as ordered");
        let index = self.operations.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Refused(kind) if index == self.at => Err(error(kind)),
            Fault::DownForGood if index >= self.at => Err(error(StorageErrorKind::Unavailable)),
            Fault::ReplyLost if index == self.at => {
                operation.await?;
                Err(error(StorageErrorKind::Unavailable))
            }
            Fault::MetItself if index == self.at => {
                operation.await?;
                Err(error(StorageErrorKind::AlreadyExists))
            }
            _ => operation.await,
        }
    }
}

#[async_trait]
impl<S: BlobStore> BlobStore for FaultyStore<S> {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        self.meddle(self.inner.create_container(container)).await
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        self.meddle(self.inner.put(container, name, bytes, options))
            .await
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        self.meddle(self.inner.stage_block(container, name, id, bytes))
            .await
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        self.meddle(self.inner.commit_blocks(container, name, blocks, options))
            .await
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        self.meddle(self.inner.discard_blocks(container, name))
            .await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        self.meddle(self.inner.properties(container, name)).await
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        self.meddle(self.inner.read(container, name, range, version))
            .await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        self.meddle(self.inner.delete(container, name, version))
            .await
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        self.meddle(self.inner.list(container, prefix, most, from))
            .await
    }

    async fn download_link(
        &self,
        container: &ContainerName,
        name: &BlobName,
        life: Duration,
        file_name: &str,
    ) -> StorageResult<Option<Url>> {
        self.meddle(self.inner.download_link(container, name, life, file_name))
            .await
    }
}
