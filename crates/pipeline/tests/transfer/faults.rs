use std::sync::Arc;
use std::sync::atomic::Ordering;

use dilux_core::model::{Compression, StoredData};
use dilux_core::storage::StorageErrorKind;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_pipeline::Control;

use crate::support::{
    Ending, Fault, FaultyStore, MemoryStore, RecordingSink, Script, ScriptedSource, blob,
    destination, pipeline, stored, text,
};

const REFUSALS: [StorageErrorKind; 5] = [
    StorageErrorKind::Full,
    StorageErrorKind::Denied,
    StorageErrorKind::Unavailable,
    StorageErrorKind::Throttled,
    StorageErrorKind::Internal,
];

struct Attempt {
    outcome: Result<StoredData, Failure>,
    store: Arc<MemoryStore>,
    operations: usize,
    was_aborted: bool,
    plain: Vec<u8>,
}

async fn attempt(fault: Fault, at: usize) -> Attempt {
    let plain = text(30_000);
    let store = Arc::<MemoryStore>::default();
    let faulty = FaultyStore::new(&store, fault, at);
    let pipeline = pipeline(&faulty);
    let (source, was_aborted) = ScriptedSource::start(&plain, Script::Complete);
    let staged = pipeline
        .store(source, destination(Compression::None), &Control::default())
        .await;
    let outcome = match staged {
        Ok(staged) => pipeline.commit(staged).await.map(|(data, _)| data),
        Err(failure) => Err(failure),
    };
    let (operations, was_aborted) = (faulty.operations(), was_aborted.load(Ordering::SeqCst));
    Attempt {
        outcome,
        store,
        operations,
        was_aborted,
        plain,
    }
}

/// The operations of an undisturbed attempt: its blocks, one commit, one look at the result.
async fn undisturbed() -> usize {
    let attempt = attempt(Fault::DownForGood, usize::MAX).await;
    assert_eq!(attempt.outcome.unwrap().stored_bytes, 30_000);
    assert_eq!(attempt.operations, 10 + 1 + 1);
    attempt.operations
}

#[tokio::test]
async fn a_refusal_of_any_operation_leaves_no_visible_blob() {
    for at in 0..undisturbed().await {
        for kind in REFUSALS {
            let attempt = attempt(Fault::Refused(kind), at).await;
            assert_eq!(
                attempt.outcome.unwrap_err().kind,
                FailureKind::Storage,
                "{at} {kind:?}"
            );
            assert!(!attempt.store.has_blobs(), "operation {at}, {kind:?}");
            assert!(
                !attempt.store.has_staged_blocks(),
                "operation {at}, {kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_store_that_goes_down_before_the_commit_shows_no_blob() {
    let commit = undisturbed().await - 2;
    for at in 0..=commit {
        let attempt = attempt(Fault::DownForGood, at).await;
        assert_eq!(
            attempt.outcome.unwrap_err().kind,
            FailureKind::Storage,
            "operation {at}"
        );
        assert!(!attempt.store.has_blobs(), "operation {at}");
    }
}

#[tokio::test]
async fn a_store_that_goes_down_right_after_the_commit_hands_out_no_data() {
    let look = undisturbed().await - 1;
    let attempt = attempt(Fault::DownForGood, look).await;
    assert_eq!(attempt.outcome.unwrap_err().kind, FailureKind::Storage);
}

#[tokio::test]
async fn a_lost_reply_to_the_commit_is_made_good() {
    let commit = undisturbed().await - 2;
    for fault in [Fault::ReplyLost, Fault::MetItself] {
        let attempt = attempt(fault, commit).await;
        let data = attempt.outcome.unwrap();
        assert!(attempt.store.content(&blob()).unwrap() == attempt.plain);
        assert_eq!(data.stored_bytes, 30_000);
    }
}

#[tokio::test]
async fn a_dump_is_stopped_when_its_blocks_cannot_be_stored() {
    let plain = text(5_000_000);
    let store = Arc::<MemoryStore>::default();
    let faulty = FaultyStore::new(&store, Fault::Refused(StorageErrorKind::Full), 3);
    let (source, was_aborted) = ScriptedSource::start(&plain, Script::HangAt(4_000_000));
    let failure = pipeline(&faulty)
        .store(source, destination(Compression::None), &Control::default())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Storage);
    assert!(failure.message.contains("full"), "{}", failure.message);
    assert!(was_aborted.load(Ordering::SeqCst));
    assert!(!store.has_staged_blocks());
}

#[tokio::test]
async fn a_failed_upload_is_noticed_while_the_dump_is_silent() {
    let plain = text(100_000);
    let store = Arc::<MemoryStore>::default();
    let faulty = FaultyStore::new(&store, Fault::Refused(StorageErrorKind::Unavailable), 0);
    // One block is full, the second never will be.
    let (source, was_aborted) = ScriptedSource::start(&plain, Script::HangAt(4_100));
    let failure = pipeline(&faulty)
        .store(source, destination(Compression::None), &Control::default())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Storage);
    assert!(was_aborted.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_restore_fails_with_the_store_and_aborts_its_sink() {
    let plain = text(30_000);
    let store = Arc::<MemoryStore>::default();
    let data = stored(&pipeline(&store), &plain, Compression::Gzip)
        .await
        .unwrap();
    for at in 0..2 {
        let faulty = FaultyStore::new(&store, Fault::Refused(StorageErrorKind::Unavailable), at);
        let sink = RecordingSink::default();
        let outcome = pipeline(&faulty)
            .restore(&data, sink.sink(), &Control::default())
            .await;
        assert_eq!(outcome.unwrap_err().kind, FailureKind::Storage);
        assert_eq!(sink.ending(), Some(Ending::Aborted));
    }
}

#[tokio::test]
async fn a_restore_whose_tool_dies_says_what_the_tool_said() {
    let store = Arc::<MemoryStore>::default();
    let pipeline = pipeline(&store);
    let data = stored(&pipeline, &text(100_000), Compression::Gzip)
        .await
        .unwrap();
    let sink = RecordingSink::dying_after(50_000);
    let failure = pipeline
        .restore(&data, sink.sink(), &Control::default())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::ToolFailed);
    assert_eq!(sink.ending(), Some(Ending::Aborted));
}

#[test]
fn an_attempt_that_succeeds_does_not_abort_its_source() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert!(
        !runtime
            .block_on(attempt(Fault::DownForGood, usize::MAX))
            .was_aborted
    );
}
