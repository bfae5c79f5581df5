use std::sync::Arc;
use std::sync::atomic::Ordering;

use dilux_core::transfer::FailureKind;
use dilux_pipeline::Control;

use crate::support::{
    COMPRESSIONS, Ending, MemoryStore, RecordingSink, Script, ScriptedSource, destination,
    pipeline, stored, text,
};

/// Cancels once the plain bytes have come so far. Busy waiting, but every turn yields.
async fn cancel_at(control: Control, plain_bytes: u64) {
    while control.progress.plain_bytes() < plain_bytes {
        tokio::task::yield_now().await;
    }
    control.cancel.cancel();
}

#[tokio::test]
async fn a_store_that_is_cancelled_anywhere_leaves_nothing() {
    let plain = text(60_000);
    for compression in COMPRESSIONS {
        for offset in (0..plain.len() as u64 - 800).step_by(2_900) {
            let store = Arc::<MemoryStore>::default();
            // Silent near the end, so that the cancellation always comes first.
            let (source, was_aborted) = ScriptedSource::start(&plain, Script::HangAt(59_999));
            let control = Control::default();
            let pipeline = pipeline(&store);
            let (outcome, ()) = tokio::join!(
                pipeline.store(source, destination(compression), &control),
                cancel_at(control.clone(), offset),
            );
            assert_eq!(
                outcome.unwrap_err().kind,
                FailureKind::Cancelled,
                "at {offset}"
            );
            assert!(was_aborted.load(Ordering::SeqCst), "at {offset}");
            assert!(
                !store.has_blobs() && !store.has_staged_blocks(),
                "at {offset}"
            );
        }
    }
}

#[tokio::test]
async fn a_restore_that_is_cancelled_anywhere_aborts_its_sink() {
    let plain = text(60_000);
    for compression in COMPRESSIONS {
        let store = Arc::<MemoryStore>::default();
        let pipeline = pipeline(&store);
        let data = stored(&pipeline, &plain, compression).await.unwrap();
        for offset in (0..50_000).step_by(4_900) {
            let sink = RecordingSink::hanging_after(55_000);
            let control = Control::default();
            let (outcome, ()) = tokio::join!(
                pipeline.restore(&data, sink.sink(), &control),
                cancel_at(control.clone(), offset),
            );
            assert_eq!(
                outcome.unwrap_err().kind,
                FailureKind::Cancelled,
                "at {offset}"
            );
            assert_eq!(sink.ending(), Some(Ending::Aborted), "at {offset}");
        }
    }
}

#[tokio::test]
async fn nothing_starts_when_it_was_cancelled_before() {
    let store = Arc::<MemoryStore>::default();
    let (source, was_aborted) = ScriptedSource::start(&text(9_000), Script::Complete);
    let control = Control::default();
    control.cancel.cancel();
    let outcome = pipeline(&store)
        .store(source, destination(COMPRESSIONS[0]), &control)
        .await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Cancelled);
    assert!(was_aborted.load(Ordering::SeqCst));
    assert_eq!(control.progress.plain_bytes(), 0);
}
