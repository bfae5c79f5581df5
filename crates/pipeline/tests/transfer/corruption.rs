use std::sync::Arc;

use dilux_core::model::{Compression, StoredData};
use dilux_core::storage::BlobStore;
use dilux_core::transfer::FailureKind;
use dilux_pipeline::{Control, Pipeline};

use crate::support::{
    COMPRESSIONS, Ending, MemoryStore, RecordingSink, blob, container, pipeline, stored, text,
};

struct Backup {
    store: Arc<MemoryStore>,
    pipeline: Pipeline,
    data: StoredData,
    plain: Vec<u8>,
}

async fn backup(compression: Compression) -> Backup {
    let plain = text(40_000);
    let store = Arc::<MemoryStore>::default();
    let pipeline = pipeline(&store);
    let data = stored(&pipeline, &plain, compression).await.unwrap();
    Backup {
        store,
        pipeline,
        data,
        plain,
    }
}

impl Backup {
    async fn is_refused(&self, what: &str) {
        let sink = RecordingSink::default();
        let outcome = self
            .pipeline
            .restore(&self.data, sink.sink(), &Control::default())
            .await;
        assert_eq!(outcome.unwrap_err().kind, FailureKind::Integrity, "{what}");
        assert_eq!(sink.ending(), Some(Ending::Aborted), "{what}");
        let verified = self.pipeline.verify(&self.data, &Control::default()).await;
        assert_eq!(verified.unwrap_err().kind, FailureKind::Integrity, "{what}");
    }

    /// Refused with the change, and good again without it.
    async fn refuses(&self, what: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let original = self.store.content(&blob()).unwrap();
        self.store.tamper(&blob(), change);
        assert!(
            self.store.content(&blob()).unwrap() != original,
            "{what} changes something"
        );
        self.is_refused(what).await;
        self.store.tamper(&blob(), |bytes| *bytes = original);
        self.pipeline
            .verify(&self.data, &Control::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found() {
    for compression in COMPRESSIONS {
        let backup = backup(compression).await;
        let length = backup.store.content(&blob()).unwrap().len();
        let edges = (0..24).chain(length - 24..length);
        for offset in edges.chain((24..length - 24).step_by(487)) {
            for bit in [0, 7] {
                let what = format!("{compression:?}: bit {bit} of byte {offset}");
                backup
                    .refuses(&what, |bytes| bytes[offset] ^= 1 << bit)
                    .await;
            }
        }
    }
}

#[tokio::test]
async fn swapped_bytes_are_found() {
    for compression in COMPRESSIONS {
        let backup = backup(compression).await;
        let length = backup.store.content(&blob()).unwrap().len();
        for offset in (0..length / 2).step_by(701) {
            let what = format!("{compression:?}: {offset}");
            backup
                .refuses(&what, |bytes| {
                    let other = (offset + length / 2..length)
                        .find(|other| bytes[*other] != bytes[offset])
                        .unwrap();
                    bytes.swap(offset, other);
                })
                .await;
        }
    }
}

#[tokio::test]
async fn missing_and_additional_bytes_are_found() {
    for compression in COMPRESSIONS {
        let backup = backup(compression).await;
        let length = backup.store.content(&blob()).unwrap().len();
        for kept in [0, 1, 10, length / 2, length - 8, length - 1] {
            backup
                .refuses(&format!("{compression:?}: {kept}"), |bytes| {
                    bytes.truncate(kept);
                })
                .await;
        }
        backup.refuses("one more", |bytes| bytes.push(0)).await;
        backup
            .refuses("twice", |bytes| bytes.extend_from_within(..))
            .await;
    }
}

#[tokio::test]
async fn a_whole_member_or_frame_that_is_missing_is_found_by_the_manifest() {
    for compression in COMPRESSIONS {
        let mut backup = backup(compression).await;
        let half = backup.plain[..20_000].to_vec();
        let store = Arc::<MemoryStore>::default();
        let other = stored(&pipeline(&store), &half, compression).await.unwrap();
        let content = store.content(&blob()).unwrap();
        backup.store.tamper(&blob(), |bytes| *bytes = content);
        backup.is_refused("another length").await;
        backup.data.stored_bytes = other.stored_bytes;
        backup.is_refused("another hash of the stored bytes").await;
        backup.data.stored_sha256 = other.stored_sha256;
        backup.is_refused("another length of the plain bytes").await;
    }
}

#[tokio::test]
async fn a_wrong_hash_in_the_manifest_is_found() {
    for compression in COMPRESSIONS {
        let mut backup = backup(compression).await;
        let right = backup.data.plain_sha256.clone();
        backup.data.plain_sha256 = "0".repeat(64);
        backup.is_refused("plain hash").await;
        backup.data.plain_sha256 = right;
        backup.data.stored_sha256 = "0".repeat(64);
        backup.is_refused("stored hash").await;
    }
}

#[tokio::test]
async fn no_more_is_decompressed_than_the_manifest_says() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let store = Arc::<MemoryStore>::default();
        let pipeline = pipeline(&store);
        let mut data = stored(&pipeline, &vec![b'-'; 3_000_000], compression)
            .await
            .unwrap();
        data.plain_bytes = 10_000;
        let sink = RecordingSink::default();
        let outcome = pipeline
            .restore(&data, sink.sink(), &Control::default())
            .await;
        assert_eq!(outcome.unwrap_err().kind, FailureKind::Integrity);
        assert!(sink.bytes().len() <= 10_000);
        assert_eq!(sink.ending(), Some(Ending::Aborted));
    }
}

#[tokio::test]
async fn data_that_is_gone_is_an_integrity_failure() {
    let backup = backup(Compression::Gzip).await;
    backup
        .store
        .delete(&container(), &blob(), None)
        .await
        .unwrap();
    backup.is_refused("deleted").await;
}
