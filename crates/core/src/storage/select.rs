//! The stores that a service works with, and the one place that chooses the adapter.

use std::path::Path;
use std::sync::Arc;

use super::azure::{AzureAuth, AzureConfig, AzureEndpoints, AzureStorage};
use super::embedded::EmbeddedStore;
use super::{
    BlobStore, LimitedBlobStore, LimitedQueueStore, LimitedTableStore, QueueStore, RetryPolicy,
    RetryingBlobStore, RetryingQueueStore, RetryingSecretStore, RetryingTableStore, StorageResult,
    TableStore,
};
use crate::clock::SharedClock;
use crate::config::{SecretSetting, Settings, StorageSetting};
use crate::random::SharedRandom;
use crate::secret::SecretStore;
use crate::secret::key_vault::KeyVaultStore;

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
    /// The embedded store behind rows, doorbells and backups, where it is one: it has to be swept.
    pub embedded: Option<EmbeddedStore>,
}

/// How patient a service is with its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A person waits: a dead store is reported within ten seconds.
    Interactive,
    /// Work waits: an outage of two minutes is sat out.
    Worker,
}

impl Profile {
    /// How long calls are tried.
    pub(crate) fn policy(self) -> RetryPolicy {
        match self {
            Self::Interactive => RetryPolicy::interactive(),
            Self::Worker => RetryPolicy::worker(),
        }
    }
}

/// The adapters before anything is put around them.
struct Bare {
    tables: Arc<dyn TableStore>,
    queues: Arc<dyn QueueStore>,
    blobs: Arc<dyn BlobStore>,
    embedded: Option<EmbeddedStore>,
}

/// Opens the stores that the settings name.
pub fn open(
    settings: &Settings,
    profile: Profile,
    clock: &SharedClock,
    random: &SharedRandom,
) -> StorageResult<Storage> {
    let embedded = |directory: &Path| {
        EmbeddedStore::open(directory, clock.clone(), random.clone()).map(Arc::new)
    };
    let azure = |config: &AzureConfig| {
        let AzureStorage {
            tables,
            queues,
            blobs,
        } = AzureStorage::connect(config, clock)?;
        Ok(Bare {
            tables,
            queues,
            blobs,
            embedded: None,
        })
    };
    let bare = match &settings.storage {
        StorageSetting::Embedded { directory } => {
            let store = embedded(directory)?;
            Bare {
                tables: store.clone(),
                queues: store.clone(),
                blobs: store.clone(),
                embedded: Some(EmbeddedStore::clone(&store)),
            }
        }
        StorageSetting::ConnectionString(text) => {
            azure(&AzureConfig::from_connection_string(text)?)?
        }
        StorageSetting::Identity {
            blob_endpoint,
            queue_endpoint,
            table_endpoint,
            identity,
        } => {
            let endpoints = AzureEndpoints::new(blob_endpoint, queue_endpoint, table_endpoint)?;
            azure(&AzureConfig::new(
                endpoints,
                AzureAuth::Identity(identity.clone()),
            ))?
        }
    };
    let secrets: Arc<dyn SecretStore> = match &settings.secrets {
        SecretSetting::Embedded { directory } => embedded(directory)?,
        SecretSetting::KeyVault { url, identity } => {
            Arc::new(KeyVaultStore::connect(url, identity)?)
        }
    };
    Ok(wrap(bare, secrets, profile.policy(), random))
}

/// Limits outside, so that a call that can never succeed is not tried at all; retries inside.
fn wrap(
    bare: Bare,
    secrets: Arc<dyn SecretStore>,
    policy: RetryPolicy,
    random: &SharedRandom,
) -> Storage {
    let Bare {
        tables,
        queues,
        blobs,
        embedded,
    } = bare;
    let tables = RetryingTableStore::new(tables, policy, random.clone());
    let queues = RetryingQueueStore::new(queues, policy, random.clone());
    let blobs = RetryingBlobStore::new(blobs, policy, random.clone());
    Storage {
        tables: Arc::new(LimitedTableStore::new(Arc::new(tables))),
        queues: Arc::new(LimitedQueueStore::new(Arc::new(queues))),
        blobs: Arc::new(LimitedBlobStore::new(Arc::new(blobs))),
        secrets: Arc::new(RetryingSecretStore::new(secrets, policy, random.clone())),
        embedded,
    }
}
