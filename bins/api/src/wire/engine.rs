//! Engines on the wire.

mod answers;
mod credentials;
mod list;
mod new;

use dilux_core::model::{
    self, AuthMethod, ClientId, EngineType, Host, Label, MaxJobs, PolicyId, Port, TenantId,
    TlsMode, UserName,
};
use dilux_core::secret::{SecretName, SecretValue};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use answers::{DiscoveredDatabase, DiscoveredDatabases, EngineTest, RemovalPreview};
pub(crate) use credentials::{
    CredentialChange, CredentialChangeBody, CredentialSelection, CredentialSelectionBody,
    CredentialsApplied, CredentialsChanged, EngineCredentials,
};
pub(crate) use list::{EngineFilter, EngineList};
pub(crate) use new::NewEngine;

use super::backup::BackupsDeleted;
use super::sign_in::{IdentityChange, SignInPatch};
use crate::app::{EngineRemoved, EngineUpdate, EngineView};
use crate::caller::Caller;
use crate::input::{Fields, Filters, FromFields, FromQuery, Patch};

/// A registered database server. Passwords are never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Engine {
    /// Id.
    #[schema(example = "6f1c3b1e-7f1c-4a53-9c3e-1f2d3c4b5a69")]
    id: String,
    /// Label.
    #[schema(example = "Production MySQL")]
    name: String,
    /// `mysql`, `postgresql` or `sqlserver`.
    #[schema(example = "mysql")]
    engine_type: String,
    /// Host name or address.
    #[schema(example = "mysql.example.com")]
    host: String,
    /// TCP port.
    #[schema(example = 3306)]
    port: u16,
    /// How connections to it are protected, also for its databases: `prefer`, `require` or
    /// `verify-full`.
    #[schema(example = "verify-full")]
    tls_mode: &'static str,
    /// How databases of this engine sign in.
    #[schema(example = "user_password")]
    auth_method: Option<String>,
    /// Account; `null` for viewers.
    #[schema(example = "backup_user")]
    username: Option<String>,
    /// Tenant of the app that signs in; `null` for viewers.
    tenant_id: Option<String>,
    /// Client id of the app or user-assigned identity that signs in; `null` for viewers.
    client_id: Option<String>,
    /// Whether a password or the app's secret is kept.
    has_password: bool,
    /// Name under which the secret store keeps it; `null` for viewers.
    password_secret_name: Option<String>,
    /// Always `null`: connection strings are secret.
    connection_string: Option<String>,
    /// Policy that its databases may inherit.
    policy_id: Option<String>,
    /// How many jobs it bears at once; `null` leaves it to the setting.
    max_jobs: Option<u32>,
    /// Whether it can be asked for its databases.
    discovery_enabled: bool,
    /// Last successful discovery.
    last_discovery: Option<String>,
    /// Creation.
    created_at: String,
    /// Last change.
    updated_at: String,
    /// Who created it.
    created_by: Option<String>,
    /// Registered databases; absent in the answer to a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    database_count: Option<usize>,
}

impl From<&model::Engine> for Engine {
    fn from(engine: &model::Engine) -> Self {
        Self {
            id: engine.id.to_string(),
            name: engine.name.to_string(),
            engine_type: engine.engine_type.to_string(),
            host: engine.host.to_string(),
            port: engine.port.get(),
            tls_mode: engine.tls_mode.as_str(),
            auth_method: engine.auth_method.map(|method| method.to_string()),
            username: engine.username.as_ref().map(UserName::to_string),
            tenant_id: engine.identity.tenant_id.as_ref().map(TenantId::to_string),
            client_id: engine.identity.client_id.as_ref().map(ClientId::to_string),
            has_password: engine.secret.is_some(),
            password_secret_name: engine
                .secret
                .as_ref()
                .map(|name| SecretName::as_str(name).to_owned()),
            connection_string: None,
            policy_id: engine.policy_id.as_ref().map(PolicyId::to_string),
            max_jobs: engine.max_jobs.map(MaxJobs::get),
            discovery_enabled: engine.discovery_enabled,
            last_discovery: engine.last_discovery.map(|at| at.to_string()),
            created_at: engine.created_at.to_string(),
            updated_at: engine.updated_at.to_string(),
            created_by: engine.created_by.clone(),
            database_count: None,
        }
    }
}

impl From<&EngineView> for Engine {
    fn from(view: &EngineView) -> Self {
        Self {
            database_count: Some(view.database_count),
            ..Self::from(&view.engine.value)
        }
    }
}

impl Engine {
    /// The same as the caller may see it: viewers see no account and not where secrets are.
    pub(crate) fn seen_by(mut self, caller: &Caller) -> Self {
        if !caller.sees_accounts() {
            self.username = None;
            self.tenant_id = None;
            self.client_id = None;
            self.password_secret_name = None;
        }
        self
    }
}

/// A change of an engine. Absent fields stay as they are; `engine_type`, `host` and `port` may be
/// sent when they are unchanged.
#[derive(Debug, ToSchema)]
pub(crate) struct EngineChange {
    /// Label.
    #[schema(value_type = Option<String>)]
    pub(crate) name: Option<Label>,
    /// Must be the present one.
    #[schema(value_type = Option<String>)]
    pub(crate) engine_type: Option<EngineType>,
    /// Must be the present one.
    #[schema(value_type = Option<String>)]
    pub(crate) host: Option<Host>,
    /// Must be the present one.
    #[schema(value_type = Option<u16>)]
    pub(crate) port: Option<Port>,
    /// How connections to it are protected, also for its databases: `prefer` encrypts when the server
    /// can, `require` always, and `verify-full` verifies the certificate and its name as well.
    #[schema(value_type = Option<String>, example = "verify-full")]
    pub(crate) tls_mode: Option<TlsMode>,
    /// How to sign in; `null` takes all credentials away.
    #[schema(value_type = Option<String>)]
    pub(crate) auth_method: Patch<AuthMethod>,
    /// Account; `null` takes it away.
    #[schema(value_type = Option<String>)]
    pub(crate) username: Patch<UserName>,
    /// New password; empty or absent keeps the present one.
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub(crate) password: Option<SecretValue>,
    /// Tenant of the app that signs in (`azure_ad`), by id or domain.
    #[schema(value_type = Option<String>, example = "72f988bf-86f1-41af-91ab-2d7cd011db47")]
    pub(crate) tenant_id: Patch<TenantId>,
    /// Client id of the app (`azure_ad`) or of a user-assigned identity (`managed_identity`). Without
    /// it the service signs in as itself.
    #[schema(value_type = Option<String>)]
    pub(crate) client_id: Patch<ClientId>,
    /// New secret of the app; empty or absent keeps the present one, unless tenant or app change.
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub(crate) client_secret: Option<SecretValue>,
    /// In place of account, password and address: `Server=…;User Id=…;Password=…`,
    /// `postgresql://…` or `mysql://…`. Taken apart before the rest is read, and kept nowhere as a
    /// whole.
    #[schema(value_type = Option<String>, write_only)]
    #[expect(dead_code, reason = "describes a field that is taken apart before")]
    pub(crate) connection_string: (),
    /// Policy that its databases may inherit; `null` or empty takes it away.
    #[schema(value_type = Option<String>)]
    pub(crate) policy_id: Patch<PolicyId>,
    /// How many jobs it bears at once, 1–64; `null` leaves it to the setting.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 64)]
    pub(crate) max_jobs: Patch<MaxJobs>,
    /// Whether all its databases shall sign in as it does; their own credentials are deleted.
    #[schema(value_type = Option<bool>)]
    pub(crate) apply_to_all_databases: bool,
    /// Whether all its databases shall follow its policy.
    #[schema(value_type = Option<bool>)]
    pub(crate) apply_policy_to_all_databases: bool,
}

impl EngineChange {
    /// What it says of the identity at Entra ID and of secrets.
    pub(crate) fn identity(&self) -> IdentityChange<'_> {
        IdentityChange {
            tenant_id: &self.tenant_id,
            client_id: &self.client_id,
            password: self.password.as_ref(),
            client_secret: self.client_secret.as_ref(),
        }
    }
}

impl FromFields for EngineChange {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let sign_in = SignInPatch::read(fields);
        let flag = |name| fields.optional(name).unwrap_or(false);
        Some(Self {
            name: fields.changed("name"),
            engine_type: fields.changed("engine_type"),
            host: fields.changed("host"),
            port: fields.changed("port"),
            tls_mode: fields.changed("tls_mode"),
            auth_method: sign_in.auth_method,
            username: sign_in.username,
            password: sign_in.password,
            tenant_id: sign_in.tenant_id,
            client_id: sign_in.client_id,
            client_secret: sign_in.client_secret,
            connection_string: (),
            policy_id: fields.patch("policy_id"),
            max_jobs: fields.patch("max_jobs"),
            apply_to_all_databases: flag("apply_to_all_databases"),
            apply_policy_to_all_databases: flag("apply_policy_to_all_databases"),
        })
    }
}

/// A registered engine, with its databases when they were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineCreated {
    /// The engine.
    pub(crate) engine: Engine,
    /// What the discovery found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discovered_databases: Option<Vec<DiscoveredDatabase>>,
    /// Why the discovery failed; the engine is registered all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discovery_error: Option<String>,
    /// Why backups of its databases are not made; absent where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// A changed engine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineChanged {
    /// The engine.
    engine: Engine,
    /// Databases that sign in as it does now; only when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    databases_updated: Option<usize>,
    /// Databases that follow its policy now; only when that was asked for and it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    databases_policy_updated: Option<usize>,
}

impl From<&EngineUpdate> for EngineChanged {
    fn from(update: &EngineUpdate) -> Self {
        Self {
            engine: Engine::from(&update.engine.value),
            databases_updated: update.signing_in_as_engine,
            databases_policy_updated: update.following_its_policy,
        }
    }
}

/// What to remove beside an engine.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EngineRemoval {
    /// Remove its databases too. Their backups stay, unless `delete_backups` is sent as well.
    #[param(value_type = Option<bool>)]
    pub(crate) delete_databases: bool,
    /// Delete their backups too, after the grace period; the last good one of each stays.
    #[param(value_type = Option<bool>)]
    pub(crate) delete_backups: bool,
}

impl FromQuery for EngineRemoval {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            delete_databases: filters.flag("delete_databases"),
            delete_backups: filters.flag("delete_backups"),
        })
    }
}

/// A removed engine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineDeleted {
    /// Always `true`.
    deleted: bool,
    /// Databases removed; only when `delete_databases` was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    databases_deleted: Option<usize>,
    /// What became of their backups; only when `delete_backups` was sent too.
    #[serde(skip_serializing_if = "Option::is_none")]
    backups_deleted: Option<BackupsDeleted>,
}

impl EngineDeleted {
    /// The answer to `removal`, which took this with it.
    pub(crate) fn after(removal: &EngineRemoval, removed: &EngineRemoved) -> Self {
        let both = removal.delete_databases && removal.delete_backups;
        Self {
            deleted: true,
            databases_deleted: removal.delete_databases.then_some(removed.databases),
            backups_deleted: both.then(|| BackupsDeleted::from(&removed.backups)),
        }
    }
}
