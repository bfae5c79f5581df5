//! Database: what is backed up.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::engine::key_vault_text;
use super::{
    AuthMethod, Compression, DatabaseId, DatabaseName, EngineId, Label, PolicyId, UserName,
};
use crate::secret::SecretName;

/// How a database signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// As its engine does.
    Engine,
    /// With its own credentials.
    Own {
        /// How.
        auth_method: AuthMethod,
        /// Account.
        username: Option<UserName>,
        /// Where the password or connection string is kept.
        secret: Option<SecretName>,
    },
}

/// Which policy a database follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// Its engine's; `production-standard` while the engine has none.
    Engine,
    /// This one.
    Own(PolicyId),
}

/// A database to be backed up. Host, port and type are its engine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Id.
    pub id: DatabaseId,
    /// Engine.
    pub engine_id: EngineId,
    /// Label ("alias").
    pub label: Label,
    /// Name on the server.
    pub database_name: DatabaseName,
    /// How it signs in.
    pub credentials: CredentialSource,
    /// Which policy it follows.
    pub policy: PolicySource,
    /// Whether the scheduler backs it up.
    pub enabled: bool,
    /// How its backups are compressed.
    pub compression: Compression,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Who created it.
    pub created_by: Option<String>,
}

impl Database {
    /// The name under which the secret store keeps this database's secret.
    pub fn secret_name(id: &DatabaseId) -> String {
        format!("dilux-db-{}", key_vault_text(id.as_str()))
    }
}
