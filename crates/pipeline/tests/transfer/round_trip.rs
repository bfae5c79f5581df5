use std::io::Write as _;
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::sync::Arc;

use dilux_core::model::Compression;
use dilux_pipeline::{Control, Tuning};
use proptest::prelude::*;

use crate::support::{
    CHUNK, COMPRESSIONS, Ending, MemoryStore, RecordingSink, Script, ScriptedSource, blob,
    destination, pipeline, small, stored, text,
};

async fn comes_back(plain: &[u8], compression: Compression) {
    let store = Arc::<MemoryStore>::default();
    let pipeline = pipeline(&store);
    let data = stored(&pipeline, plain, compression).await.unwrap();
    assert_eq!(data.plain_bytes, plain.len() as u64);
    assert_eq!(
        data.stored_bytes,
        store.content(&blob()).unwrap().len() as u64
    );
    let control = Control::default();
    let sink = RecordingSink::default();
    pipeline
        .restore(&data, sink.sink(), &control)
        .await
        .unwrap();
    assert!(
        sink.bytes() == plain,
        "{compression:?} of {} bytes",
        plain.len()
    );
    assert_eq!(sink.ending(), Some(Ending::Finished));
    assert_eq!(control.progress.plain_bytes(), data.plain_bytes);
    assert_eq!(control.progress.stored_bytes(), data.stored_bytes);
    pipeline.verify(&data, &Control::default()).await.unwrap();
}

#[tokio::test]
async fn a_dump_of_any_size_around_a_boundary_comes_back() {
    let plain = text(4 * CHUNK + 1);
    for compression in COMPRESSIONS {
        for boundary in [CHUNK, 2 * CHUNK, 3000, 6000, 4 * CHUNK] {
            for size in [boundary - 1, boundary, boundary + 1] {
                comes_back(&plain[..size], compression).await;
            }
        }
        comes_back(&plain[..1], compression).await;
    }
}

#[tokio::test]
async fn a_dump_that_does_not_compress_comes_back() {
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..100_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect();
    for compression in COMPRESSIONS {
        comes_back(&noise, compression).await;
    }
}

#[tokio::test]
async fn a_dump_of_many_reads_comes_back_with_default_sizes() {
    let plain = text((9 << 20) + 17);
    for compression in COMPRESSIONS {
        let store = Arc::<MemoryStore>::default();
        let pipeline = pipeline(&store).with_tuning(Tuning::default());
        let data = stored(&pipeline, &plain, compression).await.unwrap();
        let sink = RecordingSink::default();
        pipeline
            .restore(&data, sink.sink(), &Control::default())
            .await
            .unwrap();
        assert!(sink.bytes() == plain);
        assert!(sink.smallest_piece().unwrap() >= 256 << 10);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_come_back(
        plain in proptest::collection::vec(any::<u8>(), 1..20_000),
        repeats in 1_usize..4,
        choice in 0_usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(comes_back(&plain.repeat(repeats), COMPRESSIONS[choice]));
    }
}

#[tokio::test]
async fn an_empty_dump_is_refused() {
    for compression in COMPRESSIONS {
        let store = Arc::<MemoryStore>::default();
        let failure = stored(&pipeline(&store), b"", compression)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, dilux_core::transfer::FailureKind::Truncated);
        assert!(!store.has_blobs());
    }
}

/// What a stock tool makes of `input`.
#[expect(
    clippy::disallowed_methods,
    reason = "the stock tools themselves are the judges here"
)]
fn tool(name: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} must be installed: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(
        output.status.success(),
        "{name} {arguments:?}: {}",
        output.status
    );
    output.stdout
}

#[tokio::test]
async fn stock_tools_read_what_is_stored() {
    let plain = text(300_000);
    for (compression, reader) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let store = Arc::<MemoryStore>::default();
        stored(&pipeline(&store), &plain, compression)
            .await
            .unwrap();
        let content = store.content(&blob()).unwrap();
        tool(reader, &["-t", "-q"], &content);
        assert!(tool(reader, &["-d", "-c"], &content) == plain);
    }
    let store = Arc::<MemoryStore>::default();
    stored(&pipeline(&store), &plain, Compression::Gzip)
        .await
        .unwrap();
    assert!(tool("zcat", &[], &store.content(&blob()).unwrap()) == plain);
}

#[tokio::test]
async fn a_dump_that_another_gzip_or_zstd_wrote_is_read() {
    let plain = text(300_000);
    for (compression, writer) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let store = Arc::<MemoryStore>::default();
        let pipeline = pipeline(&store);
        let mut data = stored(&pipeline, &plain, compression).await.unwrap();
        let foreign = tool(writer, &["-c"], &plain);
        data.stored_bytes = foreign.len() as u64;
        data.stored_sha256 = sha256(&foreign);
        store.tamper(&blob(), |bytes| *bytes = foreign);
        let sink = RecordingSink::default();
        pipeline
            .restore(&data, sink.sink(), &Control::default())
            .await
            .unwrap();
        assert!(sink.bytes() == plain);
    }
}

fn sha256(bytes: &[u8]) -> String {
    let output = String::from_utf8(tool("sha256sum", &[], bytes)).unwrap();
    output.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn hashes_are_those_that_sha256sum_computes() {
    let plain = text(50_000);
    for compression in COMPRESSIONS {
        let store = Arc::<MemoryStore>::default();
        let data = stored(&pipeline(&store), &plain, compression)
            .await
            .unwrap();
        assert_eq!(data.plain_sha256, sha256(&plain));
        assert_eq!(data.stored_sha256, sha256(&store.content(&blob()).unwrap()));
    }
}

#[tokio::test]
async fn a_level_that_does_not_exist_is_a_matter_of_configuration() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let store = Arc::<MemoryStore>::default();
        let tuning = Tuning {
            gzip_level: 77,
            zstd_level: 7777,
            ..small()
        };
        let pipeline = pipeline(&store).with_tuning(tuning);
        let outcome = stored(&pipeline, b"-- a dump", compression).await;
        assert_eq!(
            outcome.unwrap_err().kind,
            dilux_core::transfer::FailureKind::Configuration,
            "{compression:?}"
        );
    }
}

#[tokio::test]
async fn progress_counts_both_sides_of_a_store() {
    let plain = text(100_000);
    let store = Arc::<MemoryStore>::default();
    let tuning = Tuning {
        workers: NonZeroUsize::MIN,
        ..small()
    };
    let pipeline = pipeline(&store).with_tuning(tuning);
    let control = Control::default();
    let (source, was_aborted) = ScriptedSource::start(&plain, Script::Complete);
    let staged = pipeline
        .store(source, destination(Compression::Zstd), &control)
        .await
        .unwrap();
    assert_eq!(control.progress.plain_bytes(), plain.len() as u64);
    assert_eq!(control.progress.stored_bytes(), staged.stored().bytes);
    assert!(!store.has_blobs(), "nothing is visible before the commit");
    assert!(!was_aborted.load(std::sync::atomic::Ordering::SeqCst));
    pipeline.discard(staged).await;
    assert!(!store.has_staged_blocks());
}
