//! A stream that puts what is written into packets, and takes what is read out of them: so TLS is
//! agreed on in TDS 7. Once it is, bytes pass as they are.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::packet::{HEAD, PRELOGIN, content_length, message};

/// Bytes that are read at once.
const PIECE: usize = 4096;

/// The stream.
#[derive(Debug)]
pub(super) struct Wrapping<S> {
    inner: S,
    is_over: bool,
    /// Written and not flushed yet.
    gathered: Vec<u8>,
    /// Packets on their way.
    leaving: Vec<u8>,
    left: usize,
    /// The head of the packet that is being read, and how much of it there is.
    head: [u8; HEAD],
    head_length: usize,
    /// Bytes of that packet that are still to come.
    coming: usize,
}

impl<S> Wrapping<S> {
    /// Packets over `inner`.
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            is_over: false,
            gathered: Vec::new(),
            leaving: Vec::new(),
            left: 0,
            head: [0; HEAD],
            head_length: 0,
            coming: 0,
        }
    }

    /// From now on bytes pass as they are.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }
}

impl<S: AsyncRead + Unpin> Wrapping<S> {
    /// Reads at most `most` bytes; none at the end of the stream.
    fn poll_piece(
        &mut self,
        ctx: &mut Context<'_>,
        (piece, most): (&mut [u8; PIECE], usize),
    ) -> Poll<io::Result<usize>> {
        let mut part = ReadBuf::new(&mut piece[..most.min(PIECE)]);
        ready!(Pin::new(&mut self.inner).poll_read(ctx, &mut part))?;
        Poll::Ready(Ok(part.filled().len()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wrapping<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over {
            return Pin::new(&mut self.inner).poll_read(ctx, buffer);
        }
        let mut piece = [0; PIECE];
        while self.coming == 0 {
            let wanted = HEAD - self.head_length;
            let count = ready!(self.poll_piece(ctx, (&mut piece, wanted)))?;
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            let start = self.head_length;
            self.head[start..start + count].copy_from_slice(&piece[..count]);
            self.head_length += count;
            if self.head_length == HEAD {
                self.head_length = 0;
                self.coming = content_length(self.head)?;
            }
        }
        let wanted = self.coming.min(buffer.remaining());
        let count = ready!(self.poll_piece(ctx, (&mut piece, wanted)))?;
        self.coming -= count;
        buffer.put_slice(&piece[..count]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wrapping<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_over {
            return Pin::new(&mut self.inner).poll_write(ctx, bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            while this.left < this.leaving.len() {
                let rest = &this.leaving[this.left..];
                let count = ready!(Pin::new(&mut this.inner).poll_write(ctx, rest))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                this.left += count;
            }
            if this.gathered.is_empty() {
                return Pin::new(&mut this.inner).poll_flush(ctx);
            }
            this.leaving = message(PRELOGIN, &std::mem::take(&mut this.gathered));
            this.left = 0;
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(ctx))?;
        Pin::new(&mut self.inner).poll_shutdown(ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn flights_are_packets_until_the_end_is_said() {
        let (ours, mut theirs) = duplex(64);
        let mut wrapping = Wrapping::new(ours);
        wrapping.write_all(b"hel").await.unwrap();
        wrapping.write_all(b"lo").await.unwrap();
        wrapping.flush().await.unwrap();
        let mut seen = [0; HEAD + 5];
        theirs.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, *b"\x12\x01\x00\x0d\0\0\0\0hello");
        // Two packets, one of them empty, in odd pieces.
        let answer = [&message(PRELOGIN, b"who "), &b"\x12\x01\0\x08\0\0\0\0"[..]].concat();
        let answer = [answer, message(4, b"are you")].concat();
        for piece in answer.chunks(3) {
            theirs.write_all(piece).await.unwrap();
        }
        let mut read = [0; 11];
        wrapping.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"who are you");
        wrapping.end();
        theirs.write_all(b"plain").await.unwrap();
        let mut read = [0; 5];
        wrapping.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"plain");
        wrapping.write_all(b"too").await.unwrap();
        let mut seen = [0; 3];
        theirs.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"too");
    }
}
