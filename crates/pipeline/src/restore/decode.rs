//! Takes the compression layer off, as a rule on a thread of its own.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use dilux_core::model::Compression;
use dilux_core::transfer::Failure;
use tokio::sync::mpsc;

use crate::codec::decoder;
use crate::failure;
use crate::pool::Pool;

/// How stored bytes become chunks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) compression: Compression,
    /// Plain bytes of a chunk; the last may be shorter.
    pub(super) chunk_bytes: usize,
    /// More plain bytes than this are refused.
    pub(super) limit: u64,
}

/// Decompresses `stored` on the calling thread, which must not be one of the runtime's. Ends early
/// without failure when nobody takes the chunks any more.
pub(super) fn decode(
    form: Form,
    stored: mpsc::Receiver<Bytes>,
    chunks: &mpsc::Sender<Bytes>,
) -> Result<(), Failure> {
    let stored = Pieces {
        waiting: stored,
        current: Bytes::new(),
    };
    let mut plain = Plain::new(form, stored)?;
    while let Some(chunk) = plain.next()? {
        if chunks.blocking_send(chunk).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The same without a thread, for simulations: holds everything at once.
pub(super) async fn decode_in_place(
    form: Form,
    mut stored: mpsc::Receiver<Bytes>,
    chunks: mpsc::Sender<Bytes>,
) -> Result<(), Failure> {
    let mut held = Vec::new();
    while let Some(piece) = stored.recv().await {
        held.extend_from_slice(&piece);
    }
    for chunk in decode_all(form, &held)? {
        if chunks.send(chunk).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn decode_all(form: Form, stored: &[u8]) -> Result<Vec<Bytes>, Failure> {
    let mut plain = Plain::new(form, stored)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = plain.next()? {
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// The plain bytes, chunk by chunk.
struct Plain<'a> {
    form: Form,
    decoder: Box<dyn Read + 'a>,
    pool: Arc<Pool>,
    made: u64,
    is_over: bool,
}

impl<'a> Plain<'a> {
    fn new(form: Form, stored: impl BufRead + 'a) -> Result<Self, Failure> {
        Ok(Self {
            form,
            decoder: decoder(form.compression, stored).map_err(|error| damaged(&error))?,
            pool: Pool::new(),
            made: 0,
            is_over: false,
        })
    }

    fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        let size = self.form.chunk_bytes;
        let mut buffer = self.pool.take(size);
        while buffer.len() < size {
            let room = size - buffer.len();
            let read = self.decoder.read(buffer.room(room));
            let read = read.map_err(|error| damaged(&error))?;
            if read == 0 {
                break;
            }
            buffer.advance(read);
            self.made += read as u64;
            if self.made > self.form.limit {
                return Err(failure::integrity(format!(
                    "the backup is damaged: it holds more than its {} plain bytes",
                    self.form.limit
                )));
            }
        }
        self.is_over = buffer.len() < size;
        Ok((buffer.len() > 0).then(|| buffer.freeze()))
    }
}

fn damaged(error: &io::Error) -> Failure {
    failure::integrity("the backup is damaged: it cannot be decompressed")
        .with_detail(error.to_string())
}

/// The stored bytes as they arrive.
struct Pieces {
    waiting: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.waiting.blocking_recv() {
                Some(piece) => self.current = piece,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, read: usize) {
        self.current.advance(read);
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(into.len());
        into[..read].copy_from_slice(&available[..read]);
        self.consume(read);
        Ok(read)
    }
}
