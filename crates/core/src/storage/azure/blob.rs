//! The blob port on Azure Blob storage.

mod download;
mod upload;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{Etag, HttpClient, Url};
use azure_core::time::OffsetDateTime;
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientGetPropertiesResultHeaders,
    BlobContainerClientListBlobsOptions, BlobItem, ListBlobsResponse,
};
use azure_storage_blob::{BlobClient, BlobServiceClient, BlobServiceClientOptions};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;

use super::checksum::ChecksumPolicy;
use super::credential::{Signer, client_options};
use super::failure::Failure;
use super::sas::{self, DownloadGrant};
use super::shared_key::{AccountKey, Rules};
use crate::clock::SharedClock;
use crate::storage::{
    BlobEntry, BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutOptions, StorageError, StorageResult,
};

/// The protocol that we speak, whatever newer ones the crate and the account know.
const VERSION: &str = "2025-11-05";

const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// Blobs in Azure Blob storage.
#[derive(Clone)]
pub struct AzureBlobStore {
    service: Arc<BlobServiceClient>,
    /// The account's key, where it is what we sign with: it alone makes download links.
    key: Option<AccountKey>,
    clock: SharedClock,
}

impl std::fmt::Debug for AzureBlobStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AzureBlobStore")
            .field("endpoint", &self.service.url().as_str())
            .finish_non_exhaustive()
    }
}

impl AzureBlobStore {
    pub(super) fn new(
        endpoint: Url,
        signer: &Signer,
        transport: &Arc<dyn HttpClient>,
        clock: &SharedClock,
    ) -> StorageResult<Self> {
        let mut policies: Vec<Arc<dyn azure_core::http::policies::Policy>> =
            vec![Arc::new(ChecksumPolicy)];
        policies.extend(signer.policy(Rules::BlobAndQueue, clock));
        let options = BlobServiceClientOptions {
            version: VERSION.to_owned(),
            client_options: client_options(transport, policies),
        };
        let credential = signer.token(&endpoint)?;
        let service = BlobServiceClient::new(endpoint, credential, Some(options))
            .map_err(|error| Failure::from(error).into_error("open blob service"))?;
        let key = match signer {
            Signer::Key(key) => Some(key.clone()),
            Signer::Sas(_) | Signer::Token(_) => None,
        };
        Ok(Self {
            service: Arc::new(service),
            key,
            clock: Arc::clone(clock),
        })
    }

    fn client(&self, container: &ContainerName, name: &BlobName) -> BlobClient {
        self.service.blob_client(container.as_str(), name.as_str())
    }

    async fn find_properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> Result<Option<BlobProperties>, Failure> {
        let found = match self.client(container, name).get_properties(None).await {
            Ok(found) => found,
            Err(error) => {
                let failure = Failure::from(error);
                return match failure.code() {
                    // An answer without a body (HEAD) still names the code in a header.
                    Some("BlobNotFound") => Ok(None),
                    _ => Err(failure),
                };
            }
        };
        Ok(Some(BlobProperties {
            size: found.content_length()?.ok_or_else(|| missing("length"))?,
            etag: etag(found.etag()?)?,
            last_modified: timestamp(found.last_modified()?)?,
            content_type: found
                .content_type()?
                .unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned()),
            metadata: found.metadata()?.into_iter().collect(),
        }))
    }

    async fn list_page(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> Result<BlobPage, Failure> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
            maxresults: Some(i32::try_from(most).unwrap_or(i32::MAX)),
            marker: from.map(|from| from.as_str().to_owned()),
            ..Default::default()
        };
        let container = self.service.blob_container_client(container.as_str());
        let mut pages = container.list_blobs(Some(options))?.into_pages();
        let page: ListBlobsResponse = pages
            .next()
            .await
            .ok_or_else(|| missing("page"))??
            .into_model()?;
        let blobs = page
            .blob_items
            .into_iter()
            .map(entry)
            .collect::<Result<_, _>>()?;
        let next = page
            .next_marker
            .filter(|marker| !marker.is_empty())
            .map(Continuation::new);
        Ok(BlobPage { blobs, next })
    }

    fn make_link(
        &self,
        key: &AccountKey,
        container: &ContainerName,
        name: &BlobName,
        (life, file_name): (Duration, &str),
    ) -> Result<Url, Failure> {
        let grant = DownloadGrant {
            container,
            name,
            from: self.clock.now(),
            life,
            file_name,
        };
        Ok(sas::download_link(
            key,
            self.client(container, name).url().clone(),
            &grant,
        )?)
    }
}

#[async_trait]
impl BlobStore for AzureBlobStore {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        let client = self.service.blob_container_client(container.as_str());
        match client.create(None).await.map_err(Failure::from) {
            Ok(_) => Ok(()),
            Err(failure) if failure.code() == Some("ContainerAlreadyExists") => Ok(()),
            Err(failure) => Err(failure.into_error("create container")),
        }
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let client = self.client(container, name).block_blob_client();
        upload::put(&client, bytes, options).await
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        let client = self.client(container, name).block_blob_client();
        upload::stage(&client, id, bytes)
            .await
            .map_err(|failure| failure.into_error("stage block"))
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let client = self.client(container, name).block_blob_client();
        upload::commit(&client, blocks, options).await
    }

    /// Azure has no call for it. Committing an empty block list under a free name and deleting the
    /// empty blob has the effect. In a container with an immutability policy the empty blob stays.
    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        upload::discard(&self.client(container, name)).await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        self.find_properties(container, name)
            .await
            .map_err(|failure| failure.into_error("get blob properties"))
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        download::read(&self.client(container, name), range, version).await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        let options = BlobClientDeleteOptions {
            if_match: version.map(wire_etag),
            ..Default::default()
        };
        let client = self.client(container, name);
        match client.delete(Some(options)).await.map_err(Failure::from) {
            Ok(_) => Ok(()),
            Err(failure) => Err(missing_or(failure, &client, "delete blob").await),
        }
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        self.list_page(container, prefix, most, from)
            .await
            .map_err(|failure| failure.into_error("list blobs"))
    }

    /// A link under the account's key. `None` when requests are signed in another way: a SAS would
    /// have to be handed out whole, and an identity would need a user delegation key.
    async fn download_link(
        &self,
        container: &ContainerName,
        name: &BlobName,
        life: Duration,
        file_name: &str,
    ) -> StorageResult<Option<Url>> {
        self.key
            .as_ref()
            .map(|key| self.make_link(key, container, name, (life, file_name)))
            .transpose()
            .map_err(|failure| failure.into_error("make download link"))
    }
}

fn entry(item: BlobItem) -> Result<BlobEntry, Failure> {
    let name = item.name.ok_or_else(|| missing("name"))?;
    let properties = item.properties.ok_or_else(|| missing("properties"))?;
    Ok(BlobEntry {
        name: BlobName::new(name)
            .map_err(|error| Failure::Unreadable(format!("a blob was listed that {error}")))?,
        size: properties.content_length.ok_or_else(|| missing("length"))?,
        etag: etag(properties.etag)?,
        last_modified: timestamp(properties.last_modified)?,
        content_type: properties
            .content_type
            .unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned()),
    })
}

/// The error of a call that named a version. A missing blob is in no version; services differ on
/// whether they call that an unmet condition.
async fn missing_or(
    failure: Failure,
    client: &BlobClient,
    operation: &'static str,
) -> StorageError {
    if failure.status() == Some(412)
        && let Err(error) = client.get_properties(None).await
    {
        let absence = Failure::from(error);
        if absence.status() == Some(404) {
            return absence.into_error(operation);
        }
    }
    failure.into_error(operation)
}

/// The version; listings leave out the quotes that headers have.
fn etag(etag: Option<Etag>) -> Result<ETag, Failure> {
    let text = etag.map(String::from).ok_or_else(|| missing("ETag"))?;
    let is_quoted = text.ends_with('"');
    Ok(ETag::new(if is_quoted {
        text
    } else {
        format!("\"{text}\"")
    }))
}

fn wire_etag(etag: &ETag) -> Etag {
    Etag::from(etag.as_str())
}

fn timestamp(time: Option<OffsetDateTime>) -> Result<Timestamp, Failure> {
    time.and_then(|time| Timestamp::from_second(time.unix_timestamp()).ok())
        .ok_or_else(|| missing("time of the last write"))
}

fn missing(what: &str) -> Failure {
    Failure::Unreadable(format!("the blob service's answer has no {what}"))
}
