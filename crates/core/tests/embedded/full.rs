//! A full disk: said clearly, nothing half-saved, and room again after tidying.

use std::fmt::Debug;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::{
    Entity, EntityKey, PutOptions, SendOptions, Storage, StorageErrorKind, StorageResult,
    TableOperation, Value,
};

use crate::support::{
    blob, block, commit, container, content, fetch, files, ports, queue, refusal, sqlite, table,
};

/// A disk of some megabytes, gone with this value. Needs the right to mount, as root has.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        run(
            &["mount", "-t", "tmpfs", "-o", &options, "tmpfs"],
            directory.path(),
        );
        Self(directory)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(&["umount"], self.0.path());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only mount(8) makes a small disk"
)]
fn run(words: &[&str], path: &Path) {
    let status = Command::new(words[0])
        .args(&words[1..])
        .arg(path)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "'{}' failed; this test must run as root",
        words.join(" ")
    );
}

async fn store_on(directory: &Path) -> Storage {
    let store = ports(directory);
    store.tables.create_table(&table()).await.unwrap();
    store.queues.create_queue(&queue()).await.unwrap();
    store.blobs.create_container(&container()).await.unwrap();
    let kept = content("kept", 500_000);
    store
        .blobs
        .put(&container(), &blob("kept"), kept, PutOptions::default())
        .await
        .unwrap();
    store
}

fn row(number: usize) -> Entity {
    Entity::new(EntityKey::new("p", format!("{number:05}")))
        .with("wide", Value::String("w".repeat(20_000)))
}

fn is_full<T: Debug>(outcome: StorageResult<T>) {
    let error = refusal(outcome, StorageErrorKind::Full);
    assert!(
        error.to_string().contains("free space on its disk"),
        "{error}"
    );
}

/// Stages blocks until there is no room. Gives how many fitted.
async fn stage_until_full(store: &Storage, name: &str) -> u8 {
    for number in 1..=u8::MAX {
        let bytes = content(&number.to_string(), 300_000);
        let staged = store
            .blobs
            .stage_block(&container(), &blob(name), block(number), bytes)
            .await;
        if staged.is_err() {
            is_full(staged);
            return number - 1;
        }
    }
    panic!("the disk did not fill up");
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_fills_the_disk_fails_clearly_and_gives_its_room_back() {
    let disk = SmallDisk::mount("8m");
    let store = store_on(disk.0.path()).await;
    let staged = stage_until_full(&store, "large").await;
    assert!(staged > 5, "only {staged} blocks fitted");
    assert_eq!(fetch(store.blobs.as_ref(), "large").await, None);

    store
        .blobs
        .discard_blocks(&container(), &blob("large"))
        .await
        .unwrap();
    assert_eq!(
        files(disk.0.path()).len(),
        1,
        "the file of the upload is gone"
    );
    let again = content("again", 4_000_000);
    let bytes = again.clone();
    store
        .blobs
        .put(&container(), &blob("again"), bytes, PutOptions::default())
        .await
        .unwrap();
    assert_eq!(fetch(store.blobs.as_ref(), "again").await, Some(again));
    assert_eq!(
        fetch(store.blobs.as_ref(), "kept").await,
        Some(content("kept", 500_000))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn block_that_did_not_fit_can_be_staged_again_when_there_is_room() {
    let disk = SmallDisk::mount("8m");
    let store = store_on(disk.0.path()).await;
    let staged = stage_until_full(&store, "large").await;
    store
        .blobs
        .delete(&container(), &blob("kept"), None)
        .await
        .unwrap();
    let bytes = content(&(staged + 1).to_string(), 300_000);
    store
        .blobs
        .stage_block(&container(), &blob("large"), block(staged + 1), bytes)
        .await
        .unwrap();
    let numbers: Vec<_> = (1..=staged + 1).collect();
    commit(store.blobs.as_ref(), "large", &numbers)
        .await
        .unwrap();
    let expected: Vec<u8> = numbers
        .iter()
        .flat_map(|number| content(&number.to_string(), 300_000))
        .collect();
    assert_eq!(
        fetch(store.blobs.as_ref(), "large").await,
        Some(Bytes::from(expected))
    );
}

/// Takes all room that is left, as another program on the disk may do.
fn fill(directory: &Path) {
    let mut file = File::create(directory.join("filler")).unwrap();
    let zeros = vec![0; 65_536];
    for length in [65_536, 512, 1] {
        while file.write_all(&zeros[..length]).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_can_be_deleted_on_a_full_disk() {
    let disk = SmallDisk::mount("8m");
    let store = store_on(disk.0.path()).await;
    for number in 0..4 {
        let name = blob(&format!("blob{number}"));
        let bytes = content("blob", 200_000);
        store
            .blobs
            .put(&container(), &name, bytes, PutOptions::default())
            .await
            .unwrap();
    }
    fill(disk.0.path());
    is_full(
        store
            .tables
            .write(&table(), TableOperation::Insert(row(1)))
            .await,
    );
    for number in 0..4 {
        let name = blob(&format!("blob{number}"));
        store.blobs.delete(&container(), &name, None).await.unwrap();
    }
    store
        .tables
        .write(&table(), TableOperation::Insert(row(1)))
        .await
        .unwrap();
    assert_eq!(
        fetch(store.blobs.as_ref(), "kept").await,
        Some(content("kept", 500_000))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn store_can_be_opened_and_tidied_on_a_full_disk() {
    let disk = SmallDisk::mount("8m");
    drop(store_on(disk.0.path()).await);
    fill(disk.0.path());
    let store = ports(disk.0.path());
    assert_eq!(
        fetch(store.blobs.as_ref(), "kept").await,
        Some(content("kept", 500_000))
    );
    store
        .blobs
        .delete(&container(), &blob("kept"), None)
        .await
        .unwrap();
    store
        .tables
        .write(&table(), TableOperation::Insert(row(1)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn put_that_does_not_fit_leaves_nothing() {
    let disk = SmallDisk::mount("8m");
    let store = store_on(disk.0.path()).await;
    for name in ["large", "kept"] {
        let large = content("large", 9_000_000);
        is_full(
            store
                .blobs
                .put(&container(), &blob(name), large, PutOptions::default())
                .await,
        );
    }
    assert_eq!(fetch(store.blobs.as_ref(), "large").await, None);
    assert_eq!(
        fetch(store.blobs.as_ref(), "kept").await,
        Some(content("kept", 500_000))
    );
    assert_eq!(
        files(disk.0.path()).len(),
        1,
        "the files of the failed writes are gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn row_message_or_secret_that_does_not_fit_is_absent() {
    let disk = SmallDisk::mount("8m");
    let store = store_on(disk.0.path()).await;
    let mut written = 0;
    let last = loop {
        let outcome = store
            .tables
            .write(&table(), TableOperation::Insert(row(written)))
            .await;
        if outcome.is_err() {
            break outcome;
        }
        written += 1;
    };
    is_full(last);
    assert!(written > 50, "only {written} rows fitted");
    let key = row(written).key;
    assert!(
        store.tables.get(&table(), &key).await.unwrap().is_none(),
        "the failed row is there"
    );
    let batch = (0..50)
        .map(|n| TableOperation::Insert(row(written + n)))
        .collect();
    is_full(store.tables.write_batch(&table(), batch).await);
    assert!(
        store.tables.get(&table(), &key).await.unwrap().is_none(),
        "a part of the batch is there"
    );
    let long = "m".repeat(60_000);
    is_full(
        store
            .queues
            .send(&queue(), &long, SendOptions::default())
            .await,
    );
    assert_eq!(store.queues.approximate_count(&queue()).await.unwrap(), 0);
    let name = SecretName::new("secret").unwrap();
    is_full(store.secrets.set(&name, &SecretValue::new(long)).await);
    assert!(store.secrets.get(&name).await.unwrap().is_none());

    // Room again: everything that was acknowledged is there, and the store works.
    std::fs::remove_file(&files(disk.0.path())[0]).unwrap();
    for number in 0..written {
        let stored = store.tables.get(&table(), &row(number).key).await.unwrap();
        assert_eq!(stored.unwrap().entity, row(number));
    }
    store
        .secrets
        .set(&name, &SecretValue::new("small"))
        .await
        .unwrap();
    let check: String = sqlite(disk.0.path())
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}
