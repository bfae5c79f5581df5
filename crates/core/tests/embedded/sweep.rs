//! Sweeping: only what is old and named by nobody goes.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dilux_core::storage::embedded::{EmbeddedStore, Swept};
use dilux_core::storage::{
    BlobStore, PutOptions, QueueStore, SendOptions, StorageErrorKind, TimeToLive,
};
use jiff::SignedDuration;

use crate::support::{blob, commit, container, fetch, files, open_now, queue, refusal, stage};

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn put(store: &EmbeddedStore, name: &str) {
    let bytes = Bytes::copy_from_slice(name.as_bytes());
    store
        .put(&container(), &blob(name), bytes, PutOptions::default())
        .await
        .unwrap();
}

fn orphan(directory: &Path, name: &str) {
    fs::write(directory.join("blobs").join(name), "12345").unwrap();
}

/// Sets the time of last write of every file this long before the present.
fn age_files(directory: &Path, age: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the file system has no other clock"
    )]
    let then = SystemTime::now() - age;
    for path in files(directory) {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(then)
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_uploads_and_nameless_files_go_and_blobs_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (store, clock) = open_now(directory.path());
    store.create_container(&container()).await.unwrap();
    put(&store, "put").await;
    stage(&store, "committed", &["one", "two"]).await;
    commit(&store, "committed", &[1, 2]).await.unwrap();
    stage(&store, "abandoned", &["one", "two"]).await;
    orphan(directory.path(), "0123456789abcdef0123456789abcdef");
    orphan(directory.path(), "0123456789abcdef0123456789abcdee.part");
    orphan(directory.path(), "README");
    assert_eq!(
        store.sweep(WEEK).await.unwrap(),
        Swept::default(),
        "everything is young"
    );

    clock.advance(WEEK + DAY);
    let swept = store.sweep(WEEK).await.unwrap();
    assert_eq!(
        swept,
        Swept {
            stagings: 1,
            files: 3,
            bytes: 16,
            messages: 0
        }
    );
    assert_eq!(fetch(&store, "put").await.unwrap(), "put");
    assert_eq!(fetch(&store, "committed").await.unwrap(), "onetwo");
    refusal(
        commit(&store, "abandoned", &[1]).await,
        StorageErrorKind::Invalid,
    );
    let left = files(directory.path());
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(
        left.iter().any(|path| path.ends_with("README")),
        "a foreign file went"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_goes_on_stays_however_old_its_file_looks() {
    let directory = tempfile::tempdir().unwrap();
    let (store, clock) = open_now(directory.path());
    store.create_container(&container()).await.unwrap();
    stage(&store, "slow", &["one"]).await;
    clock.advance(WEEK);
    stage(&store, "slow", &["one", "two"]).await;
    clock.advance(DAY);
    age_files(directory.path(), Duration::from_hours(24 * 30));
    assert_eq!(store.sweep(WEEK).await.unwrap(), Swept::default());
    commit(&store, "slow", &[1, 2]).await.unwrap();
    assert_eq!(fetch(&store, "slow").await.unwrap(), "onetwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_messages_go_and_living_ones_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (store, clock) = open_now(directory.path());
    store.create_queue(&queue()).await.unwrap();
    let mortal = SendOptions {
        time_to_live: TimeToLive::Seconds(60),
        ..SendOptions::default()
    };
    store.send(&queue(), "mortal", mortal).await.unwrap();
    store
        .send(&queue(), "immortal", SendOptions::default())
        .await
        .unwrap();
    clock.advance(SignedDuration::from_mins(2));
    assert_eq!(store.sweep(WEEK).await.unwrap().messages, 1);
    assert_eq!(store.peek(&queue(), 32).await.unwrap(), ["immortal"]);
}
