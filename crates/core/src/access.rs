//! From a database or engine to the credentials that open it: the kept password, or a token of Entra
//! ID that is fetched for it.

use crate::config::IdentitySetting;
use crate::entra::Tokens;
use crate::model::{
    AuthMethod, ClientId, CredentialSource, Credentials, Database, Engine, EngineType,
    EntraIdentity, Host, TlsMode, UserName,
};
use crate::secret::{SecretName, SecretStore, SecretValue};
use crate::transfer::{Failure, FailureKind};

/// Where passwords are kept and tokens come from.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    secrets: &'a dyn SecretStore,
    tokens: &'a Tokens,
}

/// Where a secret is.
#[derive(Debug, Clone, Copy)]
pub enum Secret<'a> {
    /// In the secret store, if anywhere.
    Kept(Option<&'a SecretName>),
    /// Here, and not kept yet.
    Given(&'a SecretValue),
}

/// How something signs in, and where.
#[derive(Debug, Clone)]
pub struct SignIn<'a> {
    /// What messages call it: `engine 'Sales'`.
    pub owner: String,
    /// How.
    pub method: Option<AuthMethod>,
    /// Account.
    pub username: Option<&'a UserName>,
    /// Who signs in at Entra ID.
    pub identity: &'a EntraIdentity,
    /// Password, or secret of the app.
    pub secret: Secret<'a>,
    /// Type of the server.
    pub engine_type: EngineType,
    /// Its host.
    pub host: &'a Host,
    /// How the connection is protected.
    pub tls_mode: TlsMode,
}

impl<'a> SignIn<'a> {
    /// As `engine` signs in.
    pub fn of_engine(engine: &'a Engine) -> Self {
        Self {
            owner: format!("engine '{}'", engine.name),
            method: engine.auth_method,
            username: engine.username.as_ref(),
            identity: &engine.identity,
            secret: Secret::Kept(engine.secret.as_ref()),
            engine_type: engine.engine_type,
            host: &engine.host,
            tls_mode: engine.tls_mode,
        }
    }

    /// As `database` on `engine` signs in: by itself, or as its engine does.
    pub fn of_database(database: &'a Database, engine: &'a Engine) -> Self {
        match &database.credentials {
            CredentialSource::Engine => Self::of_engine(engine),
            CredentialSource::Own {
                auth_method,
                username,
                identity,
                secret,
            } => Self {
                owner: format!("database '{}'", database.label),
                method: Some(*auth_method),
                username: username.as_ref(),
                identity,
                secret: Secret::Kept(secret.as_ref()),
                ..Self::of_engine(engine)
            },
        }
    }

    /// The same with a secret that is not kept yet, where there is one.
    #[must_use]
    pub fn with_secret(mut self, secret: Option<&'a SecretValue>) -> Self {
        if let Some(secret) = secret {
            self.secret = Secret::Given(secret);
        }
        self
    }
}

impl<'a> Access<'a> {
    /// Access to the passwords in `secrets`, and to `tokens`.
    pub fn new(secrets: &'a dyn SecretStore, tokens: &'a Tokens) -> Self {
        Self { secrets, tokens }
    }

    /// Credentials that open `engine` itself.
    pub async fn engine(self, engine: &Engine) -> Result<Credentials, Failure> {
        self.credentials(&SignIn::of_engine(engine)).await
    }

    /// Credentials that open `database`: its own, or its engine's.
    pub async fn database(
        self,
        database: &Database,
        engine: &Engine,
    ) -> Result<Credentials, Failure> {
        self.credentials(&SignIn::of_database(database, engine))
            .await
    }

    /// Credentials for `sign_in`.
    pub async fn credentials(self, sign_in: &SignIn<'_>) -> Result<Credentials, Failure> {
        let owner = &sign_in.owner;
        let Some(method) = sign_in.method else {
            return Err(configuration(format!(
                "{owner} has no credentials; add a user name and a password"
            )));
        };
        let Some(username) = sign_in.username.cloned() else {
            return Err(configuration(match method {
                AuthMethod::UserPassword | AuthMethod::ConnectionString => {
                    format!("{owner} has no user name; add one")
                }
                AuthMethod::ManagedIdentity | AuthMethod::AzureAd => format!(
                    "{owner} signs in with '{method}' and has no user name; add the name that the \
                     server has for the identity"
                ),
            }));
        };
        let identity = match method {
            AuthMethod::UserPassword | AuthMethod::ConnectionString => {
                let password = self.secret(sign_in, "password").await?;
                return Ok(Credentials::with_password(username, password));
            }
            AuthMethod::ManagedIdentity => self.managed(sign_in.identity),
            AuthMethod::AzureAd => self.app(sign_in).await?,
        };
        self.require_token_host(sign_in)?;
        let token = self.tokens.token(&identity, sign_in.engine_type).await?;
        Ok(Credentials::with_token(username, token))
    }

    async fn secret(self, sign_in: &SignIn<'_>, what: &str) -> Result<SecretValue, Failure> {
        let owner = &sign_in.owner;
        let name = match sign_in.secret {
            Secret::Given(secret) => return Ok(secret.clone()),
            Secret::Kept(name) => name,
        };
        let name = name.ok_or_else(|| configuration(format!("{owner} has no {what}; add one")))?;
        let found = self.secrets.get(name).await.map_err(|error| {
            tracing::warn!(%error, "secret cannot be read");
            Failure::new(
                FailureKind::Storage,
                format!("the secret store does not answer; the {what} could not be read"),
            )
        })?;
        found.ok_or_else(|| {
            configuration(format!(
                "the {what} of {owner} is gone from the secret store; try again in case it was just \
                 changed, or enter it again"
            ))
        })
    }

    fn managed(self, identity: &EntraIdentity) -> IdentitySetting {
        let named = identity.client_id.as_ref().map(ClientId::to_string);
        IdentitySetting::Managed {
            client_id: named.or_else(|| self.tokens.settings().managed_client_id.clone()),
        }
    }

    /// The app that is named, or the service's own.
    async fn app(self, sign_in: &SignIn<'_>) -> Result<IdentitySetting, Failure> {
        let EntraIdentity {
            tenant_id,
            client_id,
        } = sign_in.identity;
        if let (Some(tenant_id), Some(client_id)) = (tenant_id, client_id) {
            return Ok(IdentitySetting::ClientSecret {
                tenant_id: tenant_id.to_string(),
                client_id: client_id.to_string(),
                secret: self.secret(sign_in, "client secret").await?,
            });
        }
        self.tokens.settings().own_app.clone().ok_or_else(|| {
            configuration(format!(
                "{} signs in with 'azure_ad', names no app, and the service has none of its own; \
                 add tenant_id, client_id and client_secret, or set AZURE_TENANT_ID, \
                 AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
                sign_in.owner
            ))
        })
    }

    /// Whoever gets a token may use it at every server that takes the identity.
    fn require_token_host(self, sign_in: &SignIn<'_>) -> Result<(), Failure> {
        let SignIn { host, owner, .. } = sign_in;
        if self.tokens.settings().hosts.may_receive(host) {
            return Ok(());
        }
        Err(configuration(format!(
            "{owner} is not sent a token, because '{host}' is no database server of Azure; if it is \
             one under another name, add that to DILUX_TOKEN_HOSTS"
        )))
    }
}

fn configuration(message: String) -> Failure {
    Failure::new(FailureKind::Configuration, message)
}
