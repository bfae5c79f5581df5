//! The limits of Azure Blob ("Put Blob", "Put Block", "Put Block List", "Setting and retrieving
//! properties and metadata").

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::{SEVEN_DAYS, require};
use crate::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutOptions, StorageResult,
};

const PUT_BYTES: usize = 64 * 1024 * 1024;
const BLOCK_BYTES: usize = 256 * 1024 * 1024;
const BLOCKS: usize = 50_000;
const METADATA_BYTES: usize = 8 * 1024;
const PAGE: u32 = 5000;

/// A blob store that refuses what breaks a limit with `Invalid`.
#[derive(Debug)]
pub struct LimitedBlobStore<T: ?Sized> {
    inner: Arc<T>,
}

impl<T: BlobStore + ?Sized> LimitedBlobStore<T> {
    /// Puts the limits above `inner`.
    pub fn new(inner: Arc<T>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl<T: BlobStore + ?Sized> BlobStore for LimitedBlobStore<T> {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        self.inner.create_container(container).await
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        require(bytes.len() <= PUT_BYTES, "put blob", || {
            format!(
                "{} bytes are more than 64 MiB at once; write it in blocks",
                bytes.len()
            )
        })?;
        check_options(&options, "put blob")?;
        self.inner.put(container, name, bytes, options).await
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        require(
            (1..=BLOCK_BYTES).contains(&bytes.len()),
            "stage block",
            || format!("a block of {} bytes is not 1 byte – 256 MiB", bytes.len()),
        )?;
        self.inner.stage_block(container, name, id, bytes).await
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        require(blocks.len() <= BLOCKS, "commit blocks", || {
            format!("{} blocks are more than {BLOCKS}", blocks.len())
        })?;
        check_options(&options, "commit blocks")?;
        self.inner
            .commit_blocks(container, name, blocks, options)
            .await
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        self.inner.discard_blocks(container, name).await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        self.inner.properties(container, name).await
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        require(range.start <= range.end, "read blob", || {
            format!(
                "the range {}–{} ends before it starts",
                range.start, range.end
            )
        })?;
        self.inner.read(container, name, range, version).await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        self.inner.delete(container, name, version).await
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        const OPERATION: &str = "list blobs";
        require((1..=PAGE).contains(&most), OPERATION, || {
            format!("a page of {most} blobs is not 1–{PAGE}")
        })?;
        require(!prefix.chars().any(char::is_control), OPERATION, || {
            "the prefix holds a control character".to_owned()
        })?;
        self.inner.list(container, prefix, most, from).await
    }

    async fn download_link(
        &self,
        container: &ContainerName,
        name: &BlobName,
        life: Duration,
        file_name: &str,
    ) -> StorageResult<Option<Url>> {
        const OPERATION: &str = "make download link";
        require(!life.is_zero() && life <= SEVEN_DAYS, OPERATION, || {
            "a link lives for up to 7 days".to_owned()
        })?;
        require(
            !file_name.is_empty() && !file_name.chars().any(char::is_control),
            OPERATION,
            || "the file name is empty or holds a control character".to_owned(),
        )?;
        self.inner
            .download_link(container, name, life, file_name)
            .await
    }
}

fn check_options(options: &PutOptions, operation: &'static str) -> StorageResult<()> {
    if let Some(content_type) = &options.content_type {
        require(
            is_header_text(content_type) && !content_type.is_empty(),
            operation,
            || "the content type is not printable ASCII".to_owned(),
        )?;
    }
    check_metadata(&options.metadata, operation)
}

fn check_metadata(
    metadata: &BTreeMap<String, String>,
    operation: &'static str,
) -> StorageResult<()> {
    let size: usize = metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    require(size <= METADATA_BYTES, operation, || {
        format!("{size} bytes of metadata are more than 8 KiB")
    })?;
    for (name, value) in metadata {
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        require(is_name, operation, || {
            format!("{name:?} cannot name metadata: lower-case letters and digits, a letter first")
        })?;
        require(is_header_text(value), operation, || {
            format!("the metadata '{name}' is not printable ASCII without blanks at its ends")
        })?;
    }
    Ok(())
}

fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) && text.trim() == text
}
