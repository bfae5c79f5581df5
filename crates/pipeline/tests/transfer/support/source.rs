//! A dump from memory that ends as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, BytesMut};
use dilux_core::model::ToolIdentity;
use dilux_core::transfer::{
    DumpComplete, DumpEvidence, DumpSource, Failure, FailureKind, ToolExit,
};

/// How a dump ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Properly.
    Complete,
    /// Its tool says success, but the trailer is missing.
    WithoutTrailer,
    /// Its tool writes everything and then exits with this code.
    ExitCode(i32),
    /// `read` fails at this offset.
    FailAt(usize),
    /// It is silent from this offset on.
    HangAt(usize),
    /// It counts a byte too many.
    Miscount,
}

pub(crate) struct ScriptedSource {
    bytes: Vec<u8>,
    position: usize,
    script: Script,
    was_aborted: Arc<AtomicBool>,
}

impl ScriptedSource {
    /// The source, and whether it was aborted.
    pub(crate) fn start(bytes: &[u8], script: Script) -> (Box<dyn DumpSource>, Arc<AtomicBool>) {
        let was_aborted = Arc::<AtomicBool>::default();
        let source = Self {
            bytes: bytes.to_vec(),
            position: 0,
            script,
            was_aborted: Arc::clone(&was_aborted),
        };
        (Box::new(source), was_aborted)
    }
}

#[async_trait]
impl DumpSource for ScriptedSource {
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<usize, Failure> {
        let end = match self.script {
            Script::FailAt(offset) if self.position >= offset => {
                return Err(Failure::new(FailureKind::Stalled, "the tool was silent"));
            }
            Script::HangAt(offset) if self.position >= offset => std::future::pending().await,
            Script::FailAt(offset) | Script::HangAt(offset) => offset.min(self.bytes.len()),
            _ => self.bytes.len(),
        };
        // Odd pieces, as a pipe gives them, with a pause as a pipe makes them.
        tokio::task::yield_now().await;
        let spare = buffer.capacity() - buffer.len();
        let length = spare.min(777).min(end - self.position);
        buffer.put_slice(&self.bytes[self.position..self.position + length]);
        self.position += length;
        Ok(length)
    }

    async fn finish(self: Box<Self>) -> Result<DumpComplete, Failure> {
        let exit = match self.script {
            Script::ExitCode(code) => code,
            _ => 0,
        };
        DumpComplete::prove(DumpEvidence {
            exit: Some(ToolExit::Code(exit)),
            reached_end: self.position == self.bytes.len(),
            has_trailer: self.script != Script::WithoutTrailer,
            plain_bytes: self.position as u64 + u64::from(self.script == Script::Miscount),
            tool: ToolIdentity {
                name: "pg_dump".to_owned(),
                path: "/usr/bin/pg_dump".to_owned(),
                version: "15.20".to_owned(),
            },
            duration: Duration::from_secs(1),
            warnings: String::new(),
        })
    }

    async fn abort(self: Box<Self>) {
        self.was_aborted.store(true, Ordering::SeqCst);
    }
}
