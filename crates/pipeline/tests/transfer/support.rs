//! Sources, sinks and stores that do what a test tells them.

mod faulty;
mod memory;
mod sink;
mod source;

use std::num::NonZeroUsize;
use std::sync::Arc;

use dilux_core::model::{Compression, StoredData};
use dilux_core::random::SystemRandom;
use dilux_core::storage::{BlobName, BlobStore, ContainerName};
use dilux_core::transfer::Failure;
use dilux_pipeline::{Control, Destination, Pipeline, Tuning};

pub(crate) use faulty::{Fault, FaultyStore};
pub(crate) use memory::MemoryStore;
pub(crate) use sink::{Ending, RecordingSink};
pub(crate) use source::{Script, ScriptedSource};

pub(crate) const COMPRESSIONS: [Compression; 3] =
    [Compression::Gzip, Compression::Zstd, Compression::None];

pub(crate) const CHUNK: usize = 4096;

/// Small chunks and blocks, so that small streams cross many boundaries.
pub(crate) fn small() -> Tuning {
    Tuning {
        workers: NonZeroUsize::new(2).unwrap(),
        chunk_bytes: NonZeroUsize::new(CHUNK).unwrap(),
        block_bytes: NonZeroUsize::new(3000).unwrap(),
        ..Tuning::default()
    }
}

pub(crate) fn pipeline<S: BlobStore + 'static>(blobs: &Arc<S>) -> Pipeline {
    Pipeline::new(Arc::<S>::clone(blobs), Arc::new(SystemRandom)).with_tuning(small())
}

pub(crate) fn container() -> ContainerName {
    ContainerName::new("backups").unwrap()
}

pub(crate) fn blob() -> BlobName {
    BlobName::new("postgresql/1/20260101_000000-abc.sql").unwrap()
}

pub(crate) fn destination(compression: Compression) -> Destination {
    Destination {
        container: container(),
        blob: blob(),
        epoch: 3,
        compression,
        format: compression.sql_format().to_owned(),
    }
}

/// Text that compresses about as well as a dump does, different in each line.
pub(crate) fn text(bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 80);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while text.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        let line = format!(
            "INSERT INTO orders VALUES ({}, 'naïve {:x}');\n",
            state >> 40,
            state
        );
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(bytes);
    text
}

/// Stores and commits `plain`.
pub(crate) async fn stored(
    pipeline: &Pipeline,
    plain: &[u8],
    compression: Compression,
) -> Result<StoredData, Failure> {
    let (source, _) = ScriptedSource::start(plain, Script::Complete);
    let staged = pipeline
        .store(source, destination(compression), &Control::default())
        .await?;
    pipeline.commit(staged).await.map(|(data, _)| data)
}
