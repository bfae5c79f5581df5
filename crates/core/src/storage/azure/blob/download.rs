//! Reading a range of a blob.

use std::num::NonZero;
use std::ops::Range;

use azure_storage_blob::BlobClient;
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobClientGetPropertiesOptions, BlobClientGetPropertiesResultHeaders,
};
use bytes::Bytes;

use super::wire_etag;
use crate::storage::azure::failure::Failure;
use crate::storage::{ETag, StorageError, StorageErrorKind, StorageResult};

const OPERATION: &str = "read blob";

/// Reads exactly `range`, in one request, so that a retry above repeats no more than that.
pub(super) async fn read(
    client: &BlobClient,
    range: Range<u64>,
    version: Option<&ETag>,
) -> StorageResult<Bytes> {
    if range.start > range.end {
        return Err(outside(&range, None));
    }
    if range.is_empty() {
        return read_nothing(client, range, version).await;
    }
    let mut buffer = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
    let read = download(client, &mut buffer, &range, version)
        .await
        .map_err(|failure| {
            if failure.status() == Some(416) {
                outside(&range, None)
            } else {
                failure.into_error(OPERATION)
            }
        })?;
    if read == buffer.len() {
        Ok(buffer.into())
    } else {
        // The service cuts a range at the blob's end.
        Err(outside(
            &range,
            Some(range.start + u64::try_from(read).unwrap_or(u64::MAX)),
        ))
    }
}

async fn download(
    client: &BlobClient,
    buffer: &mut [u8],
    range: &Range<u64>,
    version: Option<&ETag>,
) -> Result<usize, Failure> {
    let options = BlobClientDownloadOptions {
        if_match: version.map(wire_etag),
        parallel: Some(NonZero::<usize>::MIN),
        partition_size: NonZero::new(buffer.len()),
        range: Some(range.clone().into()),
        ..Default::default()
    };
    Ok(client.download_into(buffer, Some(options)).await?.len)
}

/// The service has no empty ranges; existence, version and length are checked all the same.
async fn read_nothing(
    client: &BlobClient,
    range: Range<u64>,
    version: Option<&ETag>,
) -> StorageResult<Bytes> {
    let options = BlobClientGetPropertiesOptions {
        if_match: version.map(wire_etag),
        ..Default::default()
    };
    let size = async {
        let found = client.get_properties(Some(options)).await?;
        Ok(found.content_length()?.unwrap_or_default())
    };
    let size = size
        .await
        .map_err(|failure: Failure| failure.into_error(OPERATION))?;
    if range.end <= size {
        Ok(Bytes::new())
    } else {
        Err(outside(&range, Some(size)))
    }
}

fn outside(range: &Range<u64>, size: Option<u64>) -> StorageError {
    let end = size
        .map(|size| format!(", which ends at {size}"))
        .unwrap_or_default();
    StorageError::new(
        StorageErrorKind::Invalid,
        OPERATION,
        format!(
            "bytes {}–{} are not all in the blob{end}",
            range.start, range.end
        ),
    )
}
