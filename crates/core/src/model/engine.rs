//! Engine: a registered database server.

use jiff::Timestamp;

use super::{
    AuthMethod, EngineId, EngineType, EntraIdentity, Host, InvalidName, Label, PolicyId, Port,
    TlsMode, UserName,
};
use crate::secret::SecretName;

/// A registered database server. Its secret is in the secret store, never here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Id.
    pub id: EngineId,
    /// Label.
    pub name: Label,
    /// Type.
    pub engine_type: EngineType,
    /// Host.
    pub host: Host,
    /// Port.
    pub port: Port,
    /// How connections to it are protected, for all its databases.
    pub tls_mode: TlsMode,
    /// How databases of this engine sign in, unless they have their own way.
    pub auth_method: Option<AuthMethod>,
    /// Account.
    pub username: Option<UserName>,
    /// Who signs in at Entra ID, for methods that do.
    pub identity: EntraIdentity,
    /// Where the password or the app's secret is kept.
    pub secret: Option<SecretName>,
    /// Policy that its databases may inherit.
    pub policy_id: Option<PolicyId>,
    /// How many jobs it bears at once; `None` leaves it to the setting.
    pub max_jobs: Option<MaxJobs>,
    /// Whether it has credentials to discover databases with.
    pub discovery_enabled: bool,
    /// Last successful discovery.
    pub last_discovery: Option<Timestamp>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Who created it.
    pub created_by: Option<String>,
}

/// How many jobs may load an engine at once: 1–64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxJobs(u32);

impl MaxJobs {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for MaxJobs {
    type Error = InvalidName;

    fn try_from(number: i64) -> Result<Self, InvalidName> {
        u32::try_from(number)
            .ok()
            .filter(|number| (1..=64).contains(number))
            .map(Self)
            .ok_or_else(|| InvalidName("must be between 1 and 64".to_owned()))
    }
}

impl Engine {
    /// The name under which the secret store keeps this engine's secret.
    pub fn secret_name(id: &EngineId) -> String {
        format!("dilux-engine-{}", key_vault_text(id.as_str()))
    }

    /// Whether it can sign in.
    pub fn has_credentials(&self) -> bool {
        match self.auth_method {
            Some(AuthMethod::UserPassword) => self.username.is_some() && self.secret.is_some(),
            Some(AuthMethod::ConnectionString) => self.secret.is_some(),
            Some(AuthMethod::ManagedIdentity | AuthMethod::AzureAd) => true,
            None => false,
        }
    }
}

/// An id with the characters that a secret's name may hold; `_` and `.` become `-`.
pub(super) fn key_vault_text(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
