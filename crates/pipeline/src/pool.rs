//! Buffers that are used again, so that memory stays flat however long a stream is.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

/// Buffers of one kind. How many live at a time is bounded by those who take them.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<BytesMut>,
    made: usize,
}

impl Pool {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// An empty buffer that takes `capacity` bytes without growing.
    pub(crate) fn take(self: &Arc<Self>, capacity: usize) -> Buffer {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Smaller ones are let go: blocks grow and do not shrink again.
        let recycled = state
            .free
            .pop()
            .filter(|bytes| bytes.capacity() >= capacity);
        if recycled.is_none() {
            state.made += 1;
        }
        drop(state);
        Buffer {
            bytes: recycled.unwrap_or_else(|| BytesMut::with_capacity(capacity)),
            filled: 0,
            home: Arc::clone(self),
        }
    }

    /// How many buffers were made: as many as were ever in use at one time.
    pub(crate) fn made(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .made
    }
}

/// A buffer that goes back to its pool when it, or the last [`Bytes`] made of it, is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// Everything up to its length is initialised; only the first `filled` bytes count.
    bytes: BytesMut,
    filled: usize,
    home: Arc<Pool>,
}

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.filled
    }

    /// `length` bytes after the filled ones, to be written over and then counted by
    /// [`Self::advance`].
    pub(crate) fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.filled + length;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.filled..end]
    }

    pub(crate) fn advance(&mut self, written: usize) {
        self.filled = (self.filled + written).min(self.bytes.len());
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.filled);
        self.bytes.extend_from_slice(bytes);
        self.filled = self.bytes.len();
    }

    /// The buffer with the filled bytes as its content, for a writer that appends to it; what was
    /// added is counted by [`Self::accept_tail`].
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        self.bytes.truncate(self.filled);
        &mut self.bytes
    }

    /// Counts what was appended and tells how much that is.
    pub(crate) fn accept_tail(&mut self) -> usize {
        let added = self.bytes.len() - self.filled;
        self.filled = self.bytes.len();
        added
    }

    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut state = self
            .home
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.free.push(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_the_last_piece_of_it_is_gone() {
        let pool = Pool::new();
        let mut buffer = pool.take(8);
        buffer.append(b"abcdefgh");
        let piece = buffer.freeze();
        let part = piece.slice(2..4);
        drop(piece);
        assert_eq!(pool.take(8).freeze().len(), 0);
        assert_eq!(pool.made(), 2, "a piece of the first is still held");
        drop(part);
        let (_one, _other) = (pool.take(8), pool.take(8));
        assert_eq!(pool.made(), 2);
    }

    #[test]
    fn a_buffer_shows_nothing_of_its_former_content() {
        let pool = Pool::new();
        let mut buffer = pool.take(8);
        buffer.append(b"abcdefgh");
        drop(buffer);
        let mut buffer = pool.take(8);
        buffer.room(3).copy_from_slice(b"xyz");
        buffer.advance(2);
        assert_eq!(buffer.as_ref(), b"xy");
        buffer.tail().extend_from_slice(b"!");
        assert_eq!(buffer.accept_tail(), 1);
        buffer.append(b"?");
        assert_eq!(&buffer.freeze()[..], b"xy!?");
    }

    #[test]
    fn a_larger_buffer_takes_the_place_of_a_smaller_one() {
        let pool = Pool::new();
        drop(pool.take(8));
        assert!(pool.take(64).tail().capacity() >= 64);
        assert_eq!(pool.made(), 2);
    }
}
