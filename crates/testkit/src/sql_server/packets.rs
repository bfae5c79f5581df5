//! Packets of TDS, and the handshake of TLS in them.

use std::io::{self, Read, Write};

const HEAD: usize = 8;

/// A message: the contents of its packets.
pub(super) struct Packets {
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

/// One packet: its type, whether it is the last of a message, its content.
fn receive_one(stream: &mut impl Read) -> io::Result<(u8, bool, Vec<u8>)> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let [kind, status, high, low, ..] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let length = length
        .checked_sub(HEAD)
        .ok_or_else(|| io::Error::other("a packet is too short"))?;
    let mut content = vec![0; length];
    stream.read_exact(&mut content)?;
    Ok((kind, status & 1 == 1, content))
}

pub(super) fn receive(stream: &mut impl Read) -> io::Result<Packets> {
    let mut whole = Vec::new();
    loop {
        let (kind, is_last, content) = receive_one(stream)?;
        whole.extend_from_slice(&content);
        if is_last {
            let content = whole;
            return Ok(Packets { kind, content });
        }
    }
}

pub(super) fn send(stream: &mut impl Write, kind: u8, content: &[u8]) -> io::Result<()> {
    let mut parts = content.chunks(4096 - HEAD).peekable();
    while let Some(part) = parts.next() {
        let length = u16::try_from(HEAD + part.len()).map_err(io::Error::other)?;
        let [high, low] = length.to_be_bytes();
        let status = u8::from(parts.peek().is_none());
        let head = [kind, status, high, low, 0, 51, 1, 0];
        stream.write_all(&[&head[..], part].concat())?;
    }
    stream.flush()
}

/// A stream in packets of greetings, until its end is said.
pub(super) struct Wrapping<S> {
    inner: S,
    is_over: bool,
    read: Vec<u8>,
    written: Vec<u8>,
}

impl<S: Read + Write> Wrapping<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            is_over: false,
            read: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The same as a plain stream.
    pub(super) fn end(mut self) -> io::Result<Self> {
        self.flush()?;
        if !self.read.is_empty() {
            return Err(io::Error::other("packets go on after the handshake"));
        }
        self.is_over = true;
        Ok(self)
    }
}

impl<S: Read + Write> Read for Wrapping<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_over {
            return self.inner.read(buffer);
        }
        self.flush()?;
        if self.read.is_empty() {
            let (kind, _, content) = receive_one(&mut self.inner)?;
            if kind != super::GREETING {
                return Err(io::Error::other("the handshake is in other packets"));
            }
            self.read = content;
        }
        let count = self.read.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.read[..count]);
        self.read.drain(..count);
        Ok(count)
    }
}

impl<S: Read + Write> Write for Wrapping<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_over {
            return self.inner.write(bytes);
        }
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.written.is_empty() {
            let written = std::mem::take(&mut self.written);
            send(&mut self.inner, super::GREETING, &written)?;
        }
        self.inner.flush()
    }
}
