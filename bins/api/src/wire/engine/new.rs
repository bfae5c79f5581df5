//! New engines as clients send them.

use dilux_core::model::{
    AuthMethod, ClientId, EngineType, EntraIdentity, Host, Label, MaxJobs, PolicyId, Port,
    TenantId, TlsMode, UserName,
};
use dilux_core::secret::SecretValue;
use utoipa::ToSchema;

use crate::input::{Fields, FromFields};
use crate::wire::sign_in::SignIn;

/// A new engine.
#[derive(Debug, Clone, ToSchema)]
pub(crate) struct NewEngine {
    /// Label, 1–100 characters.
    #[schema(value_type = String, example = "Production MySQL")]
    pub(crate) name: Label,
    /// `mysql`, `postgresql`, or `sqlserver`, which is connected to, but not backed up.
    #[schema(value_type = String, example = "mysql")]
    pub(crate) engine_type: EngineType,
    /// Host name or address.
    #[schema(value_type = String, example = "mysql.example.com")]
    pub(crate) host: Host,
    /// TCP port; the type's usual one when absent.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535, example = 3306)]
    pub(crate) port: Port,
    /// How connections to it are protected, also for its databases: `prefer` encrypts when the server
    /// can, `require` always, and `verify-full` verifies the certificate and its name as well.
    /// `prefer` when absent.
    #[schema(value_type = Option<String>, example = "verify-full")]
    pub(crate) tls_mode: TlsMode,
    /// How to sign in: `user_password`, `connection_string`, `managed_identity`, `azure_ad`.
    #[schema(value_type = Option<String>, example = "user_password")]
    pub(crate) auth_method: Option<AuthMethod>,
    /// Account.
    #[schema(value_type = Option<String>, example = "backup_user")]
    pub(crate) username: Option<UserName>,
    /// Password; never shown again.
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub(crate) password: Option<SecretValue>,
    /// Tenant of the app that signs in (`azure_ad`), by id or domain.
    #[schema(value_type = Option<String>, example = "72f988bf-86f1-41af-91ab-2d7cd011db47")]
    pub(crate) tenant_id: Option<TenantId>,
    /// Client id of the app (`azure_ad`) or of a user-assigned identity (`managed_identity`). Without
    /// it the service signs in as itself.
    #[schema(value_type = Option<String>)]
    pub(crate) client_id: Option<ClientId>,
    /// Secret of the app; never shown again.
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub(crate) client_secret: Option<SecretValue>,
    /// In place of account, password and address: `Server=…;User Id=…;Password=…`,
    /// `postgresql://…` or `mysql://…`. Taken apart before the rest is read, and kept nowhere as a
    /// whole.
    #[schema(value_type = Option<String>, write_only)]
    #[expect(dead_code, reason = "describes a field that is taken apart before")]
    pub(crate) connection_string: (),
    /// Policy that its databases may inherit.
    #[schema(value_type = Option<String>)]
    pub(crate) policy_id: Option<PolicyId>,
    /// How many jobs it bears at once, 1–64; the setting's number when absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 64)]
    pub(crate) max_jobs: Option<MaxJobs>,
    /// Whether to ask it for its databases at once.
    #[schema(value_type = Option<bool>)]
    pub(crate) discover_databases: bool,
}

impl NewEngine {
    /// Who signs in at Entra ID.
    pub(crate) fn identity(&self) -> EntraIdentity {
        EntraIdentity {
            tenant_id: self.tenant_id.clone(),
            client_id: self.client_id.clone(),
        }
    }

    /// Password, or secret of the app.
    pub(crate) fn secret(&self) -> Option<&SecretValue> {
        self.password.as_ref().or(self.client_secret.as_ref())
    }
}

impl FromFields for NewEngine {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let name = fields.required("name");
        let engine_type: Option<EngineType> = fields.required("engine_type");
        let host = fields.required("host");
        let port = fields.optional("port");
        let tls_mode = fields.optional("tls_mode").unwrap_or_default();
        let sign_in = SignIn::read(fields);
        let policy_id = fields.optional("policy_id");
        let max_jobs = fields.optional("max_jobs");
        let discover_databases = fields.optional("discover_databases").unwrap_or(false);
        let engine_type = engine_type?;
        let (password, client_secret) = match sign_in.auth_method {
            Some(AuthMethod::AzureAd) => (None, sign_in.secret),
            _ => (sign_in.secret, None),
        };
        Some(Self {
            name: name?,
            engine_type,
            host: host?,
            port: port.unwrap_or(engine_type.default_port()),
            tls_mode,
            auth_method: sign_in.auth_method,
            username: sign_in.username,
            password,
            tenant_id: sign_in.identity.tenant_id,
            client_id: sign_in.identity.client_id,
            client_secret,
            connection_string: (),
            policy_id,
            max_jobs,
            discover_databases,
        })
    }
}
