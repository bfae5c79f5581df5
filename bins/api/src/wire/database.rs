//! Databases on the wire: what clients see. What they send is in `input` and `connection`.

mod body;
mod change;
mod connection;
mod import;
mod new;

use dilux_core::access::SignIn;
use dilux_core::model::{
    self, ClientId, CredentialSource, DatabaseId, EngineType, PolicyId, TenantId, UserName,
};
use dilux_core::secret::SecretName;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use body::{ConnectionFormBody, NewDatabaseBody, NewImportBody};
pub(crate) use change::DatabaseChange;
pub(crate) use connection::{ConnectionForm, DatabaseTest, FormCredentials, noted};
pub(crate) use import::{ImportEntry, Imported, NewImport};
pub(crate) use new::{CompressionChoice, EngineChoice, NewDatabase, PolicyChoice};

use super::Damaged;
use super::backup::BackupsDeleted;
use super::rpo::Rpo;
use crate::app::{DatabasePage, DatabaseView, Position, Start};
use crate::caller::Caller;
use crate::input::{Filters, FromQuery};

/// A database to be backed up. Passwords are never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Database {
    /// Id.
    #[schema(example = "0b9d3c1e-5f1c-4a53-9c3e-1f2d3c4b5a70")]
    id: String,
    /// Label ("alias").
    #[schema(example = "Orders")]
    name: String,
    /// Type of its engine.
    #[schema(example = "mysql")]
    database_type: String,
    /// Its engine.
    engine_id: String,
    /// Label of its engine.
    engine_name: String,
    /// Whether it signs in as its engine does.
    use_engine_credentials: bool,
    /// Host of its engine.
    host: String,
    /// Port of its engine.
    port: u16,
    /// Name on the server.
    #[schema(example = "orders")]
    database_name: String,
    /// Its own way to sign in; `null` while it uses its engine's.
    auth_method: Option<String>,
    /// The account that backups use; `null` for viewers.
    username: Option<String>,
    /// Tenant of the app that backups sign in as; `null` for viewers.
    tenant_id: Option<String>,
    /// Client id of the app or user-assigned identity that backups sign in as; `null` for viewers.
    client_id: Option<String>,
    /// Whether a password or app's secret of its own is kept.
    has_password: bool,
    /// Name under which the secret store keeps that; `null` for viewers.
    password_secret_name: Option<String>,
    /// The policy that it follows, its own or its engine's.
    #[schema(example = "production-standard")]
    policy_id: String,
    /// Whether it follows its engine's policy.
    use_engine_policy: bool,
    /// Whether the scheduler backs it up.
    enabled: bool,
    /// Always `null`: schedules come from policies.
    schedule: Option<String>,
    /// Always `null`: retention comes from policies.
    retention_days: Option<u32>,
    /// Container of its data; `null` while that is the installation's.
    backup_destination: Option<String>,
    /// How much of its changes may be lost at most, as it was set; `null` derives it from the
    /// policy.
    rpo_minutes: Option<u32>,
    /// How it stands against that; absent where databases are imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpo: Option<Rpo>,
    /// Whether its backups are compressed.
    compression: bool,
    /// `gzip`, `zstd` or `none`.
    #[schema(example = "gzip")]
    compression_method: String,
    /// Free labels.
    tags: std::collections::BTreeMap<String, String>,
    /// Creation.
    created_at: String,
    /// Last change.
    updated_at: String,
    /// Who created it.
    created_by: Option<String>,
}

impl Database {
    /// `database` on `engine`.
    pub(crate) fn new(database: &model::Database, engine: &model::Engine) -> Self {
        let used = SignIn::of_database(database, engine);
        let (auth_method, secret) = match &database.credentials {
            CredentialSource::Engine => (None, None),
            CredentialSource::Own {
                auth_method,
                secret,
                ..
            } => (Some(*auth_method), secret.as_ref()),
        };
        Self {
            id: database.id.to_string(),
            name: database.label.to_string(),
            database_type: engine.engine_type.to_string(),
            engine_id: engine.id.to_string(),
            engine_name: engine.name.to_string(),
            use_engine_credentials: database.credentials == CredentialSource::Engine,
            host: engine.host.to_string(),
            port: engine.port.get(),
            database_name: database.database_name.to_string(),
            auth_method: auth_method.map(|method| method.to_string()),
            username: used.username.map(UserName::to_string),
            tenant_id: used.identity.tenant_id.as_ref().map(TenantId::to_string),
            client_id: used.identity.client_id.as_ref().map(ClientId::to_string),
            has_password: secret.is_some(),
            password_secret_name: secret.map(|name| SecretName::as_str(name).to_owned()),
            policy_id: crate::app::effective_policy(database, engine).to_owned(),
            use_engine_policy: database.policy == model::PolicySource::Engine,
            enabled: database.enabled,
            schedule: None,
            retention_days: None,
            rpo_minutes: database.rpo_minutes.map(model::RpoMinutes::get),
            rpo: None,
            backup_destination: database.destination.as_ref().map(ToString::to_string),
            compression: database.compression != model::Compression::None,
            compression_method: database.compression.as_str().to_owned(),
            tags: database.tags.clone(),
            created_at: database.created_at.to_string(),
            updated_at: database.updated_at.to_string(),
            created_by: database.created_by.clone(),
        }
    }
}

impl Database {
    /// The same with how it stands against its recovery point objective.
    pub(crate) fn standing(mut self, rpo: &dilux_core::rpo::Rpo) -> Self {
        self.rpo = Some(rpo.into());
        self
    }

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

impl From<&DatabaseView> for Database {
    fn from(view: &DatabaseView) -> Self {
        Self::new(&view.database.value, &view.engine)
    }
}

/// Which databases to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DatabaseFilter {
    /// Only those that the scheduler backs up.
    #[param(value_type = Option<bool>)]
    pub(crate) enabled_only: bool,
    /// Of this type.
    #[param(value_type = Option<String>, rename = "type")]
    pub(crate) engine_type: Option<EngineType>,
    /// Most databases in the answer, 1–1000; all when absent.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<usize>,
    /// Databases to pass over; or `cursor` instead.
    #[param(value_type = Option<u64>)]
    offset: usize,
    /// Where the page starts: `next_cursor` of an earlier one.
    #[param(value_type = Option<String>)]
    cursor: Option<Position>,
    /// Text in label or host, whatever its case.
    pub(crate) search: Option<String>,
    /// On this host.
    pub(crate) host: Option<String>,
    /// Following this policy, by itself or through its engine.
    #[param(value_type = Option<String>)]
    pub(crate) policy_id: Option<String>,
    /// On this engine.
    #[param(value_type = Option<String>)]
    pub(crate) engine_id: Option<String>,
}

impl DatabaseFilter {
    /// Where the page starts.
    pub(crate) fn start(&self) -> Start {
        let cursor = self.cursor.clone();
        cursor.map_or(Start::Offset(self.offset), Start::After)
    }
}

impl FromQuery for DatabaseFilter {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let limit = filters.number("limit", 1..=1000);
        let offset = filters.number("offset", 0..=u64::from(u32::MAX));
        Some(Self {
            enabled_only: filters.flag("enabled_only"),
            engine_type: filters.parsed("type"),
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            offset: usize::try_from(offset.unwrap_or(0)).ok()?,
            cursor: filters.parsed("cursor"),
            search: filters.text("search").map(str::to_lowercase),
            host: filters.text("host").map(str::to_owned),
            policy_id: filters.text("policy_id").map(str::to_owned),
            engine_id: filters.text("engine_id").map(str::to_owned),
        })
    }
}

/// What to remove beside a database.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DatabaseRemoval {
    /// Delete its backups too, after the grace period; the last good one stays.
    #[param(value_type = Option<bool>)]
    pub(crate) delete_backups: bool,
}

impl FromQuery for DatabaseRemoval {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            delete_backups: filters.flag("delete_backups"),
        })
    }
}

/// A page of databases, by label.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseList {
    /// The databases.
    databases: Vec<Database>,
    /// Databases in this answer.
    count: usize,
    /// Databases that match, on all pages.
    total: usize,
    /// Whether more follow.
    has_more: bool,
    /// Where the next page starts; `null` on the last one.
    next_cursor: Option<String>,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl DatabaseList {
    /// A page with how each database stands, in the same order, as the caller may see it.
    pub(crate) fn new(page: DatabasePage, rpos: &[dilux_core::rpo::Rpo], caller: &Caller) -> Self {
        let views = page.page.items.iter().zip(rpos);
        let databases = views.map(|(view, rpo)| Database::from(view).standing(rpo).seen_by(caller));
        Self {
            count: page.page.items.len(),
            total: page.page.total,
            has_more: page.page.next.is_some(),
            next_cursor: page.page.next.as_ref().map(Position::to_string),
            databases: databases.collect(),
            damaged: page
                .damaged
                .into_iter()
                .map(|(id, reason)| Damaged { id, reason })
                .collect(),
        }
    }
}

/// One database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneDatabase {
    /// The database.
    pub(crate) database: Database,
}

/// A database that was registered or changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseSaved {
    /// What was done. Where no backups are made of the type, it says so.
    #[schema(example = "Database configuration created")]
    pub(crate) message: String,
    /// The database.
    pub(crate) database: Database,
}

/// A removed database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseDeleted {
    /// What was done.
    message: String,
    /// What became of its backups; only when `delete_backups` was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    backups_deleted: Option<BackupsDeleted>,
}

impl DatabaseDeleted {
    /// The answer to a removal.
    pub(crate) fn new(id: &DatabaseId, backups: Option<&crate::app::BackupsDeleted>) -> Self {
        Self {
            message: format!("Database '{id}' deleted"),
            backups_deleted: backups.map(BackupsDeleted::from),
        }
    }
}

/// The policy of a database that names none.
pub(crate) fn policy_source(use_engine_policy: bool, own: Option<PolicyId>) -> PolicyChoice {
    match (use_engine_policy, own) {
        (true, _) => PolicyChoice::Engine,
        (false, Some(id)) => PolicyChoice::Own(id),
        (false, None) => PolicyChoice::Default,
    }
}
