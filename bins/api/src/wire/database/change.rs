//! Changes of a database as clients send them.

use dilux_core::model::{
    AuthMethod, ClientId, DatabaseName, Destination, EngineId, EngineType, Host, Label, PolicyId,
    Port, RpoMinutes, TenantId, TlsMode, UserName,
};
use dilux_core::secret::SecretValue;
use utoipa::ToSchema;

use super::body::CompressionBody;
use super::new::{CompressionChoice, read_policy_id};
use crate::input::{Fields, FromFields, Patch, Tags};
use crate::wire::sign_in::{IdentityChange, SignInPatch};

/// A change of a database. Absent fields stay as they are; `database_type`, `host` and `port` may be
/// sent when they are unchanged.
#[derive(Debug, ToSchema)]
pub(crate) struct DatabaseChange {
    /// Label ("alias").
    #[schema(value_type = Option<String>)]
    pub(crate) name: Option<Label>,
    /// Name on the server.
    #[schema(value_type = Option<String>)]
    pub(crate) database_name: Option<DatabaseName>,
    /// The engine to move to, of the same type; the database is opened there first.
    #[schema(value_type = Option<String>)]
    pub(crate) engine_id: Option<EngineId>,
    /// Must be the engine's.
    #[schema(value_type = Option<String>)]
    pub(crate) database_type: Option<EngineType>,
    /// Must be the engine's.
    #[schema(value_type = Option<String>)]
    pub(crate) host: Option<Host>,
    /// Must be the engine's.
    #[schema(value_type = Option<u16>)]
    pub(crate) port: Option<Port>,
    /// How connections are protected at least; refused where its engine protects less.
    #[schema(value_type = Option<String>, example = "verify-full")]
    pub(crate) tls_mode: Option<TlsMode>,
    /// Whether it signs in as its engine does. `true` deletes its own credentials.
    #[schema(value_type = Option<bool>)]
    pub(crate) use_engine_credentials: Option<bool>,
    /// Its own way to sign in.
    #[schema(value_type = Option<String>)]
    pub(crate) auth_method: Patch<AuthMethod>,
    /// Its own account; not looked at while it signs in as its engine does.
    #[schema(value_type = Option<String>)]
    pub(crate) username: Patch<UserName>,
    /// New password of its own; empty or absent keeps the present one.
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
    /// In place of account, password and address (which must be the engine's): `Server=…;User Id=…;Password=…`,
    /// `postgresql://…` or `mysql://…`. Taken apart before the rest is read, and kept nowhere as a
    /// whole.
    #[schema(value_type = Option<String>, write_only)]
    #[expect(dead_code, reason = "describes a field that is taken apart before")]
    pub(crate) connection_string: (),
    /// The policy to follow.
    #[schema(value_type = Option<String>)]
    pub(crate) policy_id: Option<PolicyId>,
    /// Whether it follows its engine's policy.
    #[schema(value_type = Option<bool>)]
    pub(crate) use_engine_policy: Option<bool>,
    /// Whether the scheduler backs it up.
    #[schema(value_type = Option<bool>)]
    pub(crate) enabled: Option<bool>,
    /// How much of its changes may be lost at most, in minutes, 15–527040; `null` derives it from
    /// the policy.
    #[schema(value_type = Option<u32>, minimum = 15, maximum = 527_040)]
    pub(crate) rpo_minutes: Patch<RpoMinutes>,
    /// Whether its backups are compressed, or how. `compression_method` says it too.
    #[schema(value_type = Option<CompressionBody>)]
    pub(crate) compression: CompressionChoice,
    /// Container of its data from now on; `null` for the installation's. Backups that exist stay
    /// where they are.
    #[schema(value_type = Option<String>)]
    pub(crate) destination: Patch<Destination>,
    /// Free labels, all of them.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    pub(crate) tags: Option<Tags>,
}

impl DatabaseChange {
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

impl FromFields for DatabaseChange {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let sign_in = SignInPatch::read(fields);
        let alias = fields.changed("alias");
        Some(Self {
            name: fields.changed("name").or(alias),
            database_name: fields.changed("database_name"),
            engine_id: fields.optional("engine_id"),
            database_type: fields.optional("database_type"),
            host: fields.optional("host"),
            port: fields.optional("port"),
            tls_mode: fields.optional("tls_mode"),
            use_engine_credentials: fields.optional("use_engine_credentials"),
            auth_method: sign_in.auth_method,
            username: sign_in.username,
            password: sign_in.password,
            tenant_id: sign_in.tenant_id,
            client_id: sign_in.client_id,
            client_secret: sign_in.client_secret,
            connection_string: (),
            policy_id: read_policy_id(fields),
            use_engine_policy: fields.optional("use_engine_policy"),
            enabled: fields.changed("enabled"),
            rpo_minutes: fields.patch("rpo_minutes"),
            compression: CompressionChoice::read(fields),
            destination: fields.patch("backup_destination"),
            tags: fields.changed("tags"),
        })
    }
}
