//! What the client crate is given in place of a connection: greetings are exchanged and everything is
//! encrypted already, so its own greeting goes no further, and is answered from memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::packet::{ANSWER, HEAD, message};

/// Most bytes that a server may say on one connection: the names of more databases than it can have.
const MOST: u64 = 64 * 1024 * 1024;

/// Both directions of a connection.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// The stream.
pub(super) struct Greeted {
    inner: Box<dyn Duplex>,
    /// The answer to the greeting, as far as it was not read yet.
    answer: Vec<u8>,
    /// The head of the greeting, while it is being written.
    head: Vec<u8>,
    /// Bytes of the greeting that are still to come; unknown before its head.
    greeting: Option<usize>,
    /// Bytes that the server may still say.
    room: u64,
}

impl Greeted {
    /// A stream whose next greeting is answered with `answer`.
    pub(super) fn new(inner: Box<dyn Duplex>, answer: &[u8]) -> Self {
        Self {
            inner,
            answer: message(ANSWER, answer),
            head: Vec::new(),
            greeting: None,
            room: MOST,
        }
    }

    /// Takes what belongs to the greeting off `bytes`; gives how many they were.
    fn swallow(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while self.greeting.is_none() && taken < bytes.len() {
            self.head.push(bytes[taken]);
            taken += 1;
            if let [_, _, high, low, ..] = self.head[..]
                && self.head.len() == HEAD
            {
                let length = usize::from(u16::from_be_bytes([high, low]));
                self.greeting = Some(length.saturating_sub(HEAD));
            }
        }
        if let Some(left) = &mut self.greeting {
            let count = (*left).min(bytes.len() - taken);
            *left -= count;
            taken += count;
        }
        taken
    }
}

impl AsyncRead for Greeted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.answer.is_empty() {
            let count = self.answer.len().min(buffer.remaining());
            let part: Vec<u8> = self.answer.drain(..count).collect();
            buffer.put_slice(&part);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(ctx, buffer))?;
        let count = (buffer.filled().len() - before) as u64;
        match self.room.checked_sub(count) {
            Some(room) => {
                self.room = room;
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its answer has no end",
            ))),
        }
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = self.swallow(bytes);
        if taken > 0 {
            return Poll::Ready(Ok(taken));
        }
        Pin::new(&mut self.inner).poll_write(ctx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(ctx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn a_greeting_is_answered_and_goes_no_further() {
        let (ours, mut theirs) = duplex(64);
        let mut greeted = Greeted::new(Box::new(ours), b"hello");
        let said = [&b"\x12\x01\x00\x0b\0\0\0\0who"[..], b"sign in"].concat();
        for byte in said {
            greeted.write_all(&[byte]).await.unwrap();
        }
        let mut seen = [0; 7];
        theirs.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"sign in");
        let mut answer = [0; HEAD + 5];
        greeted.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[..4], [ANSWER, 1, 0, 13]);
        assert_eq!(&answer[HEAD..], b"hello");
        theirs.write_all(b"welcome").await.unwrap();
        let mut read = [0; 7];
        greeted.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"welcome");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut() {
        let mut greeted = Greeted::new(Box::new(duplex(8).0), b"");
        greeted.room = 6;
        let (ours, mut theirs) = duplex(8);
        greeted.inner = Box::new(ours);
        theirs.write_all(b"1234567").await.unwrap();
        let error = greeted.read_exact(&mut [0; 7]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
