//! A dump that a tool writes to its standard output.

use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use dilux_core::model::ToolIdentity;
use dilux_core::transfer::{DumpComplete, DumpEvidence, DumpSource, Failure, ToolExit};

use super::Deadlines;
use super::invocation::Invocation;
use super::running::Running;

/// Bytes of the end of the stream that are kept to look for the trailer.
const TAIL: usize = 1024;
/// Bytes of warnings that go into the evidence.
const WARNINGS: usize = 4096;

/// A read that brings less has emptied the pipe: we are faster than the tool.
const SHORT_READ: usize = 64 * 1024;
/// How long the tool then gets to fill the pipe. It writes in pieces of some KiB, and to be woken
/// for each costs more than all else that reading does. Below what it needs to fill a large pipe.
const BREATH: Duration = Duration::from_millis(1);
/// A pipe that holds this much is not full within a breath.
const LARGE_PIPE: usize = 1024 * 1024;

/// How a tool ended, for a driver to explain.
pub(crate) struct ToolEnd<'a> {
    pub(crate) exit: ToolExit,
    /// Last words, raw: for recognising, never for showing.
    pub(crate) raw_words: &'a str,
}

/// Turns a tool's end into a failure with a sentence a person can act on; `None` when the words
/// say nothing special.
pub(crate) type Explain = Box<dyn Fn(&ToolEnd<'_>) -> Option<Failure> + Send + Sync>;

/// What a driver knows about the dumps of its tool.
pub(crate) struct ToolDump {
    running: Running,
    tool: ToolIdentity,
    has_trailer: fn(tail: &[u8]) -> bool,
    explain: Explain,
    tail: Vec<u8>,
    reached_end: bool,
    has_large_pipe: bool,
    is_ahead: bool,
}

impl ToolDump {
    /// Starts the tool.
    pub(crate) async fn start(
        invocation: Invocation,
        tool: ToolIdentity,
        deadlines: Deadlines,
        (has_trailer, explain): (fn(&[u8]) -> bool, Explain),
    ) -> Result<Self, Failure> {
        let running = invocation.spawn(false, deadlines).await?;
        let tail = Vec::with_capacity(2 * TAIL);
        Ok(Self {
            has_large_pipe: running.output_capacity() >= LARGE_PIPE,
            running,
            tool,
            has_trailer,
            explain,
            tail,
            reached_end: false,
            is_ahead: false,
        })
    }

    fn remember(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL)..];
        let excess = (self.tail.len() + bytes.len()).saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.tail.extend_from_slice(bytes);
    }
}

#[async_trait]
impl DumpSource for ToolDump {
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<usize, Failure> {
        if self.is_ahead && self.has_large_pipe {
            tokio::time::sleep(BREATH).await;
        }
        let before = buffer.len();
        let room = buffer.capacity() - before;
        let deadlines = self.running.deadlines;
        let silence = if self.running.bytes_out() == 0 {
            deadlines.first_byte
        } else {
            deadlines.stall
        };
        let count = self.running.read(buffer, silence).await?;
        if count == 0 {
            self.reached_end = true;
        } else {
            self.is_ahead = count < room.min(SHORT_READ);
            self.remember(&buffer[before..]);
        }
        Ok(count)
    }

    async fn finish(mut self: Box<Self>) -> Result<DumpComplete, Failure> {
        let exit = self.running.wait(self.running.deadlines.linger).await?;
        let words = self.running.last_words();
        let raw_words = self.running.stderr.raw();
        let raw_words = String::from_utf8_lossy(&raw_words);
        if exit != ToolExit::Code(0)
            && let Some(failure) = (self.explain)(&ToolEnd {
                exit,
                raw_words: &raw_words,
            })
        {
            return Err(self.running.redactor.failure(&failure).with_detail(words));
        }
        DumpComplete::prove(DumpEvidence {
            exit: Some(exit),
            reached_end: self.reached_end,
            has_trailer: (self.has_trailer)(&self.tail),
            plain_bytes: self.running.bytes_out(),
            tool: self.tool.clone(),
            duration: self.running.started.elapsed(),
            warnings: last_bytes(words, WARNINGS),
        })
    }

    async fn abort(mut self: Box<Self>) {
        self.running.kill().await;
    }
}

/// The last `limit` bytes, whole characters only.
fn last_bytes(text: String, limit: usize) -> String {
    let mut start = text.len().saturating_sub(limit);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    if start == 0 {
        text
    } else {
        text[start..].to_owned()
    }
}
