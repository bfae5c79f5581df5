//! From staged blocks to a visible blob: only with the proof of the dump, and only once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dilux_core::model::{Compression, StoredData};
use dilux_core::storage::{
    BlobName, BlobProperties, BlobStore, BlockId, ContainerName, PutCondition, PutOptions,
    StorageErrorKind, StorageResult,
};
use dilux_core::transfer::{DumpComplete, Failure};

use crate::digest::Digest;
use crate::store::Destination;
use crate::{Pipeline, failure};

/// Metadata that tells a blob of ours from any other.
const STORED_SHA256: &str = "storedsha256";
const PLAIN_SHA256: &str = "plainsha256";
const PLAIN_BYTES: &str = "plainbytes";
const EPOCH: &str = "epoch";

/// A whole, proven dump whose blocks wait to be made visible. It owns the proof, so nothing
/// without one can be committed.
#[derive(Debug)]
#[must_use = "its blocks stay until it is committed or discarded"]
pub struct StagedDump {
    pub(crate) target: Target,
    pub(crate) destination: Destination,
    pub(crate) blocks: Vec<BlockId>,
    pub(crate) plain: Digest,
    pub(crate) stored: Digest,
    pub(crate) proof: DumpComplete,
}

impl StagedDump {
    /// Length and hash of the dump as the tool wrote it.
    pub fn plain(&self) -> &Digest {
        &self.plain
    }

    /// Length and hash of the bytes to be stored.
    pub fn stored(&self) -> &Digest {
        &self.stored
    }

    /// The proof that the dump is whole.
    pub fn proof(&self) -> &DumpComplete {
        &self.proof
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (STORED_SHA256.to_owned(), self.stored.sha256.clone()),
            (PLAIN_SHA256.to_owned(), self.plain.sha256.clone()),
            (PLAIN_BYTES.to_owned(), self.plain.bytes.to_string()),
            (EPOCH.to_owned(), self.destination.epoch.to_string()),
        ])
    }

    /// Whether a blob under our name is what this dump's commit made.
    fn is_made_of(&self, properties: &BlobProperties) -> bool {
        properties.size == self.stored.bytes && properties.metadata == self.metadata()
    }

    fn into_stored_data(self, properties: &BlobProperties) -> (StoredData, DumpComplete) {
        let data = StoredData {
            container: self.destination.container.as_str().to_owned(),
            blob: self.destination.blob.as_str().to_owned(),
            etag: properties.etag.as_str().to_owned(),
            compression: self.destination.compression,
            format: self.destination.format,
            stored_bytes: self.stored.bytes,
            stored_sha256: self.stored.sha256,
            plain_bytes: self.plain.bytes,
            plain_sha256: self.plain.sha256,
        };
        (data, self.proof)
    }
}

impl Pipeline {
    /// Makes a staged dump visible, create-only, and reads back what is there. A reply that was
    /// lost is made good by looking: the name is ours alone. On failure everything is dropped.
    pub async fn commit(&self, staged: StagedDump) -> Result<(StoredData, DumpComplete), Failure> {
        let target = staged.target.clone();
        let options = PutOptions {
            condition: PutCondition::Absent,
            content_type: Some(content_type(staged.destination.compression).to_owned()),
            metadata: staged.metadata(),
        };
        let committed = target
            .blobs
            .commit_blocks(&target.container, &target.blob, &staged.blocks, options)
            .await;
        // Also after an error: it may be only the reply that failed.
        let found = target
            .blobs
            .properties(&target.container, &target.blob)
            .await;
        let failure = match (committed, found) {
            (_, Ok(Some(properties))) if staged.is_made_of(&properties) => {
                return Ok(staged.into_stored_data(&properties));
            }
            (Err(error), found) if error.kind() == StorageErrorKind::AlreadyExists => {
                target.discard().await;
                return Err(match found {
                    Err(error) => failure::storage(&error),
                    Ok(_) => failure::defect(format!(
                        "another writer used the name '{}' of this backup",
                        target.blob
                    )),
                });
            }
            (Err(error), _) | (Ok(_), Err(error)) => failure::storage(&error),
            (Ok(_), Ok(_)) => failure::integrity(format!(
                "the store committed '{}', but does not have it as it was written",
                target.blob
            )),
        };
        target.discard().await;
        target.delete().await;
        Err(failure)
    }

    /// Drops a staged dump that is not to become visible.
    pub async fn discard(&self, staged: StagedDump) {
        staged.target.discard().await;
    }
}

fn content_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "application/gzip",
        Compression::Zstd => "application/zstd",
        Compression::None => "application/octet-stream",
    }
}

/// The blob that one attempt writes.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    blobs: Arc<dyn BlobStore>,
    container: ContainerName,
    blob: BlobName,
}

impl Target {
    pub(crate) fn new(blobs: &Arc<dyn BlobStore>, destination: &Destination) -> Self {
        Self {
            blobs: Arc::clone(blobs),
            container: destination.container.clone(),
            blob: destination.blob.clone(),
        }
    }

    pub(crate) async fn stage(&self, id: BlockId, block: Bytes) -> StorageResult<()> {
        self.blobs
            .stage_block(&self.container, &self.blob, id, block)
            .await
    }

    /// Drops staged blocks as far as it can be done now; the store drops the rest after days.
    pub(crate) async fn discard(&self) {
        if let Err(error) = self.blobs.discard_blocks(&self.container, &self.blob).await {
            tracing::warn!(blob.name = %self.blob, %error, "could not drop the blocks of a failed backup");
        }
    }

    /// Deletes a blob that a failed commit may have made; without manifest it is no backup anyway.
    async fn delete(&self) {
        match self.blobs.delete(&self.container, &self.blob, None).await {
            Ok(()) => {}
            Err(error) if error.kind() == StorageErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(blob.name = %self.blob, %error, "could not delete the data of a failed backup");
            }
        }
    }
}
