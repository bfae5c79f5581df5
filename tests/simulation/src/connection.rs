//! The stores as one process sees them over the network.

mod blobs;
mod queues;
mod secrets;
mod tables;

use std::sync::Arc;

use dilux_core::storage::StorageResult;

use crate::memory::Memory;
use crate::network::{Network, Request, Store};
use crate::process::Process;

/// A process's way to the stores.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    network: Arc<Network>,
    process: Arc<Process>,
}

/// What a request does to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// It reads.
    Read,
    /// It looks whether there is something to do.
    Poll,
    /// It writes.
    Write,
}

impl Connection {
    /// The way of `process` over `network`.
    pub(crate) fn new(network: Arc<Network>, process: Arc<Process>) -> Self {
        Self { network, process }
    }

    async fn carry<T, F>(
        &self,
        store: Store,
        (nature, operation): (Nature, &'static str),
        subject: String,
        effect: F,
    ) -> StorageResult<T>
    where
        T: Send + 'static,
        F: Fn(&Memory) -> StorageResult<T> + Send + Sync + 'static,
    {
        let request = Request {
            store,
            operation,
            subject,
            is_write: nature != Nature::Read,
            is_poll: nature == Nature::Poll,
        };
        self.network.carry(&self.process, request, effect).await
    }
}
