//! From a stored blob into a running restore: the hashes decide before the sink may finish.

mod decode;
mod fetch;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::model::StoredData;
use dilux_core::transfer::{Failure, RestoreSink};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::digest::{Digest, Hashing};
use crate::{Computing, Control, Pipeline, Progress, failure};
use decode::{Form, decode, decode_in_place};
use fetch::Origin;

/// Pieces that wait between two steps.
const STORED_WAITING: usize = 1;
const PLAIN_WAITING: usize = 2;

impl Pipeline {
    /// Feeds a backup's data to `sink`. Both lengths and both hashes must be those of the manifest
    /// before the sink may finish; anything else aborts it and is an `Integrity` failure.
    pub async fn restore(
        &self,
        data: &StoredData,
        mut sink: Box<dyn RestoreSink>,
        control: &Control,
    ) -> Result<(), Failure> {
        let fed = tokio::select! {
            biased;
            () = control.cancel.cancelled() => Err(failure::cancelled()),
            fed = self.feed(data, sink.as_mut(), &control.progress) => fed,
        };
        if let Err(failure) = fed {
            sink.abort().await;
            return Err(failure);
        }
        tokio::select! {
            biased;
            finished = sink.finish() => finished,
            // The last statements may take hours; dropping the sink kills its tool.
            () = control.cancel.cancelled() => Err(failure::cancelled()),
        }
    }

    /// Reads a backup's data to its end and compares lengths and hashes, as a restore would, but
    /// restores nothing.
    pub async fn verify(&self, data: &StoredData, control: &Control) -> Result<(), Failure> {
        self.restore(data, Box::new(Nowhere), control).await
    }

    async fn feed(
        &self,
        data: &StoredData,
        sink: &mut dyn RestoreSink,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let origin = Origin::find(&self.blobs, data).await?;
        let computing = self.tuning.computing;
        let stored_hashing = Hashing::start(computing);
        let (stored_pieces, stored_waiting) = mpsc::channel(STORED_WAITING);
        let (plain_chunks, plain_waiting) = mpsc::channel(PLAIN_WAITING);
        let form = Form {
            compression: data.compression,
            chunk_bytes: self.tuning.chunk_bytes.get(),
            limit: data.plain_bytes,
        };
        let fetch = origin.fetch(stored_pieces, &stored_hashing, progress);
        let write = write(plain_waiting, sink, progress, computing);
        let decoded = async {
            match computing {
                Computing::InPlace => decode_in_place(form, stored_waiting, plain_chunks).await,
                Computing::OnThreads => {
                    let decoding =
                        spawn_blocking(move || decode(form, stored_waiting, &plain_chunks));
                    decoding
                        .await
                        .map_err(|_| failure::defect("the decompression thread ended early"))?
                }
            }
        };
        let ((), plain, ()) = tokio::try_join!(fetch, write, decoded)?;
        let stored = stored_hashing.finish().await?;
        compare("stored", &stored, data.stored_bytes, &data.stored_sha256)?;
        compare("plain", &plain, data.plain_bytes, &data.plain_sha256)
    }
}

/// Writes all chunks into the sink. Gives the digest of what was written.
async fn write(
    mut chunks: mpsc::Receiver<Bytes>,
    sink: &mut dyn RestoreSink,
    progress: &Progress,
    computing: Computing,
) -> Result<Digest, Failure> {
    let hashing = Hashing::start(computing);
    while let Some(chunk) = chunks.recv().await {
        let bytes = chunk.len();
        hashing.update(chunk.clone()).await?;
        sink.write(chunk).await?;
        progress.add_plain(bytes);
    }
    hashing.finish().await
}

fn compare(what: &str, found: &Digest, bytes: u64, sha256: &str) -> Result<(), Failure> {
    if found.bytes != bytes {
        return Err(failure::integrity(format!(
            "the backup is damaged: it has {} {what} bytes instead of {bytes}",
            found.bytes
        )));
    }
    if !found.sha256.eq_ignore_ascii_case(sha256) {
        return Err(failure::integrity(format!(
            "the backup is damaged: the SHA-256 of its {what} bytes is {} instead of {sha256}",
            found.sha256
        )));
    }
    Ok(())
}

/// Takes everything and keeps nothing.
struct Nowhere;

#[async_trait]
impl RestoreSink for Nowhere {
    async fn write(&mut self, _bytes: Bytes) -> Result<(), Failure> {
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }

    async fn abort(self: Box<Self>) {}
}
