//! The secret port with retries.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Retry, RetryPolicy};
use crate::random::SharedRandom;
use crate::secret::{SecretName, SecretStore, SecretValue};
use crate::storage::StorageResult;

/// A secret store that tries transient failures again.
#[derive(Debug, Clone)]
pub struct RetryingSecretStore {
    inner: Arc<dyn SecretStore>,
    retry: Retry,
}

impl RetryingSecretStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn SecretStore>, policy: RetryPolicy, random: SharedRandom) -> Self {
        Self {
            inner,
            retry: Retry { policy, random },
        }
    }
}

#[async_trait]
impl SecretStore for RetryingSecretStore {
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()> {
        self.retry
            .run("set secret", 0, || self.inner.set(name, value))
            .await
    }

    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>> {
        self.retry
            .run("get secret", 0, || self.inner.get(name))
            .await
    }

    async fn delete(&self, name: &SecretName) -> StorageResult<()> {
        self.retry
            .run("delete secret", 0, || self.inner.delete(name))
            .await
    }

    async fn list(&self) -> StorageResult<Vec<SecretName>> {
        self.retry
            .run("list secrets", 0, || self.inner.list())
            .await
    }
}
