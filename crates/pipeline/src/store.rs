//! From a running dump to staged blocks.

mod read;
mod upload;

#[cfg(test)]
mod tests;

use dilux_core::model::Compression;
use dilux_core::storage::{BlobName, ContainerName};
use dilux_core::transfer::{DumpComplete, DumpSource, Failure};
use tokio::sync::mpsc;

use crate::blocks::BlockNames;
use crate::codec::Encoders;
use crate::commit::{StagedDump, Target};
use crate::digest::Digest;
use crate::pool::Pool;
use crate::{Control, Pipeline, Progress, failure};
use read::read_chunks;
use upload::{Uploads, write_blocks};

/// Where a dump goes and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Container; it must exist.
    pub container: ContainerName,
    /// Blob; the name must belong to this attempt alone.
    pub blob: BlobName,
    /// Which claim on the job writes it.
    pub epoch: u64,
    /// Compression layer.
    pub compression: Compression,
    /// What the manifest shall call the format: `sql.gz`.
    pub format: String,
}

impl Pipeline {
    /// Reads a dump to its end, stages it as blocks of the destination and holds its proof.
    /// Nothing is visible until [`Pipeline::commit`]. On any failure, and when `control` says
    /// stop, the dump is aborted and the blocks are dropped.
    pub async fn store(
        &self,
        source: Box<dyn DumpSource>,
        destination: Destination,
        control: &Control,
    ) -> Result<StagedDump, Failure> {
        let target = Target::new(&self.blobs, &destination);
        let names = BlockNames::new(destination.epoch, &*self.random);
        let mut uploads = Uploads::new(target.clone(), names, control);
        let mut source = Some(source);
        let outcome = tokio::select! {
            biased;
            () = control.cancel.cancelled() => Err(failure::cancelled()),
            outcome = self.stage(&mut source, &mut uploads, destination.compression, &control.progress) => outcome,
        };
        match outcome {
            Ok(Staged {
                plain,
                stored,
                proof,
                buffers,
            }) => {
                tracing::debug!(
                    pipeline.chunk_buffers = buffers.chunks,
                    pipeline.output_buffers = buffers.outputs,
                    pipeline.block_buffers = buffers.blocks,
                    "staged a dump"
                );
                let blocks = uploads.into_blocks();
                Ok(StagedDump {
                    target,
                    destination,
                    blocks,
                    plain,
                    stored,
                    proof,
                })
            }
            Err(failure) => {
                if let Some(source) = source {
                    source.abort().await;
                }
                // A block that is still on its way would survive a discard that overtakes it.
                uploads.drain().await;
                target.discard().await;
                Err(failure)
            }
        }
    }

    async fn stage(
        &self,
        source: &mut Option<Box<dyn DumpSource>>,
        uploads: &mut Uploads,
        compression: Compression,
        progress: &Progress,
    ) -> Result<Staged, Failure> {
        let encoders = Encoders::new(compression, self.tuning);
        let pool = Pool::new();
        let (chunks, waiting) = mpsc::channel(CHUNKS_WAITING);
        let read = read_chunks(source, chunks, &pool, self.tuning, progress);
        let write = write_blocks(waiting, &encoders, self.tuning, uploads);
        let ((plain, proof), stored) = tokio::try_join!(read, write)?;
        let counted_by_driver = proof.evidence().plain_bytes;
        if counted_by_driver != plain.bytes {
            return Err(failure::defect(format!(
                "the dump counted {counted_by_driver} bytes, but {} came through",
                plain.bytes
            )));
        }
        let buffers = Buffers {
            chunks: pool.made(),
            outputs: encoders.outputs().made(),
            blocks: uploads.pool().made(),
        };
        Ok(Staged {
            plain,
            stored,
            proof,
            buffers,
        })
    }
}

/// Chunks read ahead of the compression.
const CHUNKS_WAITING: usize = 1;

struct Staged {
    plain: Digest,
    stored: Digest,
    proof: DumpComplete,
    buffers: Buffers,
}

/// How many buffers one dump needed at a time.
#[derive(Debug)]
struct Buffers {
    chunks: usize,
    outputs: usize,
    blocks: usize,
}
