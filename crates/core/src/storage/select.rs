//! The stores that a service works with, and the one place that chooses the adapter.

use std::sync::Arc;

use super::{BlobStore, QueueStore, TableStore};
use crate::secret::SecretStore;

/// The four stores of an installation, limits enforced and retries in place.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Rows.
    pub tables: Arc<dyn TableStore>,
    /// Doorbells.
    pub queues: Arc<dyn QueueStore>,
    /// Backups.
    pub blobs: Arc<dyn BlobStore>,
    /// Passwords.
    pub secrets: Arc<dyn SecretStore>,
}
