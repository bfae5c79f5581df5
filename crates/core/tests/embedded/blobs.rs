//! Files of blobs: no needless copy, no half file believed, damage noticed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;
use dilux_core::storage::embedded::EmbeddedStore;
use dilux_core::storage::{BlobStore, PutCondition, PutOptions, StorageErrorKind};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::support::{
    blob, block, commit, container, content, fetch, files, open, refusal, sqlite, stage,
};

async fn store_in(directory: &Path) -> EmbeddedStore {
    let store = open(directory).unwrap();
    store.create_container(&container()).await.unwrap();
    store
}

/// The number of the only file, which a rename keeps and a copy changes.
fn inode(directory: &Path) -> u64 {
    let files = files(directory);
    assert_eq!(files.len(), 1, "{files:?}");
    fs::metadata(&files[0]).unwrap().ino()
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_in_the_order_of_staging_copies_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    stage(&store, "blob", &["one", "two", "three"]).await;
    let staged = inode(directory.path());
    commit(&store, "blob", &[1, 2, 3]).await.unwrap();
    assert_eq!(inode(directory.path()), staged);
    assert_eq!(fetch(&store, "blob").await.unwrap(), "onetwothree");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_in_flight_together_keep_the_order_in_which_they_were_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    // The first is the largest, so that its write ends last.
    let parts: Vec<_> = (1..=24_u8)
        .map(|n| content(&n.to_string(), 3_000_000 / usize::from(n)))
        .collect();
    let (container, blob) = (container(), blob("blob"));
    let staging = stream::iter((1..).zip(parts.clone()))
        .map(|(number, bytes)| store.stage_block(&container, &blob, block(number), bytes))
        .buffered(6);
    staging.try_collect::<Vec<()>>().await.unwrap();
    let staged = inode(directory.path());
    let numbers: Vec<_> = (1..=24).collect();
    commit(&store, "blob", &numbers).await.unwrap();
    assert_eq!(
        inode(directory.path()),
        staged,
        "the commit copied the blocks"
    );
    assert_eq!(fetch(&store, "blob").await.unwrap(), parts.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_left_out_at_the_end_are_cut_off_and_elsewhere_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    for (numbers, expected) in [(&[1, 2][..], "onetwo"), (&[1, 3], "onethree"), (&[], "")] {
        stage(&store, "blob", &["one", "two", "three"]).await;
        commit(&store, "blob", numbers).await.unwrap();
        let files = files(directory.path());
        assert_eq!(files.len(), 1, "{files:?}");
        let on_disk = fs::read_to_string(&files[0]).unwrap();
        assert_eq!(on_disk, expected, "the file is the blob, byte for byte");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overwritten_and_deleted_blobs_leave_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    for text in ["one", "two"] {
        let bytes = Bytes::from_static(text.as_bytes());
        store
            .put(&container(), &blob("blob"), bytes, PutOptions::default())
            .await
            .unwrap();
    }
    stage(&store, "blob", &["three"]).await;
    commit(&store, "blob", &[1]).await.unwrap();
    let path = files(directory.path());
    assert_eq!(path.len(), 1);
    assert_eq!(fs::read_to_string(&path[0]).unwrap(), "three");
    let absent = PutOptions {
        condition: PutCondition::Absent,
        ..PutOptions::default()
    };
    let lost = store
        .put(
            &container(),
            &blob("blob"),
            Bytes::from_static(b"lost"),
            absent,
        )
        .await;
    refusal(lost, StorageErrorKind::AlreadyExists);
    assert_eq!(files(directory.path()), path);
    store
        .delete(&container(), &blob("blob"), None)
        .await
        .unwrap();
    assert!(files(directory.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_that_died_before_its_row_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    stage(&store, "blob", &["one", "two"]).await;
    let part = files(directory.path()).remove(0);
    fs::rename(&part, part.with_extension("")).unwrap();
    stage(&store, "blob", &["one", "two", "three"]).await;
    commit(&store, "blob", &[1, 2, 3]).await.unwrap();
    assert_eq!(fetch(&store, "blob").await.unwrap(), "onetwothree");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_staged_before_a_restart_of_the_machine_are_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    stage(&store, "blob", &["one", "two"]).await;
    sqlite(directory.path())
        .execute("UPDATE stagings SET boot = 'earlier'", [])
        .unwrap();
    refusal(
        commit(&store, "blob", &[1, 2]).await,
        StorageErrorKind::Invalid,
    );
    stage(&store, "blob", &["new"]).await;
    refusal(
        commit(&store, "blob", &[1, 2]).await,
        StorageErrorKind::Invalid,
    );
    commit(&store, "blob", &[1]).await.unwrap();
    assert_eq!(fetch(&store, "blob").await.unwrap(), "new");
    assert_eq!(files(directory.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_whose_file_is_gone_are_not_read_as_zeros() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    stage(&store, "blob", &["one", "two"]).await;
    fs::remove_file(&files(directory.path())[0]).unwrap();
    refusal(
        commit(&store, "blob", &[1, 2]).await,
        StorageErrorKind::Invalid,
    );
    let bytes = Bytes::from_static(b"three");
    store
        .stage_block(&container(), &blob("blob"), block(3), bytes)
        .await
        .unwrap();
    refusal(
        commit(&store, "blob", &[1, 2, 3]).await,
        StorageErrorKind::Invalid,
    );
    commit(&store, "blob", &[3]).await.unwrap();
    assert_eq!(fetch(&store, "blob").await.unwrap(), "three");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_file_is_reported_and_never_read_short() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    let bytes = content("blob", 100_000);
    store
        .put(&container(), &blob("blob"), bytes, PutOptions::default())
        .await
        .unwrap();
    let file = files(directory.path()).remove(0);
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(99_999)
        .unwrap();
    let read = |range| {
        let store = store.clone();
        async move { store.read(&container(), &blob("blob"), range, None).await }
    };
    assert_eq!(
        read(0..99_999).await.unwrap(),
        content("blob", 100_000).slice(..99_999)
    );
    refusal(read(0..100_000).await, StorageErrorKind::Corrupt);
    fs::remove_file(&file).unwrap();
    refusal(read(0..10).await, StorageErrorKind::Corrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn file_names_tell_nothing_and_cannot_leave_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path()).await;
    for name in [
        "..a/..b",
        "etc/passwd",
        "CON",
        "a",
        "A",
        "%2e%2e",
        "é",
        "e\u{301}",
    ] {
        let bytes = Bytes::copy_from_slice(name.as_bytes());
        store
            .put(&container(), &blob(name), bytes, PutOptions::default())
            .await
            .unwrap();
    }
    let names = files(directory.path());
    assert_eq!(names.len(), 8);
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()),
            "{name}"
        );
    }
}
