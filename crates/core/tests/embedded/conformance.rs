//! The conformance suites, with the limits above the adapter as in production.

use std::sync::Arc;

use dilux_core::storage::{LimitedBlobStore, LimitedQueueStore, LimitedTableStore};
use dilux_testkit::conformance::{self, Gaps, Time};

use crate::support::open_at;

const NOW: &str = "2026-11-21T12:00:00.123456789Z";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tables_conform() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (store, clock) = open_at(directory.path(), NOW);
    let store = Arc::new(LimitedTableStore::new(Arc::new(store)));
    conformance::table_store(store, &Gaps::none(Time::Manual(clock))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn queues_conform() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (store, clock) = open_at(directory.path(), NOW);
    let store = Arc::new(LimitedQueueStore::new(Arc::new(store)));
    conformance::queue_store(store, &Gaps::none(Time::Manual(clock))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blobs_conform() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (store, clock) = open_at(directory.path(), NOW);
    let store = Arc::new(LimitedBlobStore::new(Arc::new(store)));
    conformance::blob_store(store, &Gaps::none(Time::Manual(clock))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn secrets_conform() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (store, clock) = open_at(directory.path(), NOW);
    conformance::secret_store(Arc::new(store), &Gaps::none(Time::Manual(clock))).await
}
