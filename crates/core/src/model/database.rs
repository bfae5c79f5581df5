//! Database: what is backed up.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::engine::key_vault_text;
use super::{
    AuthMethod, Compression, DatabaseId, DatabaseName, Destination, Engine, EngineId,
    EntraIdentity, InvalidName, Label, PolicyId, UserName,
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
        /// Who signs in at Entra ID, for methods that do.
        identity: EntraIdentity,
        /// Where the password or the app's secret is kept.
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

/// A recovery point objective: 15 minutes to 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RpoMinutes(u32);

impl RpoMinutes {
    /// The number of minutes.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for RpoMinutes {
    type Error = InvalidName;

    fn try_from(number: i64) -> Result<Self, InvalidName> {
        u32::try_from(number)
            .ok()
            .filter(|number| (15..=366 * 24 * 60).contains(number))
            .map(Self)
            .ok_or_else(|| InvalidName("must be between 15 and 527040 minutes".to_owned()))
    }
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
    /// How much of its changes may be lost at most, in minutes; `None` derives it from the policy.
    pub rpo_minutes: Option<RpoMinutes>,
    /// How its backups are compressed.
    pub compression: Compression,
    /// Container of its data; the installation's where absent.
    pub destination: Option<Destination>,
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

    /// The policy that it names, by itself or through its engine; `None` where neither names one,
    /// and the default one applies.
    pub fn policy_named<'a>(&'a self, engine: Option<&'a Engine>) -> Option<&'a PolicyId> {
        match &self.policy {
            PolicySource::Own(id) => Some(id),
            PolicySource::Engine => engine.and_then(|engine| engine.policy_id.as_ref()),
        }
    }
}
