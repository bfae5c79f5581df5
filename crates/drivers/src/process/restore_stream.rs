//! A restore that a tool reads from its standard input.

use bytes::BytesMut;
use dilux_core::transfer::{Failure, FailureKind, ToolExit};

use super::Deadlines;
use super::dump_stream::{Explain, ToolEnd};
use super::invocation::Invocation;
use super::running::Running;

/// A tool that takes a dump. It does not know about the database around it: the driver drops that
/// when this fails.
pub(crate) struct ToolRestore {
    running: Running,
    explain: Explain,
}

impl ToolRestore {
    /// Starts the tool.
    pub(crate) async fn start(
        invocation: Invocation,
        deadlines: Deadlines,
        explain: Explain,
    ) -> Result<Self, Failure> {
        Ok(Self {
            running: invocation.spawn(true, deadlines).await?,
            explain,
        })
    }

    /// Feeds bytes. When the tool has died, says why.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let silence = self.running.deadlines.restore_stall;
        match self.running.write(bytes, silence).await {
            Err(failure) if failure.kind == FailureKind::ToolFailed => {
                Err(self.verdict().await.err().unwrap_or(failure))
            }
            result => result,
        }
    }

    /// Ends the input and waits for the verdict.
    pub(crate) async fn finish(&mut self) -> Result<(), Failure> {
        self.running.close_input();
        self.verdict().await
    }

    /// Kills and waits.
    pub(crate) async fn abort(&mut self) {
        self.running.kill().await;
    }

    async fn verdict(&mut self) -> Result<(), Failure> {
        self.drain_output().await?;
        let exit = self.running.wait(self.running.deadlines.linger).await?;
        let name = &self.running.name;
        let raw_words = self.running.stderr.raw();
        let raw_words = String::from_utf8_lossy(&raw_words);
        let failure = match exit {
            ToolExit::Code(0) => return Ok(()),
            _ if let Some(failure) = (self.explain)(&ToolEnd {
                exit,
                raw_words: &raw_words,
            }) =>
            {
                self.running.redactor.failure(&failure)
            }
            ToolExit::Code(code) => Failure::new(
                FailureKind::ToolFailed,
                format!("{name} failed with exit code {code} while it restored"),
            ),
            ToolExit::Signal(signal) => Failure::new(
                FailureKind::ToolFailed,
                format!(
                    "{name} was killed by signal {signal} while it restored; if nobody did that, look for a memory limit"
                ),
            ),
        };
        Err(failure.with_detail(self.running.last_words()))
    }

    /// Waits for the end of the output, which a restoring tool keeps empty, while it works off
    /// what it was fed.
    async fn drain_output(&mut self) -> Result<(), Failure> {
        let mut buffer = BytesMut::with_capacity(16 * 1024);
        let silence = self.running.deadlines.restore_stall;
        while self.running.read(&mut buffer, silence).await? > 0 {
            buffer.clear();
        }
        Ok(())
    }
}
