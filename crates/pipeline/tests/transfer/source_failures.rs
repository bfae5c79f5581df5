use std::sync::Arc;
use std::sync::atomic::Ordering;

use dilux_core::model::Compression;
use dilux_core::transfer::FailureKind;
use dilux_pipeline::Control;

use crate::support::{
    COMPRESSIONS, MemoryStore, Script, ScriptedSource, destination, pipeline, text,
};

/// The failure's kind, and whether the source was aborted; nothing may be left in the store.
async fn fails(plain: &[u8], script: Script, compression: Compression) -> (FailureKind, bool) {
    let store = Arc::<MemoryStore>::default();
    let (source, was_aborted) = ScriptedSource::start(plain, script);
    let outcome = pipeline(&store)
        .store(source, destination(compression), &Control::default())
        .await;
    assert!(!store.has_blobs());
    assert!(!store.has_staged_blocks());
    (
        outcome.unwrap_err().kind,
        was_aborted.load(Ordering::SeqCst),
    )
}

#[tokio::test]
async fn a_dump_that_fails_anywhere_leaves_nothing() {
    let plain = text(60_000);
    for compression in COMPRESSIONS {
        for offset in (0..plain.len()).step_by(2_999) {
            let outcome = fails(&plain, Script::FailAt(offset), compression).await;
            assert_eq!(outcome, (FailureKind::Stalled, true), "at {offset}");
        }
    }
}

#[tokio::test]
async fn a_dump_without_its_trailer_leaves_nothing() {
    for compression in COMPRESSIONS {
        let (kind, _) = fails(&text(60_000), Script::WithoutTrailer, compression).await;
        assert_eq!(kind, FailureKind::Truncated);
    }
}

#[tokio::test]
async fn a_tool_that_fails_after_all_its_output_leaves_nothing() {
    for compression in COMPRESSIONS {
        let (kind, _) = fails(&text(60_000), Script::ExitCode(2), compression).await;
        assert_eq!(kind, FailureKind::ToolFailed);
    }
}

#[tokio::test]
async fn a_dump_whose_count_differs_from_ours_leaves_nothing() {
    let (kind, _) = fails(&text(60_000), Script::Miscount, Compression::Gzip).await;
    assert_eq!(kind, FailureKind::Internal);
}
