//! The Azure adapter: the storage ports on Azure Table, Queue and Blob storage.
//!
//! It never retries: that is the business of the decorators in `storage::retry`.

mod blob;
mod checksum;
mod config;
mod connection_string;
mod credential;
mod failure;
mod percent;
mod queue;
mod sas;
mod shared_key;
mod table;
mod transport;

use std::sync::Arc;

use azure_core::http::HttpClient;

use self::credential::Signer;
use super::{BlobStore, QueueStore, StorageResult, TableStore};
use crate::clock::SharedClock;

pub use blob::AzureBlobStore;
pub use config::{AzureAuth, AzureConfig, AzureEndpoints, AzureTimeouts};
pub use queue::AzureQueueStore;
pub use table::AzureTableStore;

pub(crate) use credential::{client_options, token_credential};
pub(crate) use failure::{Failure, chain, first_line, retry_after};
pub(crate) use transport::connect as http_transport;

/// The three stores of an account.
#[derive(Debug, Clone)]
pub struct AzureStorage {
    /// Rows.
    pub tables: Arc<dyn TableStore>,
    /// Messages.
    pub queues: Arc<dyn QueueStore>,
    /// Blobs.
    pub blobs: Arc<dyn BlobStore>,
}

impl AzureStorage {
    /// Prepares an account's stores. Sends nothing; fails for settings that cannot work. The clock
    /// dates signatures and download links.
    pub fn connect(config: &AzureConfig, clock: &SharedClock) -> StorageResult<Self> {
        Self::connect_over(config, clock, &transport::connect(config.timeouts)?)
    }

    /// Like `connect`, over a transport of the caller's, such as one that injects faults.
    pub fn connect_over(
        config: &AzureConfig,
        clock: &SharedClock,
        transport: &Arc<dyn HttpClient>,
    ) -> StorageResult<Self> {
        let signer = Signer::new(&config.auth, transport)?;
        let endpoints = &config.endpoints;
        let table = AzureTableStore::new(endpoints.table().clone(), &signer, transport, clock)?;
        let queue = AzureQueueStore::new(endpoints.queue().clone(), &signer, transport, clock)?;
        let blob = AzureBlobStore::new(endpoints.blob().clone(), &signer, transport, clock)?;
        Ok(Self {
            tables: Arc::new(table),
            queues: Arc::new(queue),
            blobs: Arc::new(blob),
        })
    }
}
