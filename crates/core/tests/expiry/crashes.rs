//! A run that dies at any of its storage operations, before or after the effect, is made good by
//! the next one.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::model::{BackupStatus, Tier};
use dilux_core::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, EntityKey, Page, PutOptions, Query, StorageError, StorageErrorKind,
    StorageResult, StoredEntity, TableName, TableOperation, TableStore,
};
use url::Url;

use crate::world::World;

/// Operations that may still be carried out before the process "dies". Negative: dead.
#[derive(Debug, Default)]
struct Life {
    left: AtomicI64,
    dies_after_effect: std::sync::atomic::AtomicBool,
}

enum Step {
    /// Goes on.
    Lives,
    /// The effect happens, the answer is lost, and nothing happens any more.
    LastEffect,
    /// Nothing happens.
    Dead,
}

impl Life {
    fn begin(&self, operations: i64, dies_after_effect: bool) {
        self.left.store(operations, Ordering::SeqCst);
        self.dies_after_effect
            .store(dies_after_effect, Ordering::SeqCst);
    }

    fn step(&self) -> Step {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            left if left > 0 => Step::Lives,
            0 if self.dies_after_effect.load(Ordering::SeqCst) => Step::LastEffect,
            _ => Step::Dead,
        }
    }

    fn is_over(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    async fn run<T>(&self, operation: impl Future<Output = StorageResult<T>>) -> StorageResult<T> {
        let dead = StorageError::new(StorageErrorKind::Unavailable, "die", "the process died");
        match self.step() {
            Step::Lives => operation.await,
            Step::LastEffect => {
                operation.await.ok();
                Err(dead)
            }
            Step::Dead => Err(dead),
        }
    }
}

#[derive(Debug)]
struct MortalTables(Arc<dyn TableStore>, Arc<Life>);

#[async_trait]
impl TableStore for MortalTables {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.1.run(self.0.create_table(table)).await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        self.1.run(self.0.get(table, key)).await
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        self.1.run(self.0.query(table, query, from)).await
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        self.1.run(self.0.write(table, operation)).await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        self.1.run(self.0.write_batch(table, operations)).await
    }
}

#[derive(Debug)]
struct MortalBlobs(Arc<dyn BlobStore>, Arc<Life>);

#[async_trait]
impl BlobStore for MortalBlobs {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        self.1.run(self.0.create_container(container)).await
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let put = self.0.put(container, name, bytes, options);
        self.1.run(put).await
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        let stage = self.0.stage_block(container, name, id, bytes);
        self.1.run(stage).await
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let commit = self.0.commit_blocks(container, name, blocks, options);
        self.1.run(commit).await
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        self.1.run(self.0.discard_blocks(container, name)).await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        self.1.run(self.0.properties(container, name)).await
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        let read = self.0.read(container, name, range, version);
        self.1.run(read).await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        self.1.run(self.0.delete(container, name, version)).await
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        let list = self.0.list(container, prefix, most, from);
        self.1.run(list).await
    }

    async fn download_link(
        &self,
        container: &ContainerName,
        name: &BlobName,
        life: Duration,
        file_name: &str,
    ) -> StorageResult<Option<Url>> {
        let link = self.0.download_link(container, name, life, file_name);
        self.1.run(link).await
    }
}

const IMMORTAL: i64 = i64::MAX / 2;

/// A world whose runs may die.
async fn mortal_world() -> (World, Arc<Life>) {
    let life = Arc::new(Life::default());
    life.begin(IMMORTAL, false);
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let shared = life.clone();
    let world = World::with(&settings, |mut storage| {
        storage.tables = Arc::new(MortalTables(storage.tables, shared.clone()));
        storage.blobs = Arc::new(MortalBlobs(storage.blobs, shared));
        storage
    })
    .await;
    (world, life)
}

#[tokio::test]
async fn run_that_dies_at_any_operation_is_made_good_by_the_next() {
    let mut deaths = 0;
    for dies_after_effect in [false, true] {
        for operations in 0.. {
            let (world, life) = mortal_world().await;
            let mut backups = Vec::new();
            for days_ago in 0..4 {
                backups.push(world.backup(days_ago, &[Tier::Weekly]).await);
            }
            world.lose_data(&backups[0]).await;
            life.begin(operations, dies_after_effect);
            let outcome = world.expiry().run().await;
            let has_died = life.is_over();
            life.begin(IMMORTAL, false);
            // A backup is whole, or it is no backup: never a manifest without its data.
            for backup in &backups[1..] {
                let is_promised = world.has_manifest(backup).await;
                assert!(
                    !is_promised || world.has_data(backup).await,
                    "after {operations} operations a manifest has no data"
                );
            }
            // Past the life of the dead scheduler's turn.
            world.clock.advance(jiff::SignedDuration::from_mins(16));
            world.run().await;
            world.run().await;
            for (days_ago, backup) in backups.iter().enumerate() {
                let status = world.line(backup).await.status;
                let expected = match days_ago {
                    0 => BackupStatus::Damaged,
                    1 | 2 => BackupStatus::Completed,
                    _ => BackupStatus::Deleted,
                };
                assert_eq!(status, expected, "{operations} operations, {days_ago}");
                assert_eq!(world.has_manifest(backup).await, days_ago < 3);
                assert_eq!(world.has_data(backup).await, (1..3).contains(&days_ago));
            }
            assert_eq!(world.audited().await.len(), 1, "{operations} operations");
            if !has_died {
                outcome.unwrap();
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 80, "only {deaths} deaths");
}

#[tokio::test]
async fn silent_storage_decides_nothing() {
    let (world, life) = mortal_world().await;
    for days_ago in 0..9 {
        world.backup(days_ago, &[Tier::Daily]).await;
    }
    life.begin(0, false);
    let error = world.expiry().run().await.unwrap_err();
    assert!(matches!(error, dilux_core::Error::Unavailable { .. }));
    life.begin(IMMORTAL, false);
    world.pass_days(1);
    assert_eq!(world.run().await.deleted, 2);
}
