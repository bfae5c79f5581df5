//! Dumps to measure with: standard input, or text made up here.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, BytesMut};
use dilux_core::model::ToolIdentity;
use dilux_core::transfer::{DumpComplete, DumpEvidence, DumpSource, Failure, FailureKind};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// What comes through the pipe on standard input.
pub(crate) struct StandardInput {
    pipe: pipe::Receiver,
    read: u64,
}

impl StandardInput {
    pub(crate) fn open() -> io::Result<Self> {
        let pipe = pipe::OpenOptions::new().open_receiver("/dev/stdin")?;
        Ok(Self { pipe, read: 0 })
    }
}

#[async_trait]
impl DumpSource for StandardInput {
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<usize, Failure> {
        let room = buffer.capacity() - buffer.len();
        let read = self
            .pipe
            .read_buf(&mut buffer.limit(room))
            .await
            .map_err(failed)?;
        self.read += read as u64;
        Ok(read)
    }

    async fn finish(self: Box<Self>) -> Result<DumpComplete, Failure> {
        proof(self.read)
    }

    async fn abort(self: Box<Self>) {}
}

/// SQL-like text: wide text, JSON, numbers, Unicode. It repeats after 8 MiB, farther than any
/// codec here looks back.
pub(crate) struct Synthetic {
    text: Vec<u8>,
    position: u64,
    length: u64,
}

impl Synthetic {
    pub(crate) fn new(length: u64) -> Self {
        Self {
            text: text(8 << 20),
            position: 0,
            length,
        }
    }
}

#[async_trait]
impl DumpSource for Synthetic {
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<usize, Failure> {
        /// As a pipe gives it.
        const PIECE: u64 = 64 << 10;
        let offset = self.position % self.text.len() as u64;
        let room = (buffer.capacity() - buffer.len()) as u64;
        let left = (self.length - self.position).min(self.text.len() as u64 - offset);
        let piece = PIECE.min(room).min(left);
        let range = usize::try_from(offset).map_err(failed)?
            ..usize::try_from(offset + piece).map_err(failed)?;
        buffer.put_slice(&self.text[range]);
        self.position += piece;
        tokio::task::consume_budget().await;
        usize::try_from(piece).map_err(failed)
    }

    async fn finish(self: Box<Self>) -> Result<DumpComplete, Failure> {
        proof(self.position)
    }

    async fn abort(self: Box<Self>) {}
}

pub(crate) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Internal, error.to_string())
}

fn proof(plain_bytes: u64) -> Result<DumpComplete, Failure> {
    DumpComplete::prove(DumpEvidence {
        exit: None,
        reached_end: true,
        has_trailer: true,
        plain_bytes,
        tool: ToolIdentity {
            name: "throughput".to_owned(),
            path: String::new(),
            version: String::new(),
        },
        duration: Duration::ZERO,
        warnings: String::new(),
    })
}

fn text(length: usize) -> Vec<u8> {
    const SYLLABLES: [&str; 24] = [
        "ba", "con", "de", "ter", "mi", "na", "tion", "lo", "ver", "pro", "ti", "ma", "ra", "se",
        "in", "al", "er", "on", "för", "été", "при", "вет", "λό", "größ",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
    let syllable = |random: &mut dyn FnMut(u64) -> u64| {
        SYLLABLES[usize::try_from(random(24)).unwrap_or_default()]
    };
    let words: Vec<String> = (0..20_000)
        .map(|_| (0..=random(3)).map(|_| syllable(&mut random)).collect())
        .collect();
    let mut text = String::with_capacity(length + 4096);
    let mut id = 0;
    while text.len() < length {
        id += 1;
        write!(
            text,
            "{id}\t20{:02}-{:02}-{:02}\t{}.{:02}\t",
            random(26),
            1 + random(12),
            1 + random(28),
            random(100_000),
            random(100)
        )
        .ok();
        for _ in 0..40 + random(80) {
            // Few words are frequent, as in speech.
            let rank = random(20_000) * random(20_000) / 20_000;
            text.push_str(&words[usize::try_from(rank).unwrap_or_default()]);
            text.push(' ');
        }
        writeln!(
            text,
            "\t{{\"id\": {id}, \"token\": \"{:x}\", \"price\": {}.{:02}, \"active\": true}}",
            random(u64::MAX),
            random(1000),
            random(100)
        )
        .ok();
    }
    let mut text = text.into_bytes();
    text.truncate(length);
    text
}
