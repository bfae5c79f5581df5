//! Reading a range of a blob.

use std::num::NonZero;
use std::ops::Range;

use azure_core::http::headers::HeaderName;
use azure_storage_blob::BlobClient;
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobClientGetPropertiesOptions, BlobClientGetPropertiesResultHeaders,
};
use bytes::Bytes;

use super::{missing, missing_or, wire_etag};
use crate::storage::azure::failure::Failure;
use crate::storage::{ETag, StorageError, StorageErrorKind, StorageResult};

const OPERATION: &str = "read blob";

const CONTENT_RANGE: HeaderName = HeaderName::from_static("content-range");

/// Room for ranges up to this size is made before anything is known of the blob.
const TRUSTED_LENGTH: u64 = 64 * 1024 * 1024;

/// Reads exactly `range`, in one request, so that a retry above repeats no more than that.
pub(super) async fn read(
    client: &BlobClient,
    range: Range<u64>,
    version: Option<&ETag>,
) -> StorageResult<Bytes> {
    if range.start > range.end {
        return Err(outside(&range, None));
    }
    let length = range.end - range.start;
    // The service has no empty ranges, and a huge one may be a mistake.
    if length == 0 || length > TRUSTED_LENGTH {
        check(client, &range, version).await?;
    }
    let length = usize::try_from(length).map_err(|_| outside(&range, None))?;
    if length == 0 {
        return Ok(Bytes::new());
    }
    let mut buffer = vec![0; length];
    let read = match download(client, &mut buffer, &range, version).await {
        Ok(read) => read,
        Err(failure) if failure.status() == Some(416) => return Err(outside(&range, None)),
        // The crate stumbles over the answer that an empty blob gives.
        Err(failure @ Failure::Unreadable(_)) => {
            check(client, &range, version).await?;
            return Err(failure.into_error(OPERATION));
        }
        Err(failure) => return Err(missing_or(failure, client, OPERATION).await),
    };
    if read == buffer.len() {
        return Ok(buffer.into());
    }
    // The service cuts a range at the blob's end; anything else is a broken answer.
    check(client, &range, version).await?;
    let message = format!("{read} of {length} bytes came");
    Err(StorageError::new(
        StorageErrorKind::Unavailable,
        OPERATION,
        message,
    ))
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
    let answer = client.download_into(buffer, Some(options)).await?;
    let sent = answer
        .headers
        .get_optional_str(&CONTENT_RANGE)
        .unwrap_or_default();
    if sent.starts_with(&format!("bytes {}-", range.start)) {
        Ok(answer.len)
    } else {
        Err(Failure::Unreadable(
            "the answer is not the range that was asked for".to_owned(),
        ))
    }
}

/// Checks existence, version and length without reading.
async fn check(
    client: &BlobClient,
    range: &Range<u64>,
    version: Option<&ETag>,
) -> StorageResult<()> {
    let options = BlobClientGetPropertiesOptions {
        if_match: version.map(wire_etag),
        ..Default::default()
    };
    let size = async {
        let found = client.get_properties(Some(options)).await?;
        found.content_length()?.ok_or_else(|| missing("length"))
    };
    let size = size
        .await
        .map_err(|failure: Failure| failure.into_error(OPERATION))?;
    if range.end <= size {
        Ok(())
    } else {
        Err(outside(range, Some(size)))
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
