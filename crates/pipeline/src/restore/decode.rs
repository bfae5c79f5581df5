//! Takes the compression layer off, on a thread of its own.

use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};
use dilux_core::model::Compression;
use dilux_core::transfer::Failure;
use tokio::sync::mpsc;

use crate::codec::decoder;
use crate::failure;
use crate::pool::Pool;

/// Decompresses `stored` into chunks of `chunk_bytes` (the last may be shorter) and refuses to
/// make more than `limit` bytes. Ends early without failure when nobody takes them any more.
pub(super) fn decode(
    compression: Compression,
    stored: mpsc::Receiver<Bytes>,
    chunks: &mpsc::Sender<Bytes>,
    chunk_bytes: usize,
    limit: u64,
) -> Result<(), Failure> {
    let pool = Pool::new();
    let stored = Pieces {
        waiting: stored,
        current: Bytes::new(),
    };
    let mut decoder = decoder(compression, stored).map_err(|error| damaged(&error))?;
    let mut made = 0;
    loop {
        let mut buffer = pool.take(chunk_bytes);
        while buffer.len() < chunk_bytes {
            let room = chunk_bytes - buffer.len();
            let read = decoder
                .read(buffer.room(room))
                .map_err(|error| damaged(&error))?;
            if read == 0 {
                break;
            }
            buffer.advance(read);
            made += read as u64;
            if made > limit {
                return Err(failure::integrity(format!(
                    "the backup is damaged: it holds more than its {limit} plain bytes"
                )));
            }
        }
        let is_last = buffer.len() < chunk_bytes;
        if buffer.len() > 0 && chunks.blocking_send(buffer.freeze()).is_err() {
            return Ok(());
        }
        if is_last {
            return Ok(());
        }
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
