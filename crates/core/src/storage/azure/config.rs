//! Where an Azure account is and how to sign in to it.

use std::num::NonZeroU64;
use std::time::Duration;

use url::Url;

use super::{connection_string, sas};
use crate::config::IdentitySetting;
use crate::secret::SecretValue;
use crate::storage::{StorageError, StorageErrorKind, StorageResult};

/// How requests to an account are signed: said by the settings, never guessed.
#[derive(Debug, Clone, PartialEq)]
pub enum AzureAuth {
    /// With the key of the account. The only kind that can make download links.
    SharedKey {
        /// Name of the account.
        account: String,
        /// Its key, base64.
        key: SecretValue,
    },
    /// With a shared access signature for the three services: `sv=…&sig=…`.
    Sas(SecretValue),
    /// With tokens of an Entra identity, over HTTPS only.
    Identity(IdentitySetting),
}

/// The three services of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureEndpoints {
    blob: Url,
    queue: Url,
    table: Url,
}

impl AzureEndpoints {
    /// Parses the addresses: `https://account.blob.core.windows.net`, or with the account as path,
    /// as Azurite has it. `Invalid` for what is no plain HTTP or HTTPS address.
    pub fn new(blob: &str, queue: &str, table: &str) -> StorageResult<Self> {
        Ok(Self {
            blob: endpoint("blob", blob)?,
            queue: endpoint("queue", queue)?,
            table: endpoint("table", table)?,
        })
    }

    /// The blob service.
    pub fn blob(&self) -> &Url {
        &self.blob
    }

    /// The queue service.
    pub fn queue(&self) -> &Url {
        &self.queue
    }

    /// The table service.
    pub fn table(&self) -> &Url {
        &self.table
    }
}

/// Limits on a single request. How often it is tried again is not decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AzureTimeouts {
    /// For a connection with its TLS handshake.
    pub connect: Duration,
    /// From the first byte sent to the last byte received, for a request without much of a body.
    pub request: Duration,
    /// The slowest transfer that counts as alive: requests that carry bytes get more time.
    pub least_bytes_per_second: NonZeroU64,
}

impl Default for AzureTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_mins(1),
            least_bytes_per_second: NonZeroU64::new(32 * 1024).unwrap_or(NonZeroU64::MIN),
        }
    }
}

/// Everything that is needed to reach an account.
#[derive(Debug, Clone, PartialEq)]
pub struct AzureConfig {
    /// Where.
    pub endpoints: AzureEndpoints,
    /// How to sign in.
    pub auth: AzureAuth,
    /// How long to wait.
    pub timeouts: AzureTimeouts,
}

impl AzureConfig {
    /// An account with the usual timeouts.
    pub fn new(endpoints: AzureEndpoints, auth: AzureAuth) -> Self {
        Self {
            endpoints,
            auth,
            timeouts: AzureTimeouts::default(),
        }
    }

    /// Reads `UseDevelopmentStorage=true`, a connection string with `AccountKey` or
    /// `SharedAccessSignature`, or a SAS URL of the blob service
    /// (`https://account.blob.core.windows.net/?sv=…`). Its errors say what is wrong in which
    /// setting, and never show a value.
    pub fn from_connection_string(text: &SecretValue) -> StorageResult<Self> {
        let text = text.expose().trim();
        if text.starts_with("https://") || text.starts_with("http://") {
            from_sas_url(text)
        } else {
            connection_string::parse(text)
        }
    }
}

/// Derives the three endpoints from the blob service's SAS URL.
fn from_sas_url(text: &str) -> StorageResult<AzureConfig> {
    let mut url = Url::parse(text).map_err(|_| unusable("the SAS URL is not a URL"))?;
    let signature = sas::parse(url.query().unwrap_or_default())?;
    url.set_query(None);
    let blob = url.to_string();
    let host = url.host_str().unwrap_or_default();
    let Some((account, suffix)) = host.split_once(".blob.") else {
        return Err(unusable(
            "a SAS URL must be that of the blob service, https://ACCOUNT.blob.SUFFIX/?…; for any \
             other address use a connection string with BlobEndpoint, QueueEndpoint, \
             TableEndpoint and SharedAccessSignature",
        ));
    };
    let sibling = |service: &str| blob.replacen(host, &format!("{account}.{service}.{suffix}"), 1);
    let endpoints = AzureEndpoints::new(&blob, &sibling("queue"), &sibling("table"))?;
    Ok(AzureConfig::new(endpoints, AzureAuth::Sas(signature)))
}

/// Parses an endpoint. A query or user part is refused rather than kept: it may hold a secret, and
/// endpoints are shown in errors.
fn endpoint(service: &str, text: &str) -> StorageResult<Url> {
    let wrong = || {
        unusable(format!(
            "the {service} endpoint is not a plain http:// or https:// address"
        ))
    };
    let mut url = Url::parse(text.trim()).map_err(|_| wrong())?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !is_plain {
        return Err(wrong());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// An error about settings; `reason` must not quote values.
pub(super) fn unusable(reason: impl Into<String>) -> StorageError {
    StorageError::new(StorageErrorKind::Invalid, "configure Azure storage", reason)
}
