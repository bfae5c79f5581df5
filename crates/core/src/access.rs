//! From a database or engine to the credentials that open it.

use crate::model::{AuthMethod, CredentialSource, Credentials, Database, Engine, UserName};
use crate::secret::{SecretName, SecretStore};
use crate::transfer::{Failure, FailureKind};

/// Credentials that open `engine` itself.
pub async fn engine_credentials(
    engine: &Engine,
    secrets: &dyn SecretStore,
) -> Result<Credentials, Failure> {
    let owner = format!("engine '{}'", engine.name);
    credentials(
        &owner,
        engine.auth_method,
        engine.username.as_ref(),
        engine.secret.as_ref(),
        secrets,
    )
    .await
}

/// Credentials that open `database`: its own, or its engine's.
pub async fn database_credentials(
    database: &Database,
    engine: &Engine,
    secrets: &dyn SecretStore,
) -> Result<Credentials, Failure> {
    match &database.credentials {
        CredentialSource::Engine => engine_credentials(engine, secrets).await,
        CredentialSource::Own {
            auth_method,
            username,
            secret,
        } => {
            let owner = format!("database '{}'", database.label);
            let method = Some(*auth_method);
            credentials(&owner, method, username.as_ref(), secret.as_ref(), secrets).await
        }
    }
}

async fn credentials(
    owner: &str,
    method: Option<AuthMethod>,
    username: Option<&UserName>,
    secret: Option<&SecretName>,
    secrets: &dyn SecretStore,
) -> Result<Credentials, Failure> {
    let configuration = |message: String| Failure::new(FailureKind::Configuration, message);
    match method {
        Some(AuthMethod::UserPassword | AuthMethod::ConnectionString) => {}
        None => {
            return Err(configuration(format!(
                "{owner} has no credentials; add a user name and a password"
            )));
        }
        Some(other) => {
            return Err(configuration(format!(
                "{owner} signs in with '{other}', which this version cannot do yet; give it a \
                 user name and a password"
            )));
        }
    }
    let username =
        username.ok_or_else(|| configuration(format!("{owner} has no user name; add one")))?;
    let name = secret.ok_or_else(|| configuration(format!("{owner} has no password; add one")))?;
    let password = secrets.get(name).await.map_err(|error| {
        tracing::warn!(%error, "secret cannot be read");
        Failure::new(
            FailureKind::Storage,
            "the secret store does not answer; the password could not be read",
        )
    })?;
    let password = password.ok_or_else(|| {
        configuration(format!(
            "the password of {owner} is gone from the secret store; enter it again"
        ))
    })?;
    Ok(Credentials {
        username: username.clone(),
        password,
    })
}
