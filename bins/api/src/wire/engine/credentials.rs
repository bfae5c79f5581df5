//! Credentials of engines on the wire.

use dilux_core::model::{
    self, AuthMethod, ClientId, DatabaseId, Host, Port, TenantId, TlsMode, UserName,
};
use dilux_core::secret::SecretValue;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Engine, EngineTest};
use crate::app::{AppliedCredentials, CredentialUpdate, CredentialView};
use crate::input::{Fields, FromFields, Patch};
use crate::wire::sign_in::{IdentityChange, SignInPatch};

/// New credentials of an engine. Absent fields stay as they are.
#[derive(Debug)]
pub(crate) struct CredentialChange {
    /// How to sign in.
    pub(crate) auth_method: Option<AuthMethod>,
    /// Account.
    pub(crate) username: Patch<UserName>,
    /// New password; empty or absent keeps the present one.
    pub(crate) password: Option<SecretValue>,
    /// Tenant of the app.
    pub(crate) tenant_id: Patch<TenantId>,
    /// The app, or the user-assigned identity.
    pub(crate) client_id: Patch<ClientId>,
    /// New secret of the app; empty or absent keeps the present one.
    pub(crate) client_secret: Option<SecretValue>,
    /// New host, where the server has moved; then the password is asked for again.
    pub(crate) host: Option<Host>,
    /// New port; then the password is asked for again.
    pub(crate) port: Option<Port>,
    /// How connections are protected from now on, also in the test.
    pub(crate) tls_mode: Option<TlsMode>,
    /// Whether to sign in with them first, and to change nothing when that fails; `true` when
    /// absent.
    pub(crate) is_tested: bool,
}

impl CredentialChange {
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

impl FromFields for CredentialChange {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let sign_in = SignInPatch::read(fields);
        Some(Self {
            auth_method: match sign_in.auth_method {
                Patch::Set(method) => Some(method),
                Patch::Keep | Patch::Clear => None,
            },
            username: match sign_in.username {
                Patch::Clear => Patch::Keep,
                other => other,
            },
            password: sign_in.password,
            tenant_id: sign_in.tenant_id,
            client_id: sign_in.client_id,
            client_secret: sign_in.client_secret,
            host: fields.optional("host"),
            port: fields.optional("port"),
            tls_mode: fields.optional("tls_mode"),
            is_tested: fields.optional("test").unwrap_or(true),
        })
    }
}

/// New credentials of an engine, as they are sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct CredentialChangeBody {
    /// How to sign in.
    #[schema(example = "user_password")]
    auth_method: Option<String>,
    /// Account; empty or absent keeps the present one.
    #[schema(example = "backup_user")]
    username: Option<String>,
    /// New password; empty or absent keeps the present one.
    #[schema(format = Password, write_only)]
    password: Option<String>,
    /// Tenant of the app that signs in (`azure_ad`), by id or domain.
    tenant_id: Option<String>,
    /// Client id of the app (`azure_ad`) or of a user-assigned identity (`managed_identity`); `null`
    /// or empty lets the service sign in as itself.
    client_id: Option<String>,
    /// New secret of the app; empty or absent keeps the present one, unless tenant, app, host or port
    /// change.
    #[schema(format = Password, write_only)]
    client_secret: Option<String>,
    /// In place of account and password, and of the address where that is sent:
    /// `Server=…;User Id=…;Password=…` or `postgresql://…`, `mysql://…`. Kept nowhere as a whole.
    #[schema(write_only)]
    connection_string: Option<String>,
    /// New host, where the server has moved; then the password is asked for again.
    host: Option<String>,
    /// New port; then the password is asked for again.
    #[schema(minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// How connections are protected from now on, also in the test: `prefer`, `require` or
    /// `verify-full`.
    #[schema(example = "verify-full")]
    tls_mode: Option<String>,
    /// Whether to sign in with them first, and to change nothing when that fails; `true` when
    /// absent.
    test: Option<bool>,
}

/// Which databases are to sign in as their engine does: `database_ids`, or `all`.
#[derive(Debug)]
pub(crate) struct CredentialSelection {
    /// These; `None` means all of the engine.
    pub(crate) database_ids: Option<Vec<DatabaseId>>,
    /// Whether to open each with the engine's credentials first.
    pub(crate) is_tested: bool,
}

impl FromFields for CredentialSelection {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let is_tested = fields.optional("test").unwrap_or(true);
        let all = fields.optional("all").unwrap_or(false);
        let ids: Vec<DatabaseId> = fields.values("database_ids");
        let is_named = !fields.list("database_ids").is_empty();
        match (all, is_named) {
            (true, true) => {
                fields.problem("all", "contradicts database_ids; send one of them");
                None
            }
            (false, false) => {
                fields.problem("database_ids", "is required, or all: true");
                None
            }
            (true, false) => Some(Self {
                database_ids: None,
                is_tested,
            }),
            (false, true) => Some(Self {
                database_ids: Some(ids),
                is_tested,
            }),
        }
    }
}

/// Which databases are to sign in as their engine does.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct CredentialSelectionBody {
    /// Ids of databases of this engine.
    database_ids: Option<Vec<String>>,
    /// All of its databases, in place of `database_ids`.
    all: Option<bool>,
    /// Whether to open each with the engine's credentials first, and to leave it as it is when that
    /// fails; `true` when absent.
    test: Option<bool>,
}

/// A database beside its engine's credentials.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialUser {
    /// Id.
    id: String,
    /// Label.
    name: String,
    /// Name on the server.
    database_name: String,
}

impl From<&model::Database> for CredentialUser {
    fn from(database: &model::Database) -> Self {
        Self {
            id: database.id.to_string(),
            name: database.label.to_string(),
            database_name: database.database_name.to_string(),
        }
    }
}

/// Which databases sign in as their engine does, and which by themselves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialSplit {
    /// Those that follow a change of the engine's credentials.
    inheriting: Vec<CredentialUser>,
    /// How many those are.
    inheriting_count: usize,
    /// Those with credentials of their own, which a change leaves alone.
    own: Vec<CredentialUser>,
    /// How many those are.
    own_count: usize,
}

impl From<&CredentialView> for CredentialSplit {
    fn from(view: &CredentialView) -> Self {
        let users = |databases: &[model::Database]| -> Vec<CredentialUser> {
            databases.iter().map(CredentialUser::from).collect()
        };
        Self {
            inheriting: users(&view.inheriting),
            inheriting_count: view.inheriting.len(),
            own: users(&view.own),
            own_count: view.own.len(),
        }
    }
}

/// How an engine is signed in to, and who does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineCredentials {
    /// The engine.
    engine: Engine,
    /// Its databases.
    databases: CredentialSplit,
}

impl From<&CredentialView> for EngineCredentials {
    fn from(view: &CredentialView) -> Self {
        Self {
            engine: Engine::from(&view.engine.value),
            databases: CredentialSplit::from(view),
        }
    }
}

/// Credentials that were changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialsChanged {
    /// What happened.
    message: &'static str,
    /// The engine.
    engine: Engine,
    /// The test that they passed; `null` when none was wanted.
    test: Option<EngineTest>,
    /// Which of its databases sign in with them from now on, and which do not.
    databases: CredentialSplit,
}

impl From<CredentialUpdate> for CredentialsChanged {
    fn from(update: CredentialUpdate) -> Self {
        Self {
            message: "Engine credentials updated",
            engine: Engine::from(&update.view.engine.value),
            databases: CredentialSplit::from(&update.view),
            test: update.test.map(EngineTest::from),
        }
    }
}

/// A database that keeps its own credentials.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotApplied {
    /// Id of the database.
    database_id: String,
    /// Why.
    error: String,
}

/// What became of the databases.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialsApplied {
    /// Ids of those that sign in as their engine does now.
    updated: Vec<String>,
    /// Ids of those that did so before.
    unchanged: Vec<String>,
    /// Those that keep their own credentials.
    errors: Vec<NotApplied>,
    /// How many were changed.
    total_updated: usize,
    /// How many keep their own.
    total_errors: usize,
    /// All databases of the engine afterwards.
    databases: CredentialSplit,
}

impl From<AppliedCredentials> for CredentialsApplied {
    fn from(applied: AppliedCredentials) -> Self {
        let ids = |ids: &[DatabaseId]| ids.iter().map(ToString::to_string).collect();
        let errors = applied.errors.iter().map(|(id, reason)| NotApplied {
            database_id: id.to_string(),
            error: reason.clone(),
        });
        Self {
            updated: ids(&applied.updated),
            unchanged: ids(&applied.unchanged),
            errors: errors.collect(),
            total_updated: applied.updated.len(),
            total_errors: applied.errors.len(),
            databases: CredentialSplit::from(&applied.view),
        }
    }
}
