//! Blobs over the network.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutOptions, StorageResult,
};
use url::Url;

use super::{Connection, Nature};
use crate::memory::Place;
use crate::network::Store;

fn of_blob(place: &Place) -> String {
    format!("{} {}", place.container.as_str(), place.name)
}

#[async_trait]
impl BlobStore for Connection {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        let name = container.clone();
        let subject = container.as_str().to_owned();
        let call = (Nature::Write, "create container");
        self.carry(Store::Blobs, call, subject, move |memory| {
            memory.make_container(&name);
            Ok(())
        })
        .await
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let place = Place::new(container, name);
        let call = (Nature::Write, "put blob");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.put_blob(&place, bytes.clone(), options.clone())
        })
        .await
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        let place = Place::new(container, name);
        let call = (Nature::Write, "stage block");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.stage(&place, id, bytes.clone())
        })
        .await
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let (place, blocks) = (Place::new(container, name), blocks.to_vec());
        let call = (Nature::Write, "commit blocks");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.commit(&place, &blocks, options.clone())
        })
        .await
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        let place = Place::new(container, name);
        let call = (Nature::Write, "discard blocks");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.discard(&place)
        })
        .await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        let place = Place::new(container, name);
        let call = (Nature::Read, "get blob properties");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.describe(&place)
        })
        .await
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        let (place, version) = (Place::new(container, name), version.cloned());
        let call = (Nature::Read, "read blob");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.read_blob(&place, &range, version.as_ref())
        })
        .await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        let (place, version) = (Place::new(container, name), version.cloned());
        let call = (Nature::Write, "delete blob");
        self.carry(Store::Blobs, call, of_blob(&place), move |memory| {
            memory.delete_blob(&place, version.as_ref())
        })
        .await
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        let (container, from) = (container.clone(), from.cloned());
        let prefix = prefix.to_owned();
        let call = (Nature::Read, "list blobs");
        self.carry(Store::Blobs, call, prefix.clone(), move |memory| {
            memory.list_blobs(&container, &prefix, most, from.as_ref())
        })
        .await
    }

    async fn download_link(
        &self,
        _container: &ContainerName,
        _name: &BlobName,
        _life: Duration,
        _file_name: &str,
    ) -> StorageResult<Option<Url>> {
        Ok(None)
    }
}
