//! How much a dump may hold in memory, whatever its length.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use dilux_core::model::ToolIdentity;
use dilux_core::random::SystemRandom;
use dilux_core::storage::{
    BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, Continuation, ETag, PutOptions,
    StorageError, StorageErrorKind, StorageResult,
};
use dilux_core::transfer::{DumpEvidence, ToolExit};
use tokio::sync::watch;
use url::Url;

use super::*;
use crate::Tuning;
use crate::digest::Hashing;

const CHUNK: usize = 16 << 10;
const BLOCK: usize = 128 << 10;
const LENGTH: u64 = 64 * BLOCK as u64;

/// A dump that never waits and tells how far it was read.
struct Endless {
    read: watch::Sender<u64>,
    line: u64,
}

#[async_trait]
impl DumpSource for Endless {
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<usize, Failure> {
        let start = buffer.len();
        let left = usize::try_from(LENGTH - *self.read.borrow()).unwrap();
        let end = buffer.capacity().min(start + left);
        while buffer.len() < end {
            self.line = self
                .line
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let text = self.line.to_be_bytes();
            buffer.put_slice(&text[..text.len().min(end - buffer.len())]);
        }
        let added = buffer.len() - start;
        self.read.send_modify(|read| *read += added as u64);
        Ok(added)
    }

    async fn finish(self: Box<Self>) -> Result<DumpComplete, Failure> {
        DumpComplete::prove(DumpEvidence {
            exit: Some(ToolExit::Code(0)),
            reached_end: true,
            has_trailer: true,
            plain_bytes: *self.read.borrow(),
            tool: ToolIdentity {
                name: String::new(),
                path: String::new(),
                version: String::new(),
            },
            duration: Duration::ZERO,
            warnings: String::new(),
        })
    }

    async fn abort(self: Box<Self>) {}
}

/// A store that acknowledges a block only when the dump has run as far ahead as it can surely
/// come: everything else is held up by then.
#[derive(Debug)]
struct Slow {
    read: watch::Receiver<u64>,
    acknowledged: watch::Sender<u64>,
}

impl Slow {
    fn refuse<T>() -> StorageResult<T> {
        Err(StorageError::new(
            StorageErrorKind::Invalid,
            "use a slow store",
            "not needed",
        ))
    }
}

#[async_trait]
impl BlobStore for Slow {
    async fn stage_block(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        let ahead = *self.acknowledged.borrow() + 3 * BLOCK as u64;
        let mut read = self.read.clone();
        read.wait_for(|read| *read >= ahead.min(LENGTH))
            .await
            .unwrap();
        self.acknowledged
            .send_modify(|acknowledged| *acknowledged += bytes.len() as u64);
        Ok(())
    }

    async fn discard_blocks(&self, _: &ContainerName, _: &BlobName) -> StorageResult<()> {
        Ok(())
    }

    async fn create_container(&self, _: &ContainerName) -> StorageResult<()> {
        Self::refuse()
    }

    async fn put(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: Bytes,
        _: PutOptions,
    ) -> StorageResult<BlobVersion> {
        Self::refuse()
    }

    async fn commit_blocks(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: &[BlockId],
        _: PutOptions,
    ) -> StorageResult<BlobVersion> {
        Self::refuse()
    }

    async fn properties(
        &self,
        _: &ContainerName,
        _: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        Self::refuse()
    }

    async fn read(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: Range<u64>,
        _: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        Self::refuse()
    }

    async fn delete(&self, _: &ContainerName, _: &BlobName, _: Option<&ETag>) -> StorageResult<()> {
        Self::refuse()
    }

    async fn list(
        &self,
        _: &ContainerName,
        _: &str,
        _: u32,
        _: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        Self::refuse()
    }

    async fn download_link(
        &self,
        _: &ContainerName,
        _: &BlobName,
        _: Duration,
        _: &str,
    ) -> StorageResult<Option<Url>> {
        Self::refuse()
    }
}

async fn stage_slowly(compression: Compression) -> Staged {
    let (read, was_read) = watch::channel(0);
    let slow = Slow {
        read: was_read,
        acknowledged: watch::Sender::new(0),
    };
    let pipeline = Pipeline::new(Arc::new(slow), Arc::new(SystemRandom)).with_tuning(Tuning {
        workers: NonZeroUsize::new(2).unwrap(),
        chunk_bytes: NonZeroUsize::new(CHUNK).unwrap(),
        block_bytes: NonZeroUsize::new(BLOCK).unwrap(),
        ..Tuning::default()
    });
    let destination = Destination {
        container: ContainerName::new("backups").unwrap(),
        blob: BlobName::new("a").unwrap(),
        epoch: 1,
        compression,
        format: "sql".to_owned(),
    };
    let control = Control::default();
    let target = Target::new(&pipeline.blobs, &destination);
    let mut uploads = Uploads::new(target, BlockNames::new(1, &SystemRandom), &control);
    let mut source: Option<Box<dyn DumpSource>> = Some(Box::new(Endless { read, line: 1 }));
    pipeline
        .stage(&mut source, &mut uploads, compression, &control.progress)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_dump_into_a_slow_store_needs_few_buffers() {
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let Staged { plain, buffers, .. } = stage_slowly(compression).await;
        assert_eq!(plain.bytes, LENGTH);
        let what = format!("{compression:?}: {buffers:?}");
        // One is filled, two are on their way.
        assert!(buffers.blocks <= 3, "{what}");
        // Chunks: one is filled, one waits, two are compressed. Outputs: one is packed, two are
        // being made. Each hash may lag by those that it has not seen yet.
        let lagging = Hashing::WAITING + 1;
        assert!(
            buffers.chunks + buffers.outputs <= 4 + 3 + 2 * lagging,
            "{what}"
        );
    }
}
