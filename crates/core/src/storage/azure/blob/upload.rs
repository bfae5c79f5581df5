//! Writing blobs: at once, in blocks, and undoing staged blocks.

use std::collections::HashMap;
use std::num::NonZero;

use azure_core::http::Etag;
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlockBlobClientCommitBlockListOptions,
    BlockBlobClientCommitBlockListResultHeaders, BlockBlobClientUploadOptions, BlockLookupList,
};
use azure_storage_blob::{BlobClient, BlockBlobClient};
use bytes::Bytes;

use super::{DEFAULT_CONTENT_TYPE, etag, wire_etag};
use crate::storage::azure::failure::Failure;
use crate::storage::{
    BlobVersion, BlockId, PutCondition, PutOptions, StorageError, StorageErrorKind, StorageResult,
};

/// A condition as headers.
struct Condition {
    if_match: Option<Etag>,
    if_none_match: Option<Etag>,
}

impl Condition {
    fn new(condition: &PutCondition) -> Self {
        match condition {
            PutCondition::Always => Self {
                if_match: None,
                if_none_match: None,
            },
            PutCondition::Absent => Self {
                if_match: None,
                if_none_match: Some(Etag::from("*")),
            },
            PutCondition::Matches(version) => Self {
                if_match: Some(wire_etag(version)),
                if_none_match: None,
            },
        }
    }
}

pub(super) async fn put(
    client: &BlockBlobClient,
    bytes: Bytes,
    options: PutOptions,
) -> StorageResult<BlobVersion> {
    let condition = options.condition.clone();
    upload(client, bytes, options)
        .await
        .map_err(|failure| conditional(failure, "put blob", &condition))
}

async fn upload(
    client: &BlockBlobClient,
    bytes: Bytes,
    options: PutOptions,
) -> Result<BlobVersion, Failure> {
    let headers = Condition::new(&options.condition);
    let options = BlockBlobClientUploadOptions {
        blob_content_type: Some(content_type(&options)),
        if_match: headers.if_match,
        if_none_match: headers.if_none_match,
        metadata: Some(metadata(options)),
        // As large as the whole, so that it goes in one request.
        partition_size: NonZero::new(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        ..Default::default()
    };
    let written = client.upload(bytes.into(), Some(options)).await?;
    Ok(BlobVersion {
        etag: etag(written.etag)?,
    })
}

pub(super) async fn stage(
    client: &BlockBlobClient,
    id: BlockId,
    bytes: Bytes,
) -> Result<(), Failure> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    client
        .stage_block(&id.0, length, bytes.into(), None)
        .await?;
    Ok(())
}

pub(super) async fn commit(
    client: &BlockBlobClient,
    blocks: &[BlockId],
    options: PutOptions,
) -> StorageResult<BlobVersion> {
    let condition = options.condition.clone();
    commit_list(client, blocks, options)
        .await
        .map_err(|failure| conditional(failure, "commit blocks", &condition))
}

async fn commit_list(
    client: &BlockBlobClient,
    blocks: &[BlockId],
    options: PutOptions,
) -> Result<BlobVersion, Failure> {
    let headers = Condition::new(&options.condition);
    let options = BlockBlobClientCommitBlockListOptions {
        blob_content_type: Some(content_type(&options)),
        if_match: headers.if_match,
        if_none_match: headers.if_none_match,
        metadata: Some(metadata(options)),
        ..Default::default()
    };
    let list = BlockLookupList {
        uncommitted: Some(blocks.iter().map(|block| block.0.to_vec()).collect()),
        ..Default::default()
    };
    let written = client
        .commit_block_list(list.try_into()?, Some(options))
        .await?;
    Ok(BlobVersion {
        etag: etag(written.etag()?)?,
    })
}

/// Makes an empty blob of the staged blocks' name and deletes it. Does nothing where a blob is.
pub(super) async fn discard(client: &BlobClient) -> StorageResult<()> {
    const OPERATION: &str = "discard blocks";
    let options = PutOptions {
        condition: PutCondition::Absent,
        ..Default::default()
    };
    let empty = match commit(&client.block_blob_client(), &[], options).await {
        Ok(empty) => empty,
        Err(error) if error.kind() == StorageErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    let options = BlobClientDeleteOptions {
        if_match: Some(wire_etag(&empty.etag)),
        ..Default::default()
    };
    match client.delete(Some(options)).await.map_err(Failure::from) {
        Ok(_) => Ok(()),
        // Immutable, or already gone: nothing is staged any more either way.
        Err(failure) if matches!(failure.status(), Some(404 | 409 | 412)) => Ok(()),
        Err(failure) => Err(failure.into_error(OPERATION)),
    }
}

/// The error of a conditional write, by the condition: the service uses one code for several.
fn conditional(
    failure: Failure,
    operation: &'static str,
    condition: &PutCondition,
) -> StorageError {
    let is_unmet = matches!(failure.status(), Some(409 | 412))
        && matches!(
            failure.code(),
            Some("ConditionNotMet" | "BlobAlreadyExists")
        );
    let is_gone = failure.code() == Some("BlobNotFound");
    match condition {
        PutCondition::Absent if is_unmet => StorageError::new(
            StorageErrorKind::AlreadyExists,
            operation,
            "the blob exists already",
        )
        .with_source(failure),
        PutCondition::Matches(_) if is_unmet || is_gone => StorageError::new(
            StorageErrorKind::PreconditionFailed,
            operation,
            "the blob is not in the expected version any more",
        )
        .with_source(failure),
        PutCondition::Always | PutCondition::Absent | PutCondition::Matches(_) => {
            failure.into_error(operation)
        }
    }
}

fn content_type(options: &PutOptions) -> String {
    let chosen = options.content_type.clone();
    chosen.unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned())
}

fn metadata(options: PutOptions) -> HashMap<String, String> {
    options.metadata.into_iter().collect()
}
