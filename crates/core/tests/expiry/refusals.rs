//! Containers that refuse: nothing but what is in them stays.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::Error;
use dilux_core::model::{Fate, Manifest, Tier};
use dilux_core::storage::{
    BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutOptions, StorageError, StorageErrorKind, StorageResult,
};
use url::Url;

use crate::world::{World, days, id};

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Every call that concerns this container.
    All(&'static str),
    /// Deletions in this container: the store protects what is there.
    Deletions(&'static str),
}

type Switch = Arc<Mutex<Option<Refusal>>>;

/// Blobs with a switch.
#[derive(Debug)]
struct Refusing(Arc<dyn BlobStore>, Switch);

impl Refusing {
    fn ask(&self, container: &ContainerName, is_deletion: bool) -> StorageResult<()> {
        let kind = match *self.1.lock().unwrap() {
            Some(Refusal::All(name)) if name == container.as_str() => StorageErrorKind::Denied,
            Some(Refusal::Deletions(name)) if is_deletion && name == container.as_str() => {
                StorageErrorKind::Protected
            }
            _ => return Ok(()),
        };
        Err(StorageError::new(kind, "ask container", "switched off"))
    }
}

#[async_trait]
impl BlobStore for Refusing {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        self.ask(container, false)?;
        self.0.create_container(container).await
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        self.ask(container, false)?;
        self.0.put(container, name, bytes, options).await
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        self.ask(container, false)?;
        self.0.stage_block(container, name, id, bytes).await
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        self.ask(container, false)?;
        self.0.commit_blocks(container, name, blocks, options).await
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        self.ask(container, false)?;
        self.0.discard_blocks(container, name).await
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        self.ask(container, false)?;
        self.0.properties(container, name).await
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        self.ask(container, false)?;
        self.0.read(container, name, range, version).await
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        self.ask(container, true)?;
        self.0.delete(container, name, version).await
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        self.ask(container, false)?;
        self.0.list(container, prefix, most, from).await
    }

    async fn download_link(
        &self,
        container: &ContainerName,
        name: &BlobName,
        life: Duration,
        file_name: &str,
    ) -> StorageResult<Option<Url>> {
        self.ask(container, false)?;
        self.0.download_link(container, name, life, file_name).await
    }
}

/// The container of the service, by default.
const DEFAULT: &str = "backups";

/// A world without grace, whose blobs refuse what the switch says.
async fn refusing_world() -> (World, Switch) {
    let switch = Switch::default();
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |mut storage| {
        storage.blobs = Arc::new(Refusing(storage.blobs, switch.clone()));
        storage
    })
    .await;
    assert_eq!(world.installation.settings.container.as_str(), DEFAULT);
    (world, switch)
}

fn set(switch: &Switch, refusal: Option<Refusal>) {
    *switch.lock().unwrap() = refusal;
}

/// Nine daily backups of a database, two of which have expired; newest first.
async fn backups(world: &World, database: &str, container: &str) -> Vec<Manifest> {
    let container = ContainerName::new(container).unwrap();
    let mut manifests = Vec::new();
    for days_ago in 0..9 {
        let tiers = [Tier::Daily];
        manifests.push(
            world
                .backup_in(database, &container, days_ago, &tiers)
                .await,
        );
    }
    manifests
}

#[tokio::test]
async fn a_container_that_refuses_access_keeps_its_own_database_only() {
    let (world, switch) = refusing_world().await;
    world.register("db-2").await;
    backups(&world, "db-1", "elsewhere").await;
    let others = backups(&world, "db-2", DEFAULT).await;
    set(&switch, Some(Refusal::All("elsewhere")));
    let report = world.expiry().run().await.unwrap();
    assert_eq!((report.failed, report.deleted), (1, 2), "{report:?}");
    assert!(!world.is_restorable(&others[8]).await);
    set(&switch, None);
    assert_eq!(world.run().await.deleted, 2);
}

#[tokio::test]
async fn a_service_that_is_refused_everywhere_is_told_so_and_runs_again() {
    let (world, switch) = refusing_world().await;
    backups(&world, "db-1", DEFAULT).await;
    set(&switch, Some(Refusal::All(DEFAULT)));
    let refused = world.expiry().run().await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused:?}");
}

#[tokio::test]
async fn what_the_store_protects_stays_announced_for_another_day_and_hinders_nothing_else() {
    for protected in [DEFAULT, "elsewhere"] {
        let (world, switch) = refusing_world().await;
        world.register("db-2").await;
        let kept = backups(&world, "db-1", "elsewhere").await;
        backups(&world, "db-2", "third").await;
        set(&switch, Some(Refusal::Deletions(protected)));
        let report = world.run().await;
        let deleted = if protected == DEFAULT { 0 } else { 2 };
        assert_eq!(report.deleted, deleted, "{protected}");
        assert_eq!(report.kept, 14, "the rest of the work is done");
        for manifest in &kept[7..] {
            assert!(world.is_restorable(manifest).await, "{protected}");
            let states = &world.installation.repositories.retention;
            let state = states
                .get(&manifest.database_id, &id(manifest))
                .await
                .unwrap()
                .unwrap()
                .value;
            let Fate::Tombstoned(tombstone) = &state.fate else {
                panic!("{state:?}");
            };
            let wait = tombstone.deletes_after.duration_since(tombstone.set_at);
            assert!(wait >= days(1), "{tombstone:?}");
            assert!(
                tombstone.sentence.contains("the store protects it"),
                "{tombstone:?}"
            );
            let marks = world.line(manifest).await.marks;
            assert!(
                format!("{marks:?}").contains("the store protects it"),
                "{marks:?}"
            );
        }
        world.pass_days(1);
        let report = world.run().await;
        assert_eq!(report.deleted, 0, "{report:?}");
        let sentence = world.line(&kept[8]).await.marks;
        assert_eq!(
            format!("{sentence:?}")
                .matches("the store protects it")
                .count(),
            1
        );
        set(&switch, None);
        world.clock.advance(days(2));
        world.run().await;
        for manifest in &kept[7..] {
            assert!(!world.has_manifest(manifest).await);
            assert!(!world.has_data(manifest).await);
        }
    }
}
