//! The reading end: fills chunks from the dump, hashes them and asks for the proof at the end.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use dilux_core::transfer::{DumpComplete, DumpSource, Failure};
use tokio::sync::mpsc;

use crate::digest::{Digest, Hashing};
use crate::pool::{Buffer, Pool};
use crate::{Progress, Tuning, failure};

/// Hands the dump on in chunks of one size (the last may be shorter). Takes the source out of
/// its place as soon as the stream has ended, to prove it.
pub(super) async fn read_chunks(
    source: &mut Option<Box<dyn DumpSource>>,
    chunks: mpsc::Sender<Bytes>,
    pool: &Arc<Pool>,
    tuning: Tuning,
    progress: &Progress,
) -> Result<(Digest, DumpComplete), Failure> {
    let hashing = Hashing::start(tuning.computing);
    let chunk_bytes = tuning.chunk_bytes;
    if let Some(source) = source.as_deref_mut() {
        let mut at_end = false;
        while !at_end {
            let mut buffer = pool.take(chunk_bytes.get());
            at_end = fill(source, &mut buffer, chunk_bytes, progress).await?;
            dilux_core::crash::point("mid-dump");
            if buffer.len() > 0 {
                let chunk = buffer.freeze();
                hashing.update(chunk.clone()).await?;
                chunks
                    .send(chunk)
                    .await
                    .map_err(|_| failure::defect("the compression ended"))?;
            }
        }
    }
    drop(chunks);
    let source = source
        .take()
        .ok_or_else(|| failure::defect("the dump was read twice"))?;
    let proof = source.finish().await?;
    Ok((hashing.finish().await?, proof))
}

/// Fills the buffer to `chunk_bytes`, or less at the end of the stream. Tells whether it is there.
async fn fill(
    source: &mut dyn DumpSource,
    buffer: &mut Buffer,
    chunk_bytes: NonZeroUsize,
    progress: &Progress,
) -> Result<bool, Failure> {
    while buffer.len() < chunk_bytes.get() {
        source.read(buffer.tail()).await?;
        let added = buffer.accept_tail();
        if added == 0 {
            return Ok(true);
        }
        progress.add_plain(added);
    }
    Ok(false)
}
