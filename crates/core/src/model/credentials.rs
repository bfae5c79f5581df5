//! How to sign in to a database server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ClientId, InvalidName, TenantId, UserName};
use crate::secret::SecretValue;

/// How an engine or database authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// User name and password.
    UserPassword,
    /// A token of an Azure managed identity.
    ManagedIdentity,
    /// A token of an app in Entra ID: one that is named, or the service's own.
    AzureAd,
    /// A connection string.
    ConnectionString,
}

impl AuthMethod {
    /// Every method, in the order of the documents.
    pub const ALL: [Self; 4] = [
        Self::UserPassword,
        Self::ManagedIdentity,
        Self::AzureAd,
        Self::ConnectionString,
    ];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserPassword => "user_password",
            Self::ManagedIdentity => "managed_identity",
            Self::AzureAd => "azure_ad",
            Self::ConnectionString => "connection_string",
        }
    }

    /// What it keeps in the secret store; `None` for nothing.
    pub fn secret_kind(self) -> Option<SecretKind> {
        match self {
            Self::UserPassword | Self::ConnectionString => Some(SecretKind::Password),
            Self::AzureAd => Some(SecretKind::ClientSecret),
            Self::ManagedIdentity => None,
        }
    }
}

/// What a kept secret is. One kind is never sent to where another belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// A password, sent to the database server.
    Password,
    /// The secret of an app, sent to Entra ID.
    ClientSecret,
}

/// Who signs in at Entra ID, as far as an engine or database names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntraIdentity {
    /// Tenant of the app; for `azure_ad` only.
    pub tenant_id: Option<TenantId>,
    /// The app (`azure_ad`), or the user-assigned identity (`managed_identity`). While it is absent
    /// the service signs in as itself.
    pub client_id: Option<ClientId>,
}

impl FromStr for AuthMethod {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| {
                InvalidName(
                    "must be one of user_password, managed_identity, azure_ad, connection_string"
                        .to_owned(),
                )
            })
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What stands in the place of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A password of the account.
    Password,
    /// A token of Entra ID. It opens every server that takes the identity until it expires, so it is
    /// only sent over an encrypted connection to a server that has proved who it is.
    Token,
}

/// What is needed to sign in, resolved once at the start of the work.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// Account.
    pub username: UserName,
    /// Password, or the token in its place.
    pub password: SecretValue,
    /// Which of the two.
    pub kind: CredentialKind,
}

impl Credentials {
    /// An account with its password.
    pub fn with_password(username: UserName, password: SecretValue) -> Self {
        Self {
            username,
            password,
            kind: CredentialKind::Password,
        }
    }

    /// An account with a token of Entra ID.
    pub fn with_token(username: UserName, token: SecretValue) -> Self {
        Self {
            username,
            password: token,
            kind: CredentialKind::Token,
        }
    }
}
