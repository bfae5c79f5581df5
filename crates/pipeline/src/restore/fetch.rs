//! Reads a blob in ranges of one version, a few at a time, in order.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use dilux_core::model::StoredData;
use dilux_core::storage::{BlobName, BlobStore, ContainerName, ETag};
use dilux_core::transfer::Failure;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::digest::Hashing;
use crate::{Progress, failure};

/// Bytes of one read.
const READ_BYTES: u64 = 2 << 20;
/// Reads at a time.
const READS_IN_FLIGHT: usize = 4;

/// The version of a blob that is read.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    blobs: Arc<dyn BlobStore>,
    container: ContainerName,
    blob: BlobName,
    version: ETag,
    bytes: u64,
}

impl Origin {
    /// Finds the data and pins its present version. Its length must be that of the manifest; its
    /// version may be another, since moving a store or setting a tag changes it, and the hashes
    /// say more.
    pub(super) async fn find(
        blobs: &Arc<dyn BlobStore>,
        data: &StoredData,
    ) -> Result<Self, Failure> {
        let unusable = |_| failure::integrity("the manifest names no usable container or blob");
        let container = ContainerName::new(data.container.as_str()).map_err(unusable)?;
        let blob = BlobName::new(data.blob.as_str()).map_err(unusable)?;
        let found = blobs.properties(&container, &blob).await;
        let Some(properties) = found.map_err(|error| failure::storage(&error))? else {
            return Err(failure::integrity(format!(
                "the data of this backup, '{blob}', is not in container '{}' any more",
                data.container
            )));
        };
        if properties.size != data.stored_bytes {
            return Err(failure::integrity(format!(
                "the backup is damaged: it has {} stored bytes instead of {}",
                properties.size, data.stored_bytes
            )));
        }
        if properties.etag.as_str() != data.etag {
            tracing::info!(blob.name = %blob, "the data has another version than its manifest says");
        }
        let (version, bytes) = (properties.etag, properties.size);
        Ok(Self {
            blobs: Arc::clone(blobs),
            container,
            blob,
            version,
            bytes,
        })
    }

    /// Hands everything on in order. Ends early without failure when nobody takes it any more.
    pub(super) async fn fetch(
        &self,
        pieces: mpsc::Sender<Bytes>,
        hashing: &Hashing,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let ranges = (0..self.bytes.div_ceil(READ_BYTES)).map(|index| {
            let start = index * READ_BYTES;
            start..self.bytes.min(start + READ_BYTES)
        });
        // Tasks of their own: a sink that pauses for an hour must not leave an answer half read.
        let reads = stream::iter(ranges)
            .map(|range| AbortOnDropHandle::new(tokio::spawn(self.clone().read(range))));
        let mut reads = std::pin::pin!(reads.buffered(READS_IN_FLIGHT));
        while let Some(read) = reads.next().await {
            let piece = read.map_err(|_| failure::defect("a read ended early"))??;
            progress.add_stored(piece.len());
            hashing.update(piece.clone()).await?;
            if pieces.send(piece).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn read(self, range: Range<u64>) -> Result<Bytes, Failure> {
        self.blobs
            .read(&self.container, &self.blob, range, Some(&self.version))
            .await
            .map_err(|error| failure::storage(&error))
    }
}
