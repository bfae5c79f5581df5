//! The blob operations.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use dilux_core::storage::{
    BlobEntry, BlobName, BlobPage, BlobProperties, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutCondition, PutOptions, StorageError, StorageErrorKind, StorageResult,
};
use jiff::Timestamp;

use crate::defect::Defect;
use crate::observer::MANIFESTS;

use super::{Content, Memory, error, etag};

/// A committed blob.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    /// What it holds.
    pub(crate) bytes: Bytes,
    /// When it was written, by the store's clock.
    pub(crate) written_at: Timestamp,
    version: u64,
    content_type: String,
    metadata: BTreeMap<String, String>,
}

/// The blobs of a container, and the blocks that wait to become some.
#[derive(Debug, Default)]
pub(crate) struct Container {
    /// Committed blobs by name.
    pub(crate) blobs: BTreeMap<String, Blob>,
    /// Staged blocks by the name of their blob.
    pub(crate) staged: BTreeMap<String, BTreeMap<[u8; 32], Bytes>>,
}

/// A blob's full name.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) container: ContainerName,
    pub(crate) name: BlobName,
}

impl Place {
    pub(crate) fn new(container: &ContainerName, name: &BlobName) -> Self {
        Self {
            container: container.clone(),
            name: name.clone(),
        }
    }
}

impl Memory {
    /// Changes a bit of some data behind everybody's back. `pick` chooses a number below its
    /// argument. Gives the name of the blob.
    pub(crate) fn decay(&self, now: Timestamp, pick: impl Fn(usize) -> usize) -> Option<String> {
        let mut content = self.content();
        let containers = content.containers.values_mut();
        let blobs = containers.flat_map(|container| &mut container.blobs);
        let mut data: Vec<(&String, &mut Blob)> = blobs
            .filter(|(name, blob)| !name.starts_with(MANIFESTS) && !blob.bytes.is_empty())
            .collect();
        if data.is_empty() {
            return None;
        }
        let (name, blob) = data.swap_remove(pick(data.len()));
        if !self.has(Defect::HidesDecay) {
            let mut bytes = blob.bytes.to_vec();
            let place = pick(bytes.len());
            bytes[place] ^= 1;
            blob.bytes = bytes.into();
        }
        let name = name.clone();
        content.decayed.entry(name.clone()).or_insert(now);
        Some(name)
    }

    pub(crate) fn make_container(&self, container: &ContainerName) {
        let mut content = self.content();
        let name = container.as_str().to_owned();
        content.containers.entry(name).or_default();
    }

    pub(crate) fn put_blob(
        &self,
        place: &Place,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let mut content = self.content();
        container(&mut content, &place.container, "put blob")?;
        self.enter(&mut content, place, bytes, options)
    }

    pub(crate) fn stage(&self, place: &Place, id: BlockId, bytes: Bytes) -> StorageResult<()> {
        let mut content = self.content();
        let container = container(&mut content, &place.container, "stage block")?;
        let name = place.name.as_str().to_owned();
        let is_flipped = self.has(Defect::FlipsBits) && bytes.len().is_multiple_of(13);
        let bytes = if is_flipped { flipped(&bytes) } else { bytes };
        container
            .staged
            .entry(name)
            .or_default()
            .insert(id.0, bytes);
        Ok(())
    }

    pub(crate) fn commit(
        &self,
        place: &Place,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        const OPERATION: &str = "commit blocks";
        let mut content = self.content();
        let container = container(&mut content, &place.container, OPERATION)?;
        let present = container.blobs.get(place.name.as_str());
        check(&options.condition, present, OPERATION)?;
        let staged = container.staged.get(place.name.as_str());
        let mut bytes = BytesMut::new();
        for id in blocks {
            let block = staged.and_then(|staged| staged.get(&id.0)).ok_or_else(|| {
                let message = "a block was never staged";
                error(StorageErrorKind::Invalid, OPERATION, message)
            })?;
            bytes.extend_from_slice(block);
        }
        self.enter(&mut content, place, bytes.freeze(), options)
    }

    /// Makes `bytes` the blob and drops what was staged under its name.
    fn enter(
        &self,
        content: &mut Content,
        place: &Place,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        const OPERATION: &str = "put blob";
        let version = content.number();
        let container = container(content, &place.container, OPERATION)?;
        let name = place.name.as_str();
        if !self.has(Defect::OverwritesBlobs) {
            check(&options.condition, container.blobs.get(name), OPERATION)?;
        }
        container.staged.remove(name);
        let blob = Blob {
            bytes,
            written_at: self.now(),
            version,
            content_type: options
                .content_type
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            metadata: options.metadata,
        };
        let before = container.blobs.insert(name.to_owned(), blob);
        if let Some(witness) = &self.witness {
            witness.blob_changed(content, place.container.as_str(), name, before.as_ref());
        }
        Ok(BlobVersion {
            etag: etag(version),
        })
    }

    pub(crate) fn discard(&self, place: &Place) -> StorageResult<()> {
        let mut content = self.content();
        let container = container(&mut content, &place.container, "discard blocks")?;
        container.staged.remove(place.name.as_str());
        Ok(())
    }

    pub(crate) fn describe(&self, place: &Place) -> StorageResult<Option<BlobProperties>> {
        let mut content = self.content();
        let container = container(&mut content, &place.container, "get blob properties")?;
        let found = container.blobs.get(place.name.as_str());
        Ok(found.map(|blob| BlobProperties {
            size: blob.bytes.len() as u64,
            etag: etag(blob.version),
            last_modified: blob.written_at,
            content_type: blob.content_type.clone(),
            metadata: blob.metadata.clone(),
        }))
    }

    pub(crate) fn read_blob(
        &self,
        place: &Place,
        range: &Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        const OPERATION: &str = "read blob";
        let mut content = self.content();
        let container = container(&mut content, &place.container, OPERATION)?;
        let found = container.blobs.get(place.name.as_str());
        let blob = found.ok_or_else(|| missing(OPERATION))?;
        check_version(version, blob, OPERATION)?;
        let start = usize::try_from(range.start).unwrap_or(usize::MAX);
        let end = usize::try_from(range.end).unwrap_or(usize::MAX);
        if start > end || end > blob.bytes.len() {
            let message = "the range does not lie in the blob";
            return Err(error(StorageErrorKind::Invalid, OPERATION, message));
        }
        Ok(blob.bytes.slice(start..end))
    }

    pub(crate) fn delete_blob(&self, place: &Place, version: Option<&ETag>) -> StorageResult<()> {
        const OPERATION: &str = "delete blob";
        let mut content = self.content();
        let container = container(&mut content, &place.container, OPERATION)?;
        let name = place.name.as_str();
        let blob = container.blobs.get(name);
        check_version(version, blob.ok_or_else(|| missing(OPERATION))?, OPERATION)?;
        let before = container.blobs.remove(name);
        if let Some(witness) = &self.witness {
            witness.blob_changed(&content, place.container.as_str(), name, before.as_ref());
        }
        Ok(())
    }

    pub(crate) fn list_blobs(
        &self,
        container_name: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        let mut content = self.content();
        let container = container(&mut content, container_name, "list blobs")?;
        let mut page = BlobPage {
            blobs: Vec::new(),
            next: None,
        };
        let found = container
            .blobs
            .range(prefix.to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(name, _)| from.is_none_or(|from| name.as_str() > from.as_str()));
        for (name, blob) in found {
            if page.blobs.len() == most as usize {
                let last = page.blobs.last();
                page.next = last.map(|last| Continuation::new(last.name.as_str()));
                break;
            }
            page.blobs.push(BlobEntry {
                name: BlobName::new(name.as_str())?,
                size: blob.bytes.len() as u64,
                etag: etag(blob.version),
                last_modified: blob.written_at,
                content_type: blob.content_type.clone(),
            });
        }
        Ok(page)
    }
}

fn container<'a>(
    content: &'a mut Content,
    name: &ContainerName,
    operation: &'static str,
) -> StorageResult<&'a mut Container> {
    content.containers.get_mut(name.as_str()).ok_or_else(|| {
        let message = format!("there is no container '{}'", name.as_str());
        error(StorageErrorKind::NotFound, operation, message)
    })
}

/// The same bytes with one bit changed.
fn flipped(bytes: &Bytes) -> Bytes {
    let mut changed = BytesMut::from(bytes.as_ref());
    if let Some(byte) = changed.last_mut() {
        *byte ^= 1;
    }
    changed.freeze()
}

fn missing(operation: &'static str) -> StorageError {
    error(
        StorageErrorKind::NotFound,
        operation,
        "the blob does not exist",
    )
}

fn check(
    condition: &PutCondition,
    present: Option<&Blob>,
    operation: &'static str,
) -> StorageResult<()> {
    match (condition, present) {
        (PutCondition::Always, _) | (PutCondition::Absent, None) => Ok(()),
        (PutCondition::Absent, Some(_)) => Err(error(
            StorageErrorKind::AlreadyExists,
            operation,
            "the blob exists already",
        )),
        (PutCondition::Matches(wanted), Some(blob)) => check_version(Some(wanted), blob, operation),
        (PutCondition::Matches(_), None) => Err(error(
            StorageErrorKind::PreconditionFailed,
            operation,
            "the blob was deleted",
        )),
    }
}

fn check_version(
    version: Option<&ETag>,
    blob: &Blob,
    operation: &'static str,
) -> StorageResult<()> {
    if version.is_none_or(|version| *version == etag(blob.version)) {
        return Ok(());
    }
    Err(error(
        StorageErrorKind::PreconditionFailed,
        operation,
        "the blob has another version",
    ))
}
