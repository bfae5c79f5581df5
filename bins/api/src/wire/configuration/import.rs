//! A configuration as it is read: each field by the rules of the route that changes it alone.

use std::collections::BTreeSet;

use dilux_core::model::{
    AuthMethod, DatabaseId, DatabaseName, Destination, EngineId, EngineType, Host, Label, MaxJobs,
    PolicyId, Port, RpoMinutes, TlsMode, UserName,
};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{FORMAT, VERSION};
use crate::input::{Fields, Filters, FromFields, FromQuery, Patch, Tags};
use crate::wire::database::{CompressionChoice, PolicyChoice, policy_source};
use crate::wire::policy::PolicySettings;
use crate::wire::settings::SettingsChange;
use crate::wire::sign_in::IdentityPatch;

/// What secrets are called where they may be sent.
const SECRETS: [&str; 3] = ["password", "client_secret", "connection_string"];

/// A configuration to be imported. Lists that are absent are empty.
#[derive(Debug)]
pub(crate) struct ConfigurationImport {
    /// Settings.
    pub(crate) settings: Option<SettingsChange>,
    /// Policies.
    pub(crate) policies: Vec<PolicyEntry>,
    /// Engines.
    pub(crate) engines: Vec<EngineEntry>,
    /// Databases.
    pub(crate) databases: Vec<DatabaseEntry>,
}

/// A policy.
#[derive(Debug)]
pub(crate) struct PolicyEntry {
    /// Id.
    pub(crate) id: PolicyId,
    /// Label.
    pub(crate) name: Label,
    /// Whether it came with the product.
    pub(crate) is_system: bool,
    /// Everything else.
    pub(crate) settings: PolicySettings,
}

/// An engine.
#[derive(Debug)]
pub(crate) struct EngineEntry {
    /// Id.
    pub(crate) id: EngineId,
    /// Label.
    pub(crate) name: Label,
    /// Type.
    pub(crate) engine_type: EngineType,
    /// Host.
    pub(crate) host: Host,
    /// Port.
    pub(crate) port: Port,
    /// How connections to it are protected; `None` leaves it as it is.
    pub(crate) tls_mode: Option<TlsMode>,
    /// How to sign in; `None` leaves it as it is.
    pub(crate) auth_method: Option<AuthMethod>,
    /// Account; `None` leaves it as it is.
    pub(crate) username: Option<UserName>,
    /// Who signs in at Entra ID.
    pub(crate) identity: IdentityPatch,
    /// Policy that its databases may inherit.
    pub(crate) policy_id: Patch<PolicyId>,
    /// How many jobs it bears at once.
    pub(crate) max_jobs: Patch<MaxJobs>,
}

/// A database.
#[derive(Debug)]
pub(crate) struct DatabaseEntry {
    /// Id.
    pub(crate) id: DatabaseId,
    /// Its engine.
    pub(crate) engine_id: EngineId,
    /// Label.
    pub(crate) name: Label,
    /// Name on the server.
    pub(crate) database_name: DatabaseName,
    /// Whether it signs in as its engine does.
    pub(crate) use_engine_credentials: bool,
    /// Its own way to sign in; `None` leaves it as it is.
    pub(crate) auth_method: Option<AuthMethod>,
    /// Its own account; `None` leaves it as it is.
    pub(crate) username: Option<UserName>,
    /// Who signs in at Entra ID of its own.
    pub(crate) identity: IdentityPatch,
    /// Which policy it follows.
    pub(crate) policy: PolicyChoice,
    /// Whether the scheduler backs it up.
    pub(crate) enabled: Option<bool>,
    /// How much of its changes may be lost at most.
    pub(crate) rpo_minutes: Patch<RpoMinutes>,
    /// Compression.
    pub(crate) compression: CompressionChoice,
    /// Container of its data.
    pub(crate) destination: Patch<Destination>,
    /// Free labels, all of them.
    pub(crate) tags: Option<Tags>,
}

impl FromFields for ConfigurationImport {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        if fields
            .required::<String>("format")
            .is_some_and(|it| it != FORMAT)
        {
            fields.problem("format", format!("must be {FORMAT}"));
        }
        if fields
            .required::<u32>("version")
            .is_some_and(|it| u64::from(it) != VERSION)
        {
            fields.problem(
                "version",
                format!("must be {VERSION}, the only one there is"),
            );
        }
        let settings = fields.object("settings");
        Some(Self {
            settings: settings.and_then(|settings| SettingsChange::read(&settings)),
            policies: entries(fields, "policies", |entry: &PolicyEntry| entry.id.as_str()),
            engines: entries(fields, "engines", |entry: &EngineEntry| entry.id.as_str()),
            databases: entries(fields, "databases", |entry: &DatabaseEntry| {
                entry.id.as_str()
            }),
        })
    }
}

/// The entries of a list. An id that stands twice is noted.
fn entries<T: FromFields>(fields: &Fields<'_>, name: &str, id: impl Fn(&T) -> &str) -> Vec<T> {
    let mut ids = BTreeSet::new();
    let mut found = Vec::new();
    for entry in fields.objects(name) {
        for secret in SECRETS {
            if entry.is_given(secret) {
                let reason = "is no part of a configuration; leave it out, and set it afterwards";
                entry.problem(secret, reason);
            }
        }
        let Some(thing) = T::read(&entry) else {
            continue;
        };
        if !ids.insert(id(&thing).to_owned()) {
            entry.problem("id", "stands twice in the list");
        }
        found.push(thing);
    }
    found
}

impl FromFields for PolicyEntry {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (id, name) = (fields.required("id"), fields.required("name"));
        let is_system = fields.optional("is_system").unwrap_or(false);
        let settings = PolicySettings::read(fields);
        Some(Self {
            id: id?,
            name: name?,
            is_system,
            settings: settings?,
        })
    }
}

impl FromFields for EngineEntry {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (id, name) = (fields.required("id"), fields.required("name"));
        let engine_type: Option<EngineType> = fields.required("engine_type");
        let (host, port) = (fields.required("host"), fields.optional("port"));
        let tls_mode = fields.optional("tls_mode");
        let (auth_method, username) = read_sign_in(fields);
        let identity = IdentityPatch::read(fields);
        let (policy_id, max_jobs) = (fields.patch("policy_id"), fields.patch("max_jobs"));
        let engine_type = engine_type?;
        Some(Self {
            id: id?,
            name: name?,
            engine_type,
            host: host?,
            port: port.unwrap_or(engine_type.default_port()),
            tls_mode,
            auth_method,
            username,
            identity,
            policy_id,
            max_jobs,
        })
    }
}

impl FromFields for DatabaseEntry {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (id, engine_id) = (fields.required("id"), fields.required("engine_id"));
        let (name, database_name) = (fields.required("name"), fields.required("database_name"));
        let (auth_method, username) = read_sign_in(fields);
        let identity = IdentityPatch::read(fields);
        let has_own = auth_method.is_some() || username.is_some() || identity.names_somebody();
        let uses_engine = fields
            .optional("use_engine_credentials")
            .unwrap_or(!has_own);
        let use_engine_policy = fields.optional("use_engine_policy").unwrap_or(false);
        let policy = policy_source(use_engine_policy, fields.optional("policy_id"));
        let (enabled, tags) = (fields.changed("enabled"), fields.changed("tags"));
        let (rpo_minutes, destination) = (
            fields.patch("rpo_minutes"),
            fields.patch("backup_destination"),
        );
        let compression = CompressionChoice::read(fields);
        Some(Self {
            id: id?,
            engine_id: engine_id?,
            name: name?,
            database_name: database_name?,
            use_engine_credentials: uses_engine,
            auth_method,
            username,
            identity,
            policy,
            enabled,
            rpo_minutes,
            compression,
            destination,
            tags,
        })
    }
}

/// A user name alone means `user_password`, as where credentials are sent.
fn read_sign_in(fields: &Fields<'_>) -> (Option<AuthMethod>, Option<UserName>) {
    let method: Option<AuthMethod> = fields.optional("auth_method");
    let username: Option<UserName> = fields.optional("username");
    let implied = username.as_ref().map(|_| AuthMethod::UserPassword);
    (method.or(implied), username)
}

/// Whether to look only.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConfigurationQuery {
    /// Tell what would be done, and change nothing.
    #[param(value_type = Option<bool>)]
    pub(crate) dry_run: bool,
}

impl FromQuery for ConfigurationQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            dry_run: filters.flag("dry_run"),
        })
    }
}

/// A configuration, as `GET /api/configuration/export` gives it. What is not named is left alone.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
#[schema(example = json!({
    "format": "dilux-configuration", "version": 1,
    "engines": [{
        "id": "6f1c3b1e-7f1c-4a53-9c3e-1f2d3c4b5a69", "name": "Production MySQL",
        "engine_type": "mysql", "host": "mysql.example.com", "port": 3306, "tls_mode": "verify-full",
        "auth_method": "user_password", "username": "backup",
    }],
}))]
pub(crate) struct ConfigurationBody {
    /// `dilux-configuration`.
    format: String,
    /// 1.
    #[schema(minimum = 1, maximum = 1)]
    version: u32,
    /// As `PUT /api/settings` takes them.
    settings: Option<Value>,
    /// As `PUT /api/backup-policies/{policy_id}` takes them, with `id` and `name`.
    policies: Option<Vec<Value>>,
    /// As `POST /api/engines` takes them, with `id` and without passwords.
    engines: Option<Vec<Value>>,
    /// As `POST /api/databases` takes them (the flat body), with `id` and without passwords.
    databases: Option<Vec<Value>>,
}
