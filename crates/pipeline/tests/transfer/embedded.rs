use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dilux_core::clock::SystemClock;
use dilux_core::model::Compression;
use dilux_core::random::SystemRandom;
use dilux_core::storage::embedded::EmbeddedStore;
use dilux_core::storage::{BlobStore, StorageErrorKind};
use dilux_core::transfer::FailureKind;
use dilux_pipeline::{Control, Pipeline, Tuning};

use crate::support::{
    COMPRESSIONS, Ending, Fault, FaultyStore, RecordingSink, Script, ScriptedSource, blob,
    container, destination, pipeline, stored, text,
};

struct Installation {
    directory: tempfile::TempDir,
    store: Arc<EmbeddedStore>,
}

impl Installation {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(
            directory.path(),
            Arc::new(SystemClock),
            Arc::new(SystemRandom),
        )
        .unwrap();
        store.create_container(&container()).await.unwrap();
        Self {
            directory,
            store: Arc::new(store),
        }
    }

    fn pipeline(&self) -> Pipeline {
        pipeline(&self.store)
    }

    async fn shows_the_blob(&self) -> bool {
        self.store
            .properties(&container(), &blob())
            .await
            .unwrap()
            .is_some()
    }

    /// Bytes of the files that hold blobs and staged blocks.
    fn data_bytes(&self) -> u64 {
        let database = |path: &Path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("dilux.db")
        };
        files(self.directory.path())
            .into_iter()
            .filter(|(path, _)| path.parent() != Some(self.directory.path()) && !database(path))
            .map(|(_, bytes)| bytes)
            .sum()
    }
}

fn files(directory: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), entry.metadata().unwrap().len()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_comes_back_from_the_embedded_store() {
    let plain = text(20 << 20);
    for compression in COMPRESSIONS {
        let installation = Installation::new().await;
        let pipeline = installation.pipeline().with_tuning(Tuning::default());
        let data = stored(&pipeline, &plain, compression).await.unwrap();
        assert_eq!(installation.data_bytes(), data.stored_bytes);
        let sink = RecordingSink::default();
        pipeline
            .restore(&data, sink.sink(), &Control::default())
            .await
            .unwrap();
        assert!(sink.bytes() == plain);
        assert_eq!(sink.ending(), Some(Ending::Finished));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_dump_leaves_no_bytes_in_the_embedded_store() {
    let installation = Installation::new().await;
    let (source, was_aborted) = ScriptedSource::start(&text(300_000), Script::HangAt(290_000));
    let control = Control::default();
    let pipeline = installation.pipeline();
    let (outcome, ()) = tokio::join!(
        pipeline.store(source, destination(Compression::None), &control),
        async {
            while control.progress.stored_bytes() < 30_000 {
                tokio::task::yield_now().await;
            }
            control.cancel.cancel();
        },
    );
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Cancelled);
    assert!(was_aborted.load(Ordering::SeqCst));
    assert!(!installation.shows_the_blob().await);
    assert_eq!(installation.data_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_any_operation_leaves_no_bytes_in_the_embedded_store() {
    let plain = text(30_000);
    for at in 0..12 {
        let installation = Installation::new().await;
        let faulty = FaultyStore::new(
            &installation.store,
            Fault::Refused(StorageErrorKind::Unavailable),
            at,
        );
        let outcome = stored(&pipeline(&faulty), &plain, Compression::None).await;
        assert_eq!(
            outcome.unwrap_err().kind,
            FailureKind::Storage,
            "operation {at}"
        );
        assert!(!installation.shows_the_blob().await, "operation {at}");
        assert_eq!(installation.data_bytes(), 0, "operation {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_on_the_disk_is_found() {
    for compression in COMPRESSIONS {
        let installation = Installation::new().await;
        let pipeline = installation.pipeline();
        let data = stored(&pipeline, &text(50_000), compression).await.unwrap();
        let (path, _) = files(installation.directory.path())
            .into_iter()
            .find(|(_, bytes)| *bytes == data.stored_bytes)
            .unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let sink = RecordingSink::default();
        let outcome = pipeline
            .restore(&data, sink.sink(), &Control::default())
            .await;
        assert_eq!(outcome.unwrap_err().kind, FailureKind::Integrity);
        assert_eq!(sink.ending(), Some(Ending::Aborted));
    }
}
