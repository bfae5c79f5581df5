//! Secrets: a value type that cannot be printed, and the port to where they are kept.

pub mod key_vault;

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use crate::storage::{StorageError, StorageErrorKind, StorageResult};

/// Name of a secret: 1–127 letters, digits and hyphens (Key Vault's rule).
/// Made by us only, never taken from a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// Parses a secret name.
    pub fn new(name: impl Into<String>) -> StorageResult<Self> {
        let name = name.into();
        let is_valid = (1..=127).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if is_valid {
            Ok(Self(name))
        } else {
            Err(StorageError::new(
                StorageErrorKind::Invalid,
                "name secret",
                "a secret's name is 1–127 letters, digits and hyphens",
            ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A secret text. Never printed, never serialised; zeroed when dropped.
#[derive(Clone)]
pub struct SecretValue(SecretString);

impl SecretValue {
    /// Takes a text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretValue(…)")
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

/// Where secrets are kept.
///
/// # Contract
/// - `set` is durable when it returns and replaces an earlier value; a failed `set` leaves the
///   earlier value readable.
/// - `get` of a missing or deleted secret is `Ok(None)`; an unreachable store is an error.
/// - `delete` is idempotent.
/// - Values are never written to a log, an error or a metric.
#[async_trait]
pub trait SecretStore: Send + Sync + fmt::Debug {
    /// Writes a secret.
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()>;
    /// Reads a secret.
    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>>;
    /// Deletes a secret.
    async fn delete(&self, name: &SecretName) -> StorageResult<()>;
    /// The names of all secrets, in any order.
    async fn list(&self) -> StorageResult<Vec<SecretName>>;
}
