//! Moves the bytes of a dump without a pipeline.

use bytes::{Bytes, BytesMut};
use dilux_core::transfer::{DumpComplete, DumpSource, Failure, RestoreSink};

const CHUNK: usize = 256 * 1024;

/// Reads a dump to its end and proves it.
pub async fn collect(mut source: Box<dyn DumpSource>) -> Result<(Bytes, DumpComplete), Failure> {
    let mut all = BytesMut::new();
    loop {
        all.reserve(CHUNK);
        if source.read(&mut all).await? == 0 {
            break;
        }
    }
    let complete = source.finish().await?;
    Ok((all.freeze(), complete))
}

/// Feeds a whole dump to a restore, in pieces of an odd size, and asks for the verdict.
pub async fn feed(mut sink: Box<dyn RestoreSink>, dump: Bytes) -> Result<(), Failure> {
    let mut rest = dump;
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(99_991));
        if let Err(failure) = sink.write(piece).await {
            sink.abort().await;
            return Err(failure);
        }
    }
    sink.finish().await
}
