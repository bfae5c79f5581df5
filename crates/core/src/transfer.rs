//! Where drivers and the pipeline meet: a dump as a stream of bytes with a proof at its end, and a
//! restore as a sink with a verdict at its end.
//!
//! End of stream is not success. Whoever moves the bytes cannot make a backup of them without a
//! [`DumpComplete`], and only evidence that the dump finished builds one.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::ToolIdentity;

/// What kind of failure stopped a driver; decides whether a retry can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// User name or password refused.
    Authentication,
    /// The account may not do what a backup needs.
    Permission,
    /// The host name is unknown, or nothing listens there.
    Unreachable,
    /// The database does not exist.
    UnknownDatabase,
    /// The target of a restore exists already.
    TargetExists,
    /// No installed client tool can do it.
    ToolMissing,
    /// The server is newer than every installed client tool.
    ToolTooOld,
    /// The tool reported a failure or was killed.
    ToolFailed,
    /// The tool said success, but the dump has no proper end.
    Truncated,
    /// The peer was silent for too long.
    Stalled,
    /// The whole took longer than allowed.
    TimedOut,
    /// The stored bytes are not the ones that were written.
    Integrity,
    /// The store of the backups failed or is full.
    Storage,
    /// Somebody asked to stop.
    Cancelled,
    /// This worker lost its claim on the job to another.
    LeaseLost,
    /// The worker died while it ran the job.
    WorkerLost,
    /// It was never tried, for the reason given.
    Missed,
    /// The configuration cannot work as it is.
    Configuration,
    /// A defect of ours.
    Internal,
}

impl FailureKind {
    /// What to tell of such a failure where the words of servers and tools must not be shown: they
    /// may name accounts.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Authentication => "the server refused the user name or the password",
            Self::Permission => "the account may not do what is needed",
            Self::Unreachable => "the server could not be reached",
            Self::UnknownDatabase => "the database does not exist on its server",
            Self::TargetExists => "the target of the restore exists already",
            Self::ToolMissing => "no installed client tool can do it",
            Self::ToolTooOld => "the server is newer than every installed client tool",
            Self::ToolFailed => "the client tool reported a failure",
            Self::Truncated => "the dump has no proper end",
            Self::Stalled => "the server was silent for too long",
            Self::TimedOut => "it took longer than allowed",
            Self::Integrity => "the stored bytes are not the ones that were written",
            Self::Storage => "the store of the backups failed",
            Self::Cancelled => "somebody asked to stop",
            Self::LeaseLost => "the worker lost its claim on the job",
            Self::WorkerLost => "the worker died while it ran the job",
            Self::Missed => "it was never tried",
            Self::Configuration => "the configuration cannot work as it is",
            Self::Internal => "there is a defect in the service",
        }
    }

    /// Whether the same work may succeed later without anybody's help.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Unreachable
            | Self::ToolFailed
            | Self::Truncated
            | Self::Stalled
            | Self::TimedOut
            | Self::Storage
            | Self::LeaseLost
            | Self::WorkerLost => true,
            Self::Authentication
            | Self::Permission
            | Self::UnknownDatabase
            | Self::TargetExists
            | Self::ToolMissing
            | Self::ToolTooOld
            | Self::Integrity
            | Self::Cancelled
            | Self::Missed
            | Self::Configuration
            | Self::Internal => false,
        }
    }
}

/// Why a dump, restore or probe failed: one sentence that a person can act on, and a bounded,
/// redacted detail (the tail of the tool's own words).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct Failure {
    /// Kind.
    pub kind: FailureKind,
    /// The sentence.
    pub message: String,
    /// The tool's last words, at most 4 KiB, without secrets; empty when there are none.
    pub detail: String,
}

impl Failure {
    /// A failure without detail.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: String::new(),
        }
    }

    /// Adds the tool's last words, which must be redacted already; cut to 4 KiB.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        const LIMIT: usize = 4096;
        let detail = detail.into();
        let mut start = detail.len().saturating_sub(LIMIT);
        while !detail.is_char_boundary(start) {
            start += 1;
        }
        detail[start..].clone_into(&mut self.detail);
        self
    }
}

/// How a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolExit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// What was seen at the end of a dump. Each of these lies alone; together they do not
/// (research: a forced dump writes its trailer and exits 2; a killed one compresses well).
#[derive(Debug, Clone)]
pub struct DumpEvidence {
    /// How the tool ended; `None` for a driver that speaks the protocol itself and finished.
    pub exit: Option<ToolExit>,
    /// Whether the stream was read to its end.
    pub reached_end: bool,
    /// Whether the engine's own end mark stood at the end of the stream.
    pub has_trailer: bool,
    /// Bytes that came out.
    pub plain_bytes: u64,
    /// The tool that wrote them.
    pub tool: ToolIdentity,
    /// From start to exit.
    pub duration: Duration,
    /// Warnings of the tool, redacted, at most 4 KiB.
    pub warnings: String,
}

/// Proof that a dump is whole. Cannot be built but by [`DumpComplete::prove`].
#[derive(Debug, Clone)]
pub struct DumpComplete {
    evidence: DumpEvidence,
}

impl DumpComplete {
    /// Checks the conjunction: exit 0, end of stream, trailer, and at least one byte.
    pub fn prove(evidence: DumpEvidence) -> Result<Self, Failure> {
        let tool = &evidence.tool.name;
        match evidence.exit {
            Some(ToolExit::Signal(signal)) => {
                return Err(Failure::new(
                    FailureKind::ToolFailed,
                    format!("{tool} was killed by signal {signal} before it finished; if nobody did that, look for a memory limit"),
                )
                .with_detail(evidence.warnings));
            }
            Some(ToolExit::Code(code)) if code != 0 => {
                return Err(Failure::new(
                    FailureKind::ToolFailed,
                    format!("{tool} failed with exit code {code}"),
                )
                .with_detail(evidence.warnings));
            }
            Some(ToolExit::Code(_)) | None => {}
        }
        if !evidence.reached_end || !evidence.has_trailer || evidence.plain_bytes == 0 {
            return Err(Failure::new(
                FailureKind::Truncated,
                format!("{tool} said success, but its output has no proper end after {} bytes; nothing was kept", evidence.plain_bytes),
            )
            .with_detail(evidence.warnings));
        }
        Ok(Self { evidence })
    }

    /// What was seen.
    pub fn evidence(&self) -> &DumpEvidence {
        &self.evidence
    }
}

/// A running dump. Dropping it, also in the middle of `finish`, kills the tool without waiting.
#[async_trait]
pub trait DumpSource: Send {
    /// Reads more of the dump into the free tail of `buffer` (its spare capacity, never growing
    /// it). Gives the bytes added; 0 at the end of the stream, which is not yet success.
    async fn read(&mut self, buffer: &mut bytes::BytesMut) -> Result<usize, Failure>;

    /// Waits for the end and proves the dump, or says why it is not one. Only sensible after
    /// `read` gave 0.
    async fn finish(self: Box<Self>) -> Result<DumpComplete, Failure>;

    /// Stops the dump: kills the tool's process group and waits for it.
    async fn abort(self: Box<Self>);
}

/// A running restore. Dropping it, also in the middle of `finish`, kills the tool without waiting.
#[async_trait]
pub trait RestoreSink: Send {
    /// Feeds plain bytes. Fails as soon as the tool has died.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure>;

    /// Ends the input and waits for the tool's verdict.
    async fn finish(self: Box<Self>) -> Result<(), Failure>;

    /// Stops the restore without ending the input properly: kills and waits.
    async fn abort(self: Box<Self>);
}
