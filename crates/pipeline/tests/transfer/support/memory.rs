//! A blob store in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutCondition, PutOptions, StorageError, StorageErrorKind, StorageResult,
};
use jiff::Timestamp;
use url::Url;

#[derive(Debug, Clone)]
struct Stored {
    bytes: Vec<u8>,
    etag: ETag,
    options: PutOptions,
}

/// Blobs and staged blocks of one container.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    blobs: Mutex<BTreeMap<BlobName, Stored>>,
    staged: Mutex<HashMap<BlobName, HashMap<BlockId, Vec<u8>>>>,
    arrivals: Mutex<Vec<BlockId>>,
}

impl MemoryStore {
    pub(crate) fn content(&self, name: &BlobName) -> Option<Vec<u8>> {
        self.blobs
            .lock()
            .unwrap()
            .get(name)
            .map(|stored| stored.bytes.clone())
    }

    /// Changes a stored blob behind everybody's back.
    pub(crate) fn tamper(&self, name: &BlobName, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.blobs.lock().unwrap().get_mut(name).unwrap().bytes);
    }

    /// All blocks in the order of their arrival.
    pub(crate) fn arrivals(&self) -> Vec<BlockId> {
        self.arrivals.lock().unwrap().clone()
    }

    pub(crate) fn has_blobs(&self) -> bool {
        !self.blobs.lock().unwrap().is_empty()
    }

    pub(crate) fn has_staged_blocks(&self) -> bool {
        self.staged
            .lock()
            .unwrap()
            .values()
            .any(|blocks| !blocks.is_empty())
    }

    fn write(&self, name: &BlobName, bytes: Vec<u8>, options: PutOptions) -> StorageResult<ETag> {
        let mut blobs = self.blobs.lock().unwrap();
        if options.condition == PutCondition::Absent && blobs.contains_key(name) {
            return Err(error(StorageErrorKind::AlreadyExists));
        }
        let etag = ETag::new(format!("{}-{}", blobs.len(), bytes.len()));
        blobs.insert(
            name.clone(),
            Stored {
                bytes,
                etag: etag.clone(),
                options,
            },
        );
        Ok(etag)
    }
}

fn error(kind: StorageErrorKind) -> StorageError {
    StorageError::new(kind, "use memory", "refused")
}

#[async_trait]
impl BlobStore for MemoryStore {
    async fn create_container(&self, _: &ContainerName) -> StorageResult<()> {
        Ok(())
    }

    async fn put(
        &self,
        _: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        self.write(name, bytes.to_vec(), options)
            .map(|etag| BlobVersion { etag })
    }

    async fn stage_block(
        &self,
        _: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        self.arrivals.lock().unwrap().push(id);
        let mut staged = self.staged.lock().unwrap();
        staged
            .entry(name.clone())
            .or_default()
            .insert(id, bytes.to_vec());
        Ok(())
    }

    async fn commit_blocks(
        &self,
        _: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let mut bytes = Vec::new();
        {
            let staged = self.staged.lock().unwrap();
            let staged = staged
                .get(name)
                .ok_or_else(|| error(StorageErrorKind::Invalid))?;
            for id in blocks {
                let block = staged
                    .get(id)
                    .ok_or_else(|| error(StorageErrorKind::Invalid))?;
                bytes.extend_from_slice(block);
            }
        }
        let etag = self.write(name, bytes, options)?;
        self.staged.lock().unwrap().remove(name);
        Ok(BlobVersion { etag })
    }

    async fn discard_blocks(&self, _: &ContainerName, name: &BlobName) -> StorageResult<()> {
        self.staged.lock().unwrap().remove(name);
        Ok(())
    }

    async fn properties(
        &self,
        _: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        Ok(self
            .blobs
            .lock()
            .unwrap()
            .get(name)
            .map(|stored| BlobProperties {
                size: stored.bytes.len() as u64,
                etag: stored.etag.clone(),
                last_modified: Timestamp::UNIX_EPOCH,
                content_type: stored.options.content_type.clone().unwrap_or_default(),
                metadata: stored.options.metadata.clone(),
            }))
    }

    async fn read(
        &self,
        _: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        let blobs = self.blobs.lock().unwrap();
        let stored = blobs
            .get(name)
            .ok_or_else(|| error(StorageErrorKind::NotFound))?;
        if version.is_some_and(|version| *version != stored.etag) {
            return Err(error(StorageErrorKind::PreconditionFailed));
        }
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let bytes = stored
            .bytes
            .get(range)
            .ok_or_else(|| error(StorageErrorKind::Invalid))?;
        Ok(Bytes::copy_from_slice(bytes))
    }

    async fn delete(
        &self,
        _: &ContainerName,
        name: &BlobName,
        _: Option<&ETag>,
    ) -> StorageResult<()> {
        let removed = self.blobs.lock().unwrap().remove(name);
        removed
            .map(|_| ())
            .ok_or_else(|| error(StorageErrorKind::NotFound))
    }

    async fn list(
        &self,
        _: &ContainerName,
        _: &str,
        _: u32,
        _: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        Err(error(StorageErrorKind::Invalid))
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
