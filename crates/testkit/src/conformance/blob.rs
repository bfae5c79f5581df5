//! The suite for [`BlobStore`].

mod blocks;
mod commits;
mod conditions;
mod content;
mod limits;
mod listing;

use std::sync::Arc;

use bytes::Bytes;
use dilux_core::storage::{
    BlobName, BlobStore, BlobVersion, BlockId, ContainerName, PutCondition, PutOptions,
    StorageResult,
};

use super::{Gaps, Report, unique};

/// Runs every check of the blob port on `store`.
pub async fn blob_store(store: Arc<dyn BlobStore>, gaps: &Gaps) -> anyhow::Result<()> {
    let bench = Bench { store };
    let mut report = Report::new("blob_store");
    content::run(&bench, &mut report).await;
    conditions::run(&bench, &mut report).await;
    blocks::run(&bench, gaps, &mut report).await;
    commits::run(&bench, &mut report).await;
    listing::run(&bench, &mut report).await;
    limits::run(&bench, &mut report).await;
    report.finish()
}

struct Bench {
    store: Arc<dyn BlobStore>,
}

impl Bench {
    async fn container(&self) -> anyhow::Result<ContainerName> {
        let container = ContainerName::new(unique("conformance-"))?;
        self.store.create_container(&container).await?;
        Ok(container)
    }

    async fn put(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        text: &str,
    ) -> anyhow::Result<BlobVersion> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Ok(self
            .store
            .put(container, blob, bytes, PutOptions::default())
            .await?)
    }

    /// Stages a text under block number `number`.
    async fn stage(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        number: u8,
        text: &str,
    ) -> anyhow::Result<()> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Ok(self
            .store
            .stage_block(container, blob, block(number), bytes)
            .await?)
    }

    /// Commits the blocks of these numbers.
    async fn commit(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        numbers: &[u8],
        condition: PutCondition,
    ) -> StorageResult<BlobVersion> {
        let blocks: Vec<_> = numbers.iter().map(|&number| block(number)).collect();
        self.store
            .commit_blocks(container, blob, &blocks, only_if(condition))
            .await
    }

    /// The whole blob as text.
    async fn text(&self, container: &ContainerName, blob: &BlobName) -> anyhow::Result<String> {
        let Some(properties) = self.store.properties(container, blob).await? else {
            anyhow::bail!("the blob '{blob}' is missing");
        };
        let range = 0..properties.size;
        let bytes = self
            .store
            .read(container, blob, range, Some(&properties.etag))
            .await?;
        Ok(String::from_utf8(bytes.to_vec())?)
    }

    /// The blob must hold this text.
    async fn holds(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        expected: &str,
    ) -> anyhow::Result<()> {
        let text = self.text(container, blob).await?;
        anyhow::ensure!(
            text == expected,
            "'{blob}' holds {text:?}, not {expected:?}"
        );
        Ok(())
    }

    async fn is_missing(&self, container: &ContainerName, blob: &BlobName) -> anyhow::Result<()> {
        let properties = self.store.properties(container, blob).await?;
        anyhow::ensure!(properties.is_none(), "'{blob}' is there: {properties:?}");
        Ok(())
    }

    /// The names in the container, joined with blanks.
    async fn names(&self, container: &ContainerName) -> anyhow::Result<String> {
        let page = self.store.list(container, "", 5000, None).await?;
        let names: Vec<_> = page.blobs.iter().map(|blob| blob.name.as_str()).collect();
        Ok(names.join(" "))
    }
}

fn name(text: &str) -> anyhow::Result<BlobName> {
    Ok(BlobName::new(text)?)
}

fn block(number: u8) -> BlockId {
    BlockId([number; 32])
}

fn only_if(condition: PutCondition) -> PutOptions {
    PutOptions {
        condition,
        ..PutOptions::default()
    }
}
