use std::sync::Arc;

use bytes::Bytes;
use dilux_core::model::Compression;
use dilux_core::storage::{BlobStore, PutOptions};
use dilux_core::transfer::FailureKind;
use dilux_pipeline::Control;

use crate::support::{
    MemoryStore, Script, ScriptedSource, blob, container, destination, pipeline, stored, text,
};

#[tokio::test]
async fn a_commit_hands_out_what_the_manifest_needs_and_the_proof() {
    let plain = text(30_000);
    let store = Arc::<MemoryStore>::default();
    let pipeline = pipeline(&store);
    let (source, _) = ScriptedSource::start(&plain, Script::Complete);
    let destination = destination(Compression::Gzip);
    let staged = pipeline
        .store(source, destination, &Control::default())
        .await
        .unwrap();
    let (plain_digest, stored_digest) = (staged.plain().clone(), staged.stored().clone());
    let (data, proof) = pipeline.commit(staged).await.unwrap();
    let properties = store
        .properties(&container(), &blob())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(data.container, "backups");
    assert_eq!(data.blob, blob().as_str());
    assert_eq!(data.etag, properties.etag.as_str());
    assert_eq!(data.format, "sql.gz");
    assert_eq!(
        (data.plain_bytes, data.plain_sha256),
        (plain_digest.bytes, plain_digest.sha256)
    );
    assert_eq!(
        (data.stored_bytes, data.stored_sha256),
        (stored_digest.bytes, stored_digest.sha256)
    );
    assert_eq!(proof.evidence().plain_bytes, 30_000);
    assert_eq!(properties.content_type, "application/gzip");
}

#[tokio::test]
async fn the_blob_of_another_writer_is_left_alone() {
    let store = Arc::<MemoryStore>::default();
    let pipeline = pipeline(&store);
    let (source, _) = ScriptedSource::start(&text(30_000), Script::Complete);
    let staged = pipeline
        .store(source, destination(Compression::Zstd), &Control::default())
        .await
        .unwrap();
    let other = Bytes::from_static(b"another writer's");
    store
        .put(&container(), &blob(), other.clone(), PutOptions::default())
        .await
        .unwrap();
    let failure = pipeline.commit(staged).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Internal);
    assert_eq!(store.content(&blob()).unwrap(), other);
    assert!(!store.has_staged_blocks());
}

#[tokio::test]
async fn a_restore_reads_a_version_that_was_only_moved() {
    let store = Arc::<MemoryStore>::default();
    let pipeline = pipeline(&store);
    let mut data = stored(&pipeline, &text(30_000), Compression::Zstd)
        .await
        .unwrap();
    data.etag = "of the store it came from".to_owned();
    pipeline.verify(&data, &Control::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_reach_the_store_in_the_order_of_the_blob() {
    let store = Arc::<MemoryStore>::default();
    let plain = text(600_000);
    // On a worker thread, where uploads are taken over by others most readily.
    let pipeline = pipeline(&store);
    let storing = tokio::spawn(async move { stored(&pipeline, &plain, Compression::None).await });
    storing.await.unwrap().unwrap();
    let arrivals = store.arrivals();
    assert_eq!(arrivals.len(), 200);
    assert!(arrivals.is_sorted_by_key(|id| id.0));
}
