//! Turns a chosen way of signing in into request policies or a source of tokens.

use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::policies::Policy;
use azure_core::http::{ClientOptions, HttpClient, RetryOptions, Transport};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use url::Url;

use super::config::{AzureAuth, unusable};
use super::sas::SasPolicy;
use super::shared_key::{AccountKey, Rules, SharedKeyPolicy};
use crate::clock::SharedClock;
use crate::config::IdentitySetting;
use crate::storage::StorageResult;

/// How requests of all three services are signed.
#[derive(Debug, Clone)]
pub(super) enum Signer {
    Key(AccountKey),
    Sas(Arc<SasPolicy>),
    Token(Arc<dyn TokenCredential>),
}

impl Signer {
    /// Prepares `auth`. Nothing is sent yet.
    pub(super) fn new(auth: &AzureAuth, transport: &Arc<dyn HttpClient>) -> StorageResult<Self> {
        Ok(match auth {
            AzureAuth::SharedKey { account, key } => Self::Key(AccountKey::new(account, key)),
            AzureAuth::Sas(signature) => Self::Sas(Arc::new(SasPolicy(signature.clone()))),
            AzureAuth::Identity(identity) => Self::Token(token_credential(identity, transport)?),
        })
    }

    /// The policy that signs each try, unless tokens do.
    pub(super) fn policy(&self, rules: Rules, clock: &SharedClock) -> Option<Arc<dyn Policy>> {
        match self {
            Self::Key(key) => Some(Arc::new(SharedKeyPolicy {
                key: key.clone(),
                rules,
                clock: Arc::clone(clock),
            })),
            Self::Sas(policy) => Some(Arc::clone(policy) as Arc<dyn Policy>),
            Self::Token(_) => None,
        }
    }

    /// The source of tokens for `endpoint`, if tokens sign. They are never sent in the clear.
    pub(super) fn token(&self, endpoint: &Url) -> StorageResult<Option<Arc<dyn TokenCredential>>> {
        match self {
            Self::Token(credential) if endpoint.scheme() == "https" => {
                Ok(Some(Arc::clone(credential)))
            }
            Self::Token(_) => Err(unusable(format!(
                "{endpoint} is not https://, and tokens of an identity are not sent in the clear"
            ))),
            Self::Key(_) | Self::Sas(_) => Ok(None),
        }
    }
}

/// The credential of an identity. Fails when its settings cannot work; nothing is sent yet.
pub(crate) fn token_credential(
    identity: &IdentitySetting,
    transport: &Arc<dyn HttpClient>,
) -> StorageResult<Arc<dyn TokenCredential>> {
    let client_options = client_options(transport, Vec::new());
    let credential: azure_core::Result<Arc<dyn TokenCredential>> = match identity {
        IdentitySetting::Managed { client_id } => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options,
            }))
            .map(|credential| credential as Arc<dyn TokenCredential>)
        }
        IdentitySetting::Workload => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                ..Default::default()
            }))
            .map(|credential| credential as Arc<dyn TokenCredential>)
        }
        IdentitySetting::ClientSecret {
            tenant_id,
            client_id,
            secret,
        } => ClientSecretCredential::new(
            tenant_id,
            client_id.clone(),
            Secret::new(secret.expose().to_owned()),
            Some(ClientSecretCredentialOptions { client_options }),
        )
        .map(|credential| credential as Arc<dyn TokenCredential>),
    };
    credential.map_err(|error| unusable(format!("the identity cannot be used: {error}")))
}

/// Options that every Azure client gets: our transport, our policies, and no retries, since those
/// are made in one layer above.
pub(crate) fn client_options(
    transport: &Arc<dyn HttpClient>,
    per_try_policies: Vec<Arc<dyn Policy>>,
) -> ClientOptions {
    ClientOptions {
        per_try_policies,
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::clone(transport))),
        ..Default::default()
    }
}
