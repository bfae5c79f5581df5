//! The stores in memory are stores: they pass the suites of the ports.
#![cfg(test)]

use std::sync::Arc;

use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::storage::{LimitedBlobStore, LimitedQueueStore, LimitedTableStore};
use dilux_simulation::Memory;
use dilux_testkit::conformance::{self, Gaps, Time};

fn store() -> (Arc<Memory>, Gaps) {
    let now = "2026-11-21T12:00:00.123456789Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(now));
    let shared: SharedClock = clock.clone();
    let store = Arc::new(Memory::new(shared));
    (store, Gaps::none(Time::Manual(clock)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_conform() -> anyhow::Result<()> {
    let (store, gaps) = store();
    conformance::table_store(Arc::new(LimitedTableStore::new(store)), &gaps).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_conform() -> anyhow::Result<()> {
    let (store, gaps) = store();
    conformance::queue_store(Arc::new(LimitedQueueStore::new(store)), &gaps).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_conform() -> anyhow::Result<()> {
    let (store, gaps) = store();
    conformance::blob_store(Arc::new(LimitedBlobStore::new(store)), &gaps).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_conform() -> anyhow::Result<()> {
    let (store, gaps) = store();
    conformance::secret_store(store, &gaps).await
}
