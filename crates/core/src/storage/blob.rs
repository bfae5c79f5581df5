//! The blob port: named byte sequences, written in blocks and committed at once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use url::Url;

use super::{Continuation, ETag, StorageError, StorageErrorKind, StorageResult};

/// Whether `name` is 3–63 lower-case letters, digits and single inner hyphens, the rule for
/// containers and queues alike.
pub(super) fn is_dns_label(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// Name of a container: 3–63 lower-case letters, digits and single inner hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerName(String);

impl ContainerName {
    /// Parses a container name.
    pub fn new(name: impl Into<String>) -> StorageResult<Self> {
        let name = name.into();
        if is_dns_label(&name) {
            Ok(Self(name))
        } else {
            Err(StorageError::new(
                StorageErrorKind::Invalid,
                "name container",
                format!("'{name}' is not 3–63 lower-case letters, digits and single hyphens"),
            ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Name of a blob: 1–1024 characters, `/` between its parts, no control character, no backslash
/// (which Azure takes for `/`), no part that is empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobName(String);

impl BlobName {
    /// Parses a blob name.
    pub fn new(name: impl Into<String>) -> StorageResult<Self> {
        let name = name.into();
        let is_valid = (1..=1024).contains(&name.chars().count())
            && !name.chars().any(|c| c.is_control() || c == '\\')
            && name
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..")
            && !name.ends_with('.');
        if is_valid {
            Ok(Self(name))
        } else {
            Err(StorageError::new(
                StorageErrorKind::Invalid,
                "name blob",
                format!("{name:?} is not a usable blob name"),
            ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Id of a staged block: 32 bytes, so that all ids of a blob have one length, as Azure demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockId(pub [u8; 32]);

/// Which present blob a write may meet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PutCondition {
    /// Any: overwrite.
    #[default]
    Always,
    /// None: `AlreadyExists` when there is one.
    Absent,
    /// Only this version: `PreconditionFailed` otherwise, also when it is gone.
    Matches(ETag),
}

/// How to write a blob.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PutOptions {
    /// Which present blob it may meet, evaluated when the write becomes visible.
    pub condition: PutCondition,
    /// `application/octet-stream` when absent.
    pub content_type: Option<String>,
    /// Names of lower-case letters and digits; values of printable ASCII.
    pub metadata: BTreeMap<String, String>,
}

/// What a write made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobVersion {
    /// The new version.
    pub etag: ETag,
}

/// What is known of a blob without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobProperties {
    /// Bytes.
    pub size: u64,
    /// Version.
    pub etag: ETag,
    /// Last write, by the store's clock.
    pub last_modified: Timestamp,
    /// Content type.
    pub content_type: String,
    /// Metadata as written.
    pub metadata: BTreeMap<String, String>,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobEntry {
    /// Name.
    pub name: BlobName,
    /// Bytes.
    pub size: u64,
    /// Version.
    pub etag: ETag,
    /// Last write, by the store's clock.
    pub last_modified: Timestamp,
    /// Content type.
    pub content_type: String,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobPage {
    /// Blobs, ascending by name. May be empty although more follow.
    pub blobs: Vec<BlobEntry>,
    /// Where the next page starts; `None` means that this was the last one.
    pub next: Option<Continuation>,
}

/// Named byte sequences in containers.
///
/// # Contract
/// - A reader sees a whole committed version or none; never a part, never staged blocks.
/// - `put` and `commit_blocks` are atomic and durable when they return. Of N writers with `Absent`
///   on one name, exactly one succeeds; the others get `AlreadyExists`.
/// - Staged blocks belong to the blob's name and vanish when it is committed, or after days.
///   Two writers must therefore never stage to one name: names are unique per attempt.
/// - Each committed version has an ETag of its own.
/// - A missing blob is `Ok(None)` for `properties`, `NotFound` for `read` and for a `delete`.
/// - Bytes are checked on their way (MD5 per block and put).
#[async_trait]
pub trait BlobStore: Send + Sync + fmt::Debug {
    /// Makes sure that the container exists. Idempotent.
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()>;

    /// Writes a small blob (at most 64 MiB) at once.
    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion>;

    /// Stages a block of 1 byte – 256 MiB. The same id and bytes may be staged again.
    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()>;

    /// Makes the staged blocks, in this order, the blob. At most 50 000; none makes an empty blob.
    /// A block that was never staged gives `Invalid`.
    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion>;

    /// Drops what was staged under a name that is not committed, as far as the store can; the
    /// rest vanishes by itself after days.
    async fn discard_blocks(&self, container: &ContainerName, name: &BlobName)
    -> StorageResult<()>;

    /// What is known of a blob.
    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>>;

    /// Reads `range` of the version `version` (`PreconditionFailed` when it is another by now; any
    /// version when absent). The range must lie in the blob; an end past it gives `Invalid`.
    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes>;

    /// Deletes a blob, only in version `version` where given.
    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()>;

    /// Lists committed blobs whose name starts with `prefix`, at most `most` (1–5000) a page.
    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage>;

    /// A link that reads this one blob for `life` without further credentials and saves it as
    /// `file_name`; `None` when the store cannot make links and the caller must stream the bytes.
    async fn download_link(
        &self,
        container: &ContainerName,
        name: &BlobName,
        life: Duration,
        file_name: &str,
    ) -> StorageResult<Option<Url>>;
}
