//! The configuration as a document: what is written. What is read is in `import`, what an import
//! answers in `answer`.

mod answer;
mod import;

use std::collections::BTreeMap;

use dilux_core::model::{
    self, AuthMethod, ClientId, CredentialSource, EntraIdentity, MaxJobs, PolicyId, PolicySource,
    RpoMinutes, TenantId, Tier, UserName,
};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use answer::ConfigurationImported;
pub(crate) use import::{
    ConfigurationBody, ConfigurationImport, ConfigurationQuery, DatabaseEntry, EngineEntry,
    PolicyEntry,
};

use super::Damaged;
use super::policy;
use crate::app::ConfigurationView;

/// Says what kind of document it is.
pub(crate) const FORMAT: &str = "dilux-configuration";

/// The form of the document that is written and read.
pub(crate) const VERSION: u64 = 1;

/// What an installation is told to do, without any secret. The same configuration is the same
/// document, byte by byte.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Configuration {
    /// Always `dilux-configuration`.
    #[schema(example = "dilux-configuration")]
    format: &'static str,
    /// Form of the document.
    #[schema(example = 1)]
    version: u64,
    /// The settings that users may change.
    settings: ConfiguredSettings,
    /// Policies, by id.
    policies: Vec<ConfiguredPolicy>,
    /// Engines, by id.
    engines: Vec<ConfiguredEngine>,
    /// Databases, by id.
    databases: Vec<ConfiguredDatabase>,
    /// Rows that cannot be read, and are missing above. An import does not look at them.
    damaged: Vec<Damaged>,
}

/// The settings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfiguredSettings {
    /// Preferred look, for users without a preference of their own.
    dark_mode: bool,
    /// Days that backups outside every tier are kept.
    default_retention_days: u32,
    /// How the backups of newly registered databases are compressed.
    #[schema(example = "gzip")]
    default_compression_method: &'static str,
    /// Whether strangers who signed in may ask for access.
    access_requests_enabled: bool,
}

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfiguredPolicy {
    /// Id.
    #[schema(example = "production-standard")]
    id: String,
    /// Label.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Whether it came with the product.
    is_system: bool,
    /// Every one to twelve hours.
    hourly: policy::Tier,
    /// Every day.
    daily: policy::Tier,
    /// Every week.
    weekly: policy::Tier,
    /// Every month.
    monthly: policy::Tier,
    /// Every year.
    yearly: policy::Tier,
    #[serde(flatten)]
    timing: policy::Timing,
}

/// An engine, without its password.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfiguredEngine {
    /// Id.
    id: String,
    /// Label.
    name: String,
    /// `mysql`, `postgresql` or `sqlserver`.
    #[schema(example = "mysql")]
    engine_type: String,
    /// Host name or address.
    host: String,
    /// TCP port.
    port: u16,
    /// How connections to it are protected: `prefer`, `require` or `verify-full`.
    #[schema(example = "verify-full")]
    tls_mode: &'static str,
    /// How databases of this engine sign in.
    auth_method: Option<String>,
    /// Account.
    username: Option<String>,
    /// Tenant of the app that signs in.
    tenant_id: Option<String>,
    /// The app, or the user-assigned identity, that signs in.
    client_id: Option<String>,
    /// Policy that its databases may inherit.
    policy_id: Option<String>,
    /// How many jobs it bears at once.
    max_jobs: Option<u32>,
}

/// A database, without its password.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfiguredDatabase {
    /// Id.
    id: String,
    /// Its engine.
    engine_id: String,
    /// Label.
    name: String,
    /// Name on the server.
    database_name: String,
    /// Whether it signs in as its engine does.
    use_engine_credentials: bool,
    /// Its own way to sign in.
    auth_method: Option<String>,
    /// Its own account.
    username: Option<String>,
    /// Tenant of its own app.
    tenant_id: Option<String>,
    /// Its own app, or user-assigned identity.
    client_id: Option<String>,
    /// Whether it follows its engine's policy.
    use_engine_policy: bool,
    /// Its own policy.
    policy_id: Option<String>,
    /// Whether the scheduler backs it up.
    enabled: bool,
    /// How much of its changes may be lost at most.
    rpo_minutes: Option<u32>,
    /// `gzip`, `zstd` or `none`.
    #[schema(example = "gzip")]
    compression_method: &'static str,
    /// Container of its data.
    backup_destination: Option<String>,
    /// Free labels.
    tags: BTreeMap<String, String>,
}

impl From<&ConfigurationView> for Configuration {
    fn from(view: &ConfigurationView) -> Self {
        Self {
            format: FORMAT,
            version: VERSION,
            settings: ConfiguredSettings::from(&view.settings),
            policies: view.policies.iter().map(ConfiguredPolicy::from).collect(),
            engines: view.engines.iter().map(ConfiguredEngine::from).collect(),
            databases: view
                .databases
                .iter()
                .map(ConfiguredDatabase::from)
                .collect(),
            damaged: view.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

impl From<&model::AppSettings> for ConfiguredSettings {
    fn from(settings: &model::AppSettings) -> Self {
        Self {
            dark_mode: settings.dark_mode,
            default_retention_days: settings.default_retention_days,
            default_compression_method: settings.default_compression.as_str(),
            access_requests_enabled: settings.access_requests_enabled,
        }
    }
}

impl From<&model::BackupPolicy> for ConfiguredPolicy {
    fn from(policy: &model::BackupPolicy) -> Self {
        let tier = |tier| policy::Tier::of(policy, tier);
        Self {
            id: policy.id.to_string(),
            name: policy.name.to_string(),
            description: policy.description.clone(),
            is_system: policy.is_system,
            hourly: tier(Tier::Hourly),
            daily: tier(Tier::Daily),
            weekly: tier(Tier::Weekly),
            monthly: tier(Tier::Monthly),
            yearly: tier(Tier::Yearly),
            timing: policy::Timing::from(&policy.timing),
        }
    }
}

impl From<&model::Engine> for ConfiguredEngine {
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
            policy_id: engine.policy_id.as_ref().map(PolicyId::to_string),
            max_jobs: engine.max_jobs.map(MaxJobs::get),
        }
    }
}

impl From<&model::Database> for ConfiguredDatabase {
    fn from(database: &model::Database) -> Self {
        let nobody = EntraIdentity::default();
        let (auth_method, username, identity) = match &database.credentials {
            CredentialSource::Engine => (None, None, &nobody),
            CredentialSource::Own {
                auth_method,
                username,
                identity,
                ..
            } => (Some(*auth_method), username.as_ref(), identity),
        };
        let own_policy = match &database.policy {
            PolicySource::Engine => None,
            PolicySource::Own(id) => Some(id.to_string()),
        };
        Self {
            id: database.id.to_string(),
            engine_id: database.engine_id.to_string(),
            name: database.label.to_string(),
            database_name: database.database_name.to_string(),
            use_engine_credentials: auth_method.is_none(),
            auth_method: auth_method.map(AuthMethod::as_str).map(str::to_owned),
            username: username.map(UserName::to_string),
            tenant_id: identity.tenant_id.as_ref().map(TenantId::to_string),
            client_id: identity.client_id.as_ref().map(ClientId::to_string),
            use_engine_policy: own_policy.is_none(),
            policy_id: own_policy,
            enabled: database.enabled,
            rpo_minutes: database.rpo_minutes.map(RpoMinutes::get),
            compression_method: database.compression.as_str(),
            backup_destination: database.destination.as_ref().map(ToString::to_string),
            tags: database.tags.clone(),
        }
    }
}
