//! One blob in one file, or nowhere.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutOptions, StorageError, StorageErrorKind, StorageResult,
};
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use url::Url;

#[derive(Debug)]
pub(crate) struct FileStore {
    file: Option<Arc<File>>,
    block_bytes: u64,
    bytes: AtomicU64,
    metadata: Mutex<BTreeMap<String, String>>,
}

impl FileStore {
    pub(crate) fn new(file: Option<&Path>, block_bytes: NonZeroUsize) -> Result<Self> {
        let open = |path: &Path| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
        };
        let file = file.map(open).transpose()?;
        let bytes = file
            .as_ref()
            .map_or(Ok(0), |file| file.metadata().map(|data| data.len()))?;
        Ok(Self {
            file: file.map(Arc::new),
            block_bytes: block_bytes.get() as u64,
            bytes: AtomicU64::new(bytes),
            metadata: Mutex::default(),
        })
    }

    fn version() -> BlobVersion {
        BlobVersion {
            etag: ETag::new("1"),
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "takes errors as `map_err` hands them over"
)]
fn refuse(message: impl ToString) -> StorageError {
    StorageError::new(
        StorageErrorKind::Internal,
        "use the file",
        message.to_string(),
    )
}

#[async_trait]
impl BlobStore for FileStore {
    async fn stage_block(
        &self,
        _: &ContainerName,
        _: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        let mut index = [0; 8];
        index.copy_from_slice(&id.0[24..]);
        let index = u64::from_be_bytes(index);
        if index == 0 {
            self.bytes.store(0, Ordering::SeqCst);
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        let offset = index * self.block_bytes;
        spawn_blocking(move || file.write_all_at(&bytes, offset))
            .await
            .map_err(refuse)?
            .map_err(refuse)
    }

    async fn commit_blocks(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        if let Some(file) = &self.file {
            file.set_len(self.bytes.load(Ordering::SeqCst))
                .map_err(refuse)?;
        }
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = options.metadata;
        Ok(Self::version())
    }

    async fn properties(
        &self,
        _: &ContainerName,
        _: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        Ok(Some(BlobProperties {
            size: self.bytes.load(Ordering::SeqCst),
            etag: Self::version().etag,
            last_modified: Timestamp::UNIX_EPOCH,
            content_type: String::new(),
            metadata: self
                .metadata
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }))
    }

    async fn read(
        &self,
        _: &ContainerName,
        _: &BlobName,
        range: Range<u64>,
        _: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        let file = self
            .file
            .clone()
            .ok_or_else(|| refuse("there is no file"))?;
        let length = usize::try_from(range.end - range.start).map_err(refuse)?;
        spawn_blocking(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, range.start)
                .map(|()| Bytes::from(bytes))
        })
        .await
        .map_err(refuse)?
        .map_err(refuse)
    }

    async fn discard_blocks(&self, _: &ContainerName, _: &BlobName) -> StorageResult<()> {
        Ok(())
    }

    async fn create_container(&self, _: &ContainerName) -> StorageResult<()> {
        Ok(())
    }

    async fn put(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: Bytes,
        _: PutOptions,
    ) -> StorageResult<BlobVersion> {
        Err(refuse("only blocks are written"))
    }

    async fn delete(&self, _: &ContainerName, _: &BlobName, _: Option<&ETag>) -> StorageResult<()> {
        Ok(())
    }

    async fn list(
        &self,
        _: &ContainerName,
        _: &str,
        _: u32,
        _: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        Err(refuse("there is nothing to list"))
    }

    async fn download_link(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: Duration,
        _: &str,
    ) -> StorageResult<Option<Url>> {
        Ok(None)
    }
}
