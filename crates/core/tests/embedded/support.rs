//! What the tests of the embedded adapter share.

use std::fmt::Debug;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use dilux_core::clock::{Clock, ManualClock, SystemClock};
use dilux_core::random::{Random, SystemRandom};
use dilux_core::storage::embedded::EmbeddedStore;
use dilux_core::storage::{
    BlobName, BlobStore, BlockId, ContainerName, PutOptions, QueueName, Storage, StorageError,
    StorageErrorKind, StorageResult, TableName,
};
use rusqlite::Connection;

const ROLE: &str = "DILUX_TEST_ROLE";
const DIRECTORY: &str = "DILUX_TEST_DIRECTORY";

pub(crate) fn open(directory: &Path) -> StorageResult<EmbeddedStore> {
    EmbeddedStore::open(directory, Arc::new(SystemClock), Arc::new(SystemRandom))
}

/// The four ports of a store, for tests that use several of them.
pub(crate) fn ports(directory: &Path) -> Storage {
    let store = Arc::new(open(directory).unwrap());
    Storage {
        tables: store.clone(),
        queues: store.clone(),
        blobs: store.clone(),
        embedded: Some(EmbeddedStore::clone(&store)),
        secrets: store,
    }
}

/// A store whose clock the test moves.
pub(crate) fn open_at(directory: &Path, now: &str) -> (EmbeddedStore, Arc<ManualClock>) {
    open_with(directory, ManualClock::new(now.parse().unwrap()))
}

/// A store whose clock the test moves, from the present on.
pub(crate) fn open_now(directory: &Path) -> (EmbeddedStore, Arc<ManualClock>) {
    open_with(directory, ManualClock::new(SystemClock.now()))
}

fn open_with(directory: &Path, clock: ManualClock) -> (EmbeddedStore, Arc<ManualClock>) {
    let clock = Arc::new(clock);
    let store = EmbeddedStore::open(directory, clock.clone(), Arc::new(SystemRandom)).unwrap();
    (store, clock)
}

/// The store's SQLite file, opened behind its back.
pub(crate) fn sqlite(directory: &Path) -> Connection {
    Connection::open(directory.join("store.sqlite")).unwrap()
}

pub(crate) fn refusal<T: Debug>(outcome: StorageResult<T>, kind: StorageErrorKind) -> StorageError {
    let error = outcome.expect_err("it should have been refused");
    assert_eq!(error.kind(), kind, "{error}");
    error
}

pub(crate) fn table() -> TableName {
    TableName::new("things").unwrap()
}

pub(crate) fn queue() -> QueueName {
    QueueName::new("doorbell").unwrap()
}

pub(crate) fn container() -> ContainerName {
    ContainerName::new("backups").unwrap()
}

pub(crate) fn blob(name: &str) -> BlobName {
    BlobName::new(name).unwrap()
}

pub(crate) fn block(number: u8) -> BlockId {
    BlockId([number; 32])
}

/// Bytes that only this name has: half of them, repeated, cannot pass for the whole.
pub(crate) fn content(name: &str, length: usize) -> Bytes {
    let seed = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let words = (0..length.div_ceil(4)).scan(seed | 1, |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        Some(*state)
    });
    let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    bytes.truncate(length);
    bytes.into()
}

/// Stages texts under the block numbers 1, 2, 3, …
pub(crate) async fn stage(store: &dyn BlobStore, name: &str, texts: &[&str]) {
    for (number, text) in (1..).zip(texts) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        store
            .stage_block(&container(), &blob(name), block(number), bytes)
            .await
            .unwrap();
    }
}

/// Commits the blocks of these numbers.
pub(crate) async fn commit(store: &dyn BlobStore, name: &str, numbers: &[u8]) -> StorageResult<()> {
    let ids: Vec<_> = numbers.iter().map(|&number| block(number)).collect();
    let options = PutOptions::default();
    store
        .commit_blocks(&container(), &blob(name), &ids, options)
        .await
        .map(|_| ())
}

/// The whole blob; `None` when it is missing.
pub(crate) async fn fetch(store: &dyn BlobStore, name: &str) -> Option<Bytes> {
    let properties = store.properties(&container(), &blob(name)).await.unwrap()?;
    let range = 0..properties.size;
    Some(
        store
            .read(&container(), &blob(name), range, Some(&properties.etag))
            .await
            .unwrap(),
    )
}

/// Names in the directory of blob files, sorted.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory.join("blobs")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A number below `limit`.
pub(crate) fn below(limit: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_le_bytes(bytes) % limit
}

/// Starts this test program again, in another process, to play `role` in the test `test`. What it
/// says with [`say`] can be read from its output.
#[expect(
    clippy::disallowed_methods,
    reason = "a test of several processes needs processes"
)]
pub(crate) fn spawn(test: &str, role: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The role and the directory of a process that [`spawn`] started; `None` in the test itself.
#[expect(
    clippy::disallowed_methods,
    reason = "how a test talks to its child, not a setting"
)]
pub(crate) fn role() -> Option<(String, PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    let directory = std::env::var(DIRECTORY).expect("a child has a directory");
    Some((role, directory.into()))
}

/// Tells the test that started this process something, at once.
pub(crate) fn say(words: &str) {
    // The test harness may have left an unfinished line.
    let line = format!("\n> {words}\n");
    let mut output = std::io::stdout().lock();
    output
        .write_all(line.as_bytes())
        .and_then(|()| output.flush())
        .unwrap();
}

/// What a line of a child's output says.
pub(crate) fn said(line: &str) -> Option<&str> {
    line.strip_prefix("> ")
}
