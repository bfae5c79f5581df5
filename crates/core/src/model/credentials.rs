//! How to sign in to a database server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidName, UserName};
use crate::secret::SecretValue;

/// How an engine or database authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// User name and password.
    UserPassword,
    /// Azure managed identity.
    ManagedIdentity,
    /// Entra ID.
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

/// What is needed to sign in, resolved once at the start of the work.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// Account.
    pub username: UserName,
    /// Password.
    pub password: SecretValue,
}
