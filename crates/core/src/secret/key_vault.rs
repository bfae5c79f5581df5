//! Secrets in Azure Key Vault.
//!
//! A vault keeps deleted secrets for weeks and holds their names meanwhile. A deleted secret reads
//! as missing here, and writing its name again brings it back first. The identity needs to get,
//! set, delete, list and recover secrets (role "Key Vault Secrets Officer").

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{HttpClient, Url};
use azure_security_keyvault_secrets::models::SetSecretParameters;
use azure_security_keyvault_secrets::{ResourceExt, SecretClient, SecretClientOptions};
use futures::TryStreamExt;

use super::{SecretName, SecretStore, SecretValue};
use crate::config::IdentitySetting;
use crate::storage::azure::{
    AzureTimeouts, Failure, client_options, http_transport, token_credential,
};
use crate::storage::{StorageError, StorageErrorKind, StorageResult};

/// Secrets in a vault. Does not retry; `RetryingSecretStore` does.
pub struct KeyVaultStore {
    client: SecretClient,
}

impl fmt::Debug for KeyVaultStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyVaultStore")
            .field("vault", &self.client.endpoint().as_str())
            .finish()
    }
}

impl KeyVaultStore {
    /// Prepares the vault at `url`, such as `https://acme.vault.azure.net`. Sends nothing; fails
    /// for settings that cannot work.
    pub fn connect(url: &str, identity: &IdentitySetting) -> StorageResult<Self> {
        Self::connect_over(url, identity, &http_transport(AzureTimeouts::default())?)
    }

    /// Like `connect`, over a transport of the caller's.
    pub fn connect_over(
        url: &str,
        identity: &IdentitySetting,
        transport: &Arc<dyn HttpClient>,
    ) -> StorageResult<Self> {
        let is_usable = Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host());
        if !is_usable {
            return Err(StorageError::new(
                StorageErrorKind::Invalid,
                "configure Key Vault",
                "the vault's address is not https://NAME.vault.azure.net",
            ));
        }
        let options = SecretClientOptions {
            client_options: client_options(transport, Vec::new()),
            ..Default::default()
        };
        let credential = token_credential(identity, transport)?;
        let client = SecretClient::new(url, credential, Some(options))
            .map_err(|error| error_of(error.into(), "configure Key Vault"))?;
        Ok(Self { client })
    }

    async fn write(&self, name: &SecretName, value: &SecretValue) -> Result<(), Failure> {
        let parameters = SetSecretParameters {
            value: Some(value.expose().to_owned()),
            ..Default::default()
        };
        self.client
            .set_secret(name.as_str(), parameters.try_into()?, None)
            .await?;
        Ok(())
    }

    /// Brings a deleted secret back, which the vault does in its own time.
    async fn recover(&self, name: &SecretName) -> Result<(), Failure> {
        self.client
            .recover_deleted_secret(name.as_str(), None)
            .await?;
        Ok(())
    }

    async fn read(&self, name: &SecretName) -> Result<Option<SecretValue>, Failure> {
        let secret = self
            .client
            .get_secret(name.as_str(), None)
            .await?
            .into_model()?;
        Ok(secret.value.map(SecretValue::new))
    }

    async fn names(&self) -> Result<Vec<SecretName>, Failure> {
        let mut names = Vec::new();
        let mut secrets = self.client.list_secret_properties(None)?;
        while let Some(secret) = secrets.try_next().await? {
            // Vault and port have the same rule for names.
            names.extend(SecretName::new(secret.resource_id()?.name).ok());
        }
        Ok(names)
    }
}

#[async_trait]
impl SecretStore for KeyVaultStore {
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()> {
        const OPERATION: &str = "set secret";
        let failure = match self.write(name, value).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if failure.code() != Some("ObjectIsDeletedButRecoverable") {
            return Err(error_of(failure, OPERATION));
        }
        self.recover(name)
            .await
            .map_err(|failure| error_of(failure, OPERATION))?;
        self.write(name, value)
            .await
            .map_err(|failure| error_of(failure, OPERATION))
    }

    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>> {
        match self.read(name).await {
            Ok(secret) => Ok(secret),
            Err(failure) if failure.status() == Some(404) => Ok(None),
            Err(failure) => Err(error_of(failure, "get secret")),
        }
    }

    async fn delete(&self, name: &SecretName) -> StorageResult<()> {
        match self
            .client
            .delete_secret(name.as_str(), None)
            .await
            .map_err(Failure::from)
        {
            Ok(_) => Ok(()),
            Err(failure) if failure.status() == Some(404) || is_deleted(&failure) => Ok(()),
            Err(failure) => Err(error_of(failure, "delete secret")),
        }
    }

    async fn list(&self) -> StorageResult<Vec<SecretName>> {
        self.names()
            .await
            .map_err(|failure| error_of(failure, "list secrets"))
    }
}

/// Whether the vault refused because the secret is deleted, or on its way there.
fn is_deleted(failure: &Failure) -> bool {
    matches!(
        failure.code(),
        Some("ObjectIsDeletedButRecoverable" | "ObjectIsBeingDeleted")
    )
}

/// The storage error. States that pass by themselves are outages, and what could not be read is
/// not repeated, since it may hold the secret.
fn error_of(failure: Failure, operation: &'static str) -> StorageError {
    match &failure {
        Failure::Unreadable(_) => StorageError::new(
            StorageErrorKind::Internal,
            operation,
            "the vault's answer cannot be read",
        ),
        Failure::Refused(_)
            if is_deleted(&failure) || failure.code() == Some("ObjectIsBeingRecovered") =>
        {
            StorageError::new(
                StorageErrorKind::Unavailable,
                operation,
                "the secret is being deleted or brought back; try again in a moment",
            )
            .with_source(failure)
        }
        _ => failure.into_error(operation),
    }
}
