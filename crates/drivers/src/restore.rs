//! What every restore does: a client fills a new database, and of a failure nothing is left.

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

use crate::created::Created;
use crate::driver::RestorePlan;
use crate::process::ToolRestore;

/// Adapts a dump to the client that reads it.
pub(crate) trait Adapter: Send {
    /// Takes bytes of the dump and gives those that may go on, in pieces.
    fn pass(&mut self, bytes: Bytes) -> [Bytes; 2];

    /// What is still held back, at the end of the dump.
    fn rest(&mut self) -> Bytes;
}

/// A client at work on a database that was created for it.
pub(crate) struct Restore<A> {
    // Before `created`: the tool must be gone when its database is dropped.
    tool: ToolRestore,
    created: Created,
    adapter: A,
    is_rehearsal: bool,
}

impl<A: Adapter> Restore<A> {
    /// Goes on with a `tool` that was started on `created`.
    pub(crate) fn new(tool: ToolRestore, created: Created, adapter: A) -> Self {
        Self {
            tool,
            created,
            adapter,
            is_rehearsal: false,
        }
    }

    /// The same, and what becomes of the database as `plan` says.
    pub(crate) fn for_plan(mut self, plan: &RestorePlan) -> Self {
        self.is_rehearsal = plan.is_rehearsal;
        self
    }

    async fn end(&mut self) -> Result<(), Failure> {
        let rest = self.adapter.rest();
        self.tool.write(&rest).await?;
        self.tool.finish().await?;
        self.created.complete().await
    }
}

#[async_trait]
impl<A: Adapter> RestoreSink for Restore<A> {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        for piece in self.adapter.pass(bytes) {
            if !piece.is_empty() {
                self.tool.write(&piece).await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        let outcome = self.end().await;
        let Self {
            mut tool,
            created,
            is_rehearsal,
            ..
        } = *self;
        match outcome {
            Ok(()) if is_rehearsal => created.discard().await,
            Ok(()) => {
                created.keep();
                Ok(())
            }
            Err(failure) => {
                tool.abort().await;
                Err(created.drop_database(failure).await)
            }
        }
    }

    async fn abort(self: Box<Self>) {
        let Self {
            mut tool, created, ..
        } = *self;
        tool.abort().await;
        let cancelled = Failure::new(FailureKind::Cancelled, "the restore was stopped");
        let outcome = created.drop_database(cancelled).await;
        tracing::info!(outcome = %outcome.message, "restore aborted");
    }
}
