//! The blob port with retries.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::{Retry, RetryPolicy, length};
use crate::random::SharedRandom;
use crate::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutOptions, StorageResult,
};

/// A blob store that tries transient failures again; see the module for what a retried write may
/// answer. Calls that carry bytes get more time.
#[derive(Debug, Clone)]
pub struct RetryingBlobStore {
    inner: Arc<dyn BlobStore>,
    retry: Retry,
}

impl RetryingBlobStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn BlobStore>, policy: RetryPolicy, random: SharedRandom) -> Self {
        Self {
            inner,
            retry: Retry { policy, random },
        }
    }
}

#[async_trait]
impl BlobStore for RetryingBlobStore {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        self.retry
            .run("create container", 0, || {
                self.inner.create_container(container)
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
        self.retry
            .run("put blob", length(bytes.len()), || {
                self.inner
                    .put(container, name, bytes.clone(), options.clone())
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
        self.retry
            .run("stage block", length(bytes.len()), || {
                self.inner.stage_block(container, name, id, bytes.clone())
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
        self.retry
            .run("commit blocks", 0, || {
                self.inner
                    .commit_blocks(container, name, blocks, options.clone())
            })
            .await
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        self.retry
            .run("discard blocks", 0, || {
                self.inner.discard_blocks(container, name)
            })
            .await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        self.retry
            .run("get blob properties", 0, || {
                self.inner.properties(container, name)
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
        let bytes = range.end.saturating_sub(range.start);
        self.retry
            .run("read blob", bytes, || {
                self.inner.read(container, name, range.clone(), version)
            })
            .await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        self.retry
            .run("delete blob", 0, || {
                self.inner.delete(container, name, version)
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
        self.retry
            .run("list blobs", 0, || {
                self.inner.list(container, prefix, most, from)
            })
            .await
    }

    async fn download_link(
        &self,
        container: &ContainerName,
        name: &BlobName,
        life: Duration,
        file_name: &str,
    ) -> StorageResult<Option<Url>> {
        self.retry
            .run("make download link", 0, || {
                self.inner.download_link(container, name, life, file_name)
            })
            .await
    }
}
