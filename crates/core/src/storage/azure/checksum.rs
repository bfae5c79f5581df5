//! Announces the MD5 of every upload, so that the service throws away bytes that arrive damaged.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Body, Context, Method, Request};
use bytes::Bytes;
use md5::{Digest, Md5};

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Bodies from this size on are hashed off the async threads.
const LARGE: usize = 64 * 1024;

/// Adds `Content-MD5` to uploads of blobs and blocks. Goes before the signature, which covers it.
#[derive(Debug)]
pub(super) struct ChecksumPolicy;

#[async_trait]
impl Policy for ChecksumPolicy {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let body = match (request.method(), request.body()) {
            (Method::Put, Body::Bytes(bytes)) if !bytes.is_empty() => Some(bytes.clone()),
            _ => None,
        };
        if let Some(bytes) = body {
            request.insert_header(CONTENT_MD5, checksum(bytes).await?);
        }
        match next {
            [first, rest @ ..] => first.send(ctx, request, rest).await,
            [] => Err(Error::with_message(
                ErrorKind::Other,
                "nothing follows the checksum",
            )),
        }
    }
}

/// MD5, base64.
async fn checksum(bytes: Bytes) -> azure_core::Result<String> {
    if bytes.len() < LARGE {
        return Ok(encode(&bytes));
    }
    tokio::task::spawn_blocking(move || encode(&bytes))
        .await
        .map_err(|error| Error::new(ErrorKind::Other, error))
}

fn encode(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(&Md5::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_and_large_bodies_have_the_same_kind_of_checksum() {
        assert_eq!(
            checksum(Bytes::from_static(b"abc")).await.unwrap(),
            "kAFQmDzST7DWlj99KOF/cg=="
        );
        let large = Bytes::from(vec![0; LARGE]);
        assert_eq!(checksum(large.clone()).await.unwrap(), encode(&large));
    }
}
