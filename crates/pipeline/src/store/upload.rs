//! The writing end: compresses chunks in parallel, packs the results in order into blocks and
//! stages a few of those at a time.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use dilux_core::storage::{BlockId, StorageResult};
use dilux_core::transfer::{Failure, FailureKind};
use futures::future::BoxFuture;
use futures::{FutureExt, poll};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use crate::blocks::{BlockNames, block_bytes};
use crate::codec::Encoders;
use crate::commit::Target;
use crate::digest::{Digest, Hashing};
use crate::pool::{Buffer, Pool};
use crate::{Computing, Control, Progress, Tuning, failure};

/// Blocks on their way to the store at a time.
const BLOCKS_IN_FLIGHT: usize = 2;
/// Their bytes; a block that is larger by itself goes alone.
const BYTES_IN_FLIGHT: usize = 16 << 20;

type Compressing = VecDeque<BoxFuture<'static, Result<Bytes, Failure>>>;

/// Compresses and stages all chunks. Gives the digest of what was staged.
pub(super) async fn write_blocks(
    mut chunks: mpsc::Receiver<Bytes>,
    encoders: &Arc<Encoders>,
    tuning: Tuning,
    uploads: &mut Uploads,
) -> Result<Digest, Failure> {
    let hashing = Hashing::start(tuning.computing);
    let mut packer = Packer {
        open: None,
        first_bytes: tuning.block_bytes.get(),
    };
    let mut compressing = Compressing::new();
    let mut has_more = true;
    loop {
        // In a fixed order, so that a simulation can be replayed; none can starve the others.
        tokio::select! {
            biased;
            chunk = chunks.recv(), if has_more && compressing.len() < tuning.workers.get() => {
                match chunk {
                    Some(chunk) => {
                        let encoders = Arc::clone(encoders);
                        compressing.push_back(compress(encoders, chunk, tuning.computing));
                    }
                    None => has_more = false,
                }
            }
            output = oldest(&mut compressing), if !compressing.is_empty() => {
                let output = output?;
                hashing.update(output.clone()).await?;
                packer.append(output, uploads).await?;
            }
            settled = uploads.settle_one(), if uploads.are_running() => settled?,
            else => break,
        }
    }
    packer.finish(uploads).await?;
    hashing.finish().await
}

/// Waits for the chunk that is to be written next. Loses nothing when it is dropped.
async fn oldest(compressing: &mut Compressing) -> Result<Bytes, Failure> {
    let Some(job) = compressing.front_mut() else {
        return Err(failure::defect("no chunk is being compressed"));
    };
    let output = job.await;
    compressing.pop_front();
    output
}

/// Begins to compress a chunk, on a thread unless it is to be done in place.
fn compress(
    encoders: Arc<Encoders>,
    chunk: Bytes,
    computing: Computing,
) -> BoxFuture<'static, Result<Bytes, Failure>> {
    match computing {
        Computing::InPlace => async move { encoders.encode(chunk) }.boxed(),
        Computing::OnThreads => spawn_blocking(move || encoders.encode(chunk))
            .map(|output| {
                output.unwrap_or_else(|_| Err(failure::defect("a compression thread ended early")))
            })
            .boxed(),
    }
}

/// Makes blocks of exactly the scheduled sizes; only the last may be shorter.
struct Packer {
    open: Option<Buffer>,
    first_bytes: usize,
}

impl Packer {
    async fn append(&mut self, mut bytes: Bytes, uploads: &mut Uploads) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let size = block_bytes(self.first_bytes, uploads.blocks.len()).ok_or_else(too_large)?;
            let mut block = self.open.take().unwrap_or_else(|| uploads.pool.take(size));
            let fitting = bytes.len().min(size - block.len());
            block.append(&bytes.split_to(fitting));
            if block.len() == size {
                uploads.start(block.freeze()).await?;
            } else {
                self.open = Some(block);
            }
        }
        Ok(())
    }

    async fn finish(&mut self, uploads: &mut Uploads) -> Result<(), Failure> {
        if let Some(last) = self.open.take() {
            uploads.start(last.freeze()).await?;
        }
        while uploads.are_running() {
            uploads.settle_one().await?;
        }
        Ok(())
    }
}

fn too_large() -> Failure {
    Failure::new(
        FailureKind::Configuration,
        "the compressed dump is larger than one blob can hold (about 3.7 TB); \
         choose a stronger compression or split the database",
    )
}

/// The blocks of one blob: those staged and those on their way.
pub(super) struct Uploads {
    target: Target,
    names: BlockNames,
    progress: Arc<Progress>,
    pool: Arc<Pool>,
    blocks: Vec<BlockId>,
    running: JoinSet<StorageResult<usize>>,
    running_bytes: usize,
}

impl Uploads {
    pub(super) fn new(target: Target, names: BlockNames, control: &Control) -> Self {
        Self {
            target,
            names,
            progress: Arc::clone(&control.progress),
            pool: Pool::new(),
            blocks: Vec::new(),
            running: JoinSet::new(),
            running_bytes: 0,
        }
    }

    /// Buffers for blocks.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    fn are_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Sends a block on its way; waits first while too much is there already.
    async fn start(&mut self, block: Bytes) -> Result<(), Failure> {
        while self.running.len() >= BLOCKS_IN_FLIGHT
            || (self.are_running() && self.running_bytes + block.len() > BYTES_IN_FLIGHT)
        {
            self.settle_one().await?;
        }
        let id = self.names.id(self.blocks.len());
        self.blocks.push(id);
        self.running_bytes += block.len();
        let target = self.target.clone();
        let mut upload = Box::pin(async move {
            let bytes = block.len();
            target.stage(id, block).await.map(|()| bytes)
        });
        // Begun here and not by its task: blocks then reach the store in the order of the blob,
        // and one that writes a file can write each where it belongs.
        match poll!(&mut upload) {
            Poll::Pending => self.running.spawn(upload),
            Poll::Ready(staged) => self.running.spawn(ready(staged)),
        };
        Ok(())
    }

    /// Waits until one more block has arrived.
    async fn settle_one(&mut self) -> Result<(), Failure> {
        let staged = match self.running.join_next().await {
            None => return Ok(()),
            Some(Err(_)) => return Err(failure::defect("an upload ended early")),
            Some(Ok(staged)) => staged.map_err(|error| failure::storage(&error))?,
        };
        self.running_bytes -= staged;
        self.progress.add_stored(staged);
        Ok(())
    }

    /// Waits until nothing is on its way any more, whatever became of it.
    pub(super) async fn drain(&mut self) {
        while self.running.join_next().await.is_some() {}
    }

    /// Names of the blocks in the order of the stream.
    pub(super) fn into_blocks(self) -> Vec<BlockId> {
        self.blocks
    }
}
