//! The suites of the storage ports, limits above the adapter as in production.

use std::sync::Arc;

use dilux_core::storage::{LimitedBlobStore, LimitedQueueStore, LimitedTableStore};
use dilux_testkit::conformance::{self, Gaps, Time};

use super::start;

/// Where Azurite 3.35 differs from Azure.
fn gaps() -> Gaps {
    Gaps {
        integer_widths_match: Some("Azurite answers 500 to a 32-bit property and a long literal"),
        long_matches_text: Some("Azurite keeps 64-bit integers as texts and compares these"),
        dates_compare_to_milliseconds: Some("Azurite compares dates as JavaScript's"),
        receive_shares_receipts: Some("Azurite makes one receipt a request"),
        delete_finds_staged_blobs: Some("Azurite deletes the staged blocks"),
        put_keeps_staged_blocks: Some("Azurite keeps them, Azure drops them"),
        ..Gaps::none(Time::Real)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_keep_the_contract() {
    let (_azurite, storage) = start();
    let store = Arc::new(LimitedTableStore::new(storage.tables));
    conformance::table_store(store, &gaps()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_keep_the_contract() {
    let (_azurite, storage) = start();
    let store = Arc::new(LimitedQueueStore::new(storage.queues));
    conformance::queue_store(store, &gaps()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_keep_the_contract() {
    let (_azurite, storage) = start();
    let store = Arc::new(LimitedBlobStore::new(storage.blobs));
    conformance::blob_store(store, &gaps()).await.unwrap();
}
