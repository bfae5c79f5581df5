//! Bodies that have several forms, as the OpenAPI document describes them. The readers beside this
//! file take values apart directly.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use crate::wire::engine::NewEngine;

/// A new database: flat, on a new engine, or on a registered one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
#[serde(untagged)]
#[schema(example = json!({
    "name": "Orders", "database_name": "orders", "database_type": "mysql",
    "host": "mysql.example.com", "port": 3306, "username": "orders_backup",
    "password": "secret", "policy_id": "production-standard",
}))]
pub(crate) enum NewDatabaseBody {
    /// The flat body.
    Flat(FlatDatabase),
    /// With an engine that may be new.
    OnNewEngine(DatabaseOnNewEngine),
    /// On a registered engine.
    OnEngine(DatabaseOnEngine),
}

/// The flat body. Without `engine_id`, an engine at `host` and `port` is found or registered.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct FlatDatabase {
    /// Label.
    #[schema(example = "Orders")]
    name: String,
    /// Name on the server.
    #[schema(example = "orders")]
    database_name: String,
    /// Registered engine; then the next three may be absent, and must be its own where they are
    /// not.
    engine_id: Option<String>,
    /// `mysql`, `postgresql` or `sqlserver`.
    #[schema(example = "mysql")]
    database_type: Option<String>,
    /// Host name or address.
    #[schema(example = "mysql.example.com")]
    host: Option<String>,
    /// TCP port.
    #[schema(example = 3306, minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// How connections are protected at least: a registered engine that protects less is refused, a
    /// new one gets this mode. `prefer`, `require` or `verify-full`.
    #[schema(example = "verify-full")]
    tls_mode: Option<String>,
    /// `false` when absent.
    use_engine_credentials: Option<bool>,
    /// Its own way to sign in.
    #[schema(example = "user_password")]
    auth_method: Option<String>,
    /// Its own account.
    #[schema(example = "orders_backup")]
    username: Option<String>,
    /// Its own password; never shown again.
    #[schema(write_only)]
    password: Option<String>,
    /// Tenant of the app that signs in (`azure_ad`), by id or domain.
    tenant_id: Option<String>,
    /// Client id of the app (`azure_ad`) or of a user-assigned identity (`managed_identity`). Without
    /// it the service signs in as itself.
    client_id: Option<String>,
    /// Secret of the app; never shown again.
    #[schema(write_only)]
    client_secret: Option<String>,
    /// In place of account and password, and of the address where that is sent:
    /// `Server=…;User Id=…;Password=…` or `postgresql://…`, `mysql://…`. Kept nowhere as a whole.
    #[schema(write_only)]
    connection_string: Option<String>,
    /// Policy; `production-standard` when absent.
    #[schema(example = "production-standard")]
    policy_id: Option<String>,
    /// Whether it follows its engine's policy.
    use_engine_policy: Option<bool>,
    /// Whether the scheduler backs it up; `true` when absent.
    enabled: Option<bool>,
    /// How much of its changes may be lost at most, in minutes; derived from the policy when absent.
    #[schema(minimum = 15, maximum = 527_040)]
    rpo_minutes: Option<u32>,
    /// Whether its backups are compressed, or how: `true`, `false`, `gzip`, `zstd`, `none`.
    #[schema(value_type = Option<CompressionBody>)]
    compression: (),
    /// `gzip`, `zstd` or `none`.
    compression_method: Option<String>,
    /// Container of its data, when it is not the installation's.
    #[schema(example = "backups-of-finance")]
    backup_destination: Option<String>,
    /// Free labels.
    tags: Option<BTreeMap<String, String>>,
}

/// A database with the engine that it is on, which is registered when there is none at its address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct DatabaseOnNewEngine {
    /// The engine.
    engine: NewEngine,
    /// The database.
    database: NestedDatabase,
}

/// A database on a registered engine.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct DatabaseOnEngine {
    /// The engine.
    #[schema(example = "6f1c3b1e-7f1c-4a53-9c3e-1f2d3c4b5a69")]
    engine_id: String,
    /// The database.
    database: NestedDatabase,
}

/// A database without its engine.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct NestedDatabase {
    /// Name on the server.
    #[schema(example = "app_db")]
    name: String,
    /// Label; the name when absent.
    #[schema(example = "Staging App DB")]
    alias: Option<String>,
    /// How connections are protected at least: a registered engine that protects less is refused, a
    /// new one gets this mode. `prefer`, `require` or `verify-full`.
    #[schema(example = "verify-full")]
    tls_mode: Option<String>,
    /// `true` when absent and no credentials are sent.
    use_engine_credentials: Option<bool>,
    /// Its own way to sign in.
    #[schema(example = "user_password")]
    auth_method: Option<String>,
    /// Its own account.
    #[schema(example = "app_user")]
    username: Option<String>,
    /// Its own password; never shown again.
    #[schema(write_only)]
    password: Option<String>,
    /// Tenant of the app that signs in (`azure_ad`), by id or domain.
    tenant_id: Option<String>,
    /// Client id of the app (`azure_ad`) or of a user-assigned identity (`managed_identity`). Without
    /// it the service signs in as itself.
    client_id: Option<String>,
    /// Secret of the app; never shown again.
    #[schema(write_only)]
    client_secret: Option<String>,
    /// In place of account and password, and of the address where that is sent:
    /// `Server=…;User Id=…;Password=…` or `postgresql://…`, `mysql://…`. Kept nowhere as a whole.
    #[schema(write_only)]
    connection_string: Option<String>,
    /// Policy; `production-standard` when absent.
    #[schema(example = "production-standard")]
    backup_policy_id: Option<String>,
    /// Whether it follows its engine's policy.
    use_engine_policy: Option<bool>,
    /// Whether the scheduler backs it up; `true` when absent.
    enabled: Option<bool>,
    /// How much of its changes may be lost at most, in minutes; derived from the policy when absent.
    #[schema(minimum = 15, maximum = 527_040)]
    rpo_minutes: Option<u32>,
    /// Whether its backups are compressed, or how: `true`, `false`, `gzip`, `zstd`, `none`.
    #[schema(value_type = Option<CompressionBody>)]
    compression: (),
    /// `gzip`, `zstd` or `none`.
    compression_method: Option<String>,
    /// Container of its data, when it is not the installation's.
    #[schema(example = "backups-of-finance")]
    backup_destination: Option<String>,
    /// Free labels.
    tags: Option<BTreeMap<String, String>>,
}

/// Whether and how backups are compressed.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) enum CompressionBody {
    /// Whether.
    Flag(bool),
    /// `gzip`, `zstd` or `none`.
    Method(String),
}

/// A connection that is not saved: with `username` and `password`, or with the stored credentials
/// of an engine, which are sent to that engine's own address only.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct ConnectionFormBody {
    /// `mysql`, `postgresql` or `sqlserver`.
    #[schema(example = "postgresql")]
    database_type: String,
    /// Host name or address.
    #[schema(example = "db.example.com")]
    host: String,
    /// TCP port.
    #[schema(example = 5432, minimum = 1, maximum = 65535)]
    port: u16,
    /// How the connection is protected at least: `prefer`, `require` or `verify-full`. An engine that
    /// is registered at this address may demand more.
    #[schema(example = "verify-full")]
    tls_mode: Option<String>,
    /// Name on the server.
    #[schema(example = "orders")]
    database_name: String,
    /// Account.
    username: Option<String>,
    /// How to sign in; with `username` and `password` when absent.
    auth_method: Option<String>,
    /// Password.
    #[schema(write_only)]
    password: Option<String>,
    /// Tenant of the app that signs in (`azure_ad`), by id or domain.
    tenant_id: Option<String>,
    /// Client id of the app (`azure_ad`) or of a user-assigned identity (`managed_identity`).
    client_id: Option<String>,
    /// Secret of the app.
    #[schema(write_only)]
    client_secret: Option<String>,
    /// In place of all of the above: `Server=…;User Id=…;Password=…`, `postgresql://…` or
    /// `mysql://…`.
    #[schema(write_only)]
    connection_string: Option<String>,
    /// Engine whose stored credentials to use.
    engine_id: Option<String>,
    /// Whether to use them; `false` when absent.
    use_engine_credentials: Option<bool>,
}

/// Databases to register on an engine.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct NewImportBody {
    /// The databases. An entry may also be just the name.
    databases: Vec<NewImportEntry>,
    /// Whether they sign in as their engine does (`true` when absent), else with a copy of its
    /// credentials.
    use_engine_credentials: Option<bool>,
}

/// A database to register on an engine.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct NewImportEntry {
    /// Name on the server.
    #[schema(example = "orders_db")]
    name: String,
    /// Label; the name when absent.
    #[schema(example = "Orders")]
    alias: Option<String>,
    /// Policy; `production-standard` when absent.
    policy_id: Option<String>,
    /// Whether it follows its engine's policy.
    use_engine_policy: Option<bool>,
}
