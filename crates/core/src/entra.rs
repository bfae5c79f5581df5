//! Tokens of Entra ID, which database servers of Azure take in the place of passwords. They are kept
//! in memory until shortly before they expire, and nowhere else.

mod refusal;
mod transport;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;

use self::transport::Refusing;
use crate::config::{EntraSettings, IdentitySetting};
use crate::model::EngineType;
use crate::random::SharedRandom;
use crate::secret::SecretValue;
use crate::storage::azure::{AzureTimeouts, http_transport, token_credential};
use crate::storage::{Retry, RetryPolicy, StorageError, StorageErrorKind, StorageResult};
use crate::transfer::{Failure, FailureKind};

/// What a token is asked for with, for messages and retries.
const OPERATION: &str = "get token";

/// Gets tokens. Cheap to clone; clones share what they keep.
///
/// One request at a time is sent for each identity. An answer that may be better a moment later (no
/// connection, 429, 5xx) is asked for again as the policy says.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    settings: EntraSettings,
    retry: Retry,
    transport: Mutex<Option<Arc<dyn HttpClient>>>,
    sources: Mutex<HashMap<Identity, Source>>,
}

/// Who a token is for; the secret apart, which may be exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Identity {
    Managed(Option<String>),
    Workload,
    App { tenant: String, client: String },
}

/// Gives and keeps the tokens of one identity.
struct Source {
    credential: Arc<dyn TokenCredential>,
    secret: Option<SecretValue>,
}

impl Tokens {
    /// Tokens as the settings say, tried for as long as `policy` says. Sends nothing.
    pub fn new(settings: &EntraSettings, policy: RetryPolicy, random: SharedRandom) -> Self {
        Self(Arc::new(Inner {
            settings: settings.clone(),
            retry: Retry::new(policy, random),
            transport: Mutex::default(),
            sources: Mutex::default(),
        }))
    }

    /// The same over a transport of the caller's, such as one that plays Entra ID.
    #[must_use]
    pub fn over(self, transport: Arc<dyn HttpClient>) -> Self {
        *lock(&self.0.transport) = Some(Arc::new(Refusing(transport)));
        self
    }

    /// As what and for whom tokens are made.
    pub fn settings(&self) -> &EntraSettings {
        &self.0.settings
    }

    /// A token of `identity` for servers of `engine_type`, good for five minutes at least. Fails
    /// with `Authentication` when Entra ID says no, and with `Unreachable` when it does not answer.
    pub async fn token(
        &self,
        identity: &IdentitySetting,
        engine_type: EngineType,
    ) -> Result<SecretValue, Failure> {
        let scope = self.0.settings.cloud.database_scope(engine_type);
        let token = match self.credential(identity) {
            Ok(credential) => {
                let attempt = || ask(&*credential, scope);
                self.0.retry.run(OPERATION, 0, attempt).await
            }
            Err(error) => Err(error),
        };
        token.map_err(|error| explain(identity, &error))
    }

    fn credential(&self, identity: &IdentitySetting) -> StorageResult<Arc<dyn TokenCredential>> {
        let (name, secret) = parts(identity);
        let mut sources = lock(&self.0.sources);
        if let Some(source) = sources.get(&name)
            && source.secret.as_ref() == secret
        {
            return Ok(Arc::clone(&source.credential));
        }
        let credential = token_credential(identity, &self.transport()?)?;
        let source = Source {
            credential: Arc::clone(&credential),
            secret: secret.cloned(),
        };
        sources.insert(name, source);
        Ok(credential)
    }

    fn transport(&self) -> StorageResult<Arc<dyn HttpClient>> {
        let mut transport = lock(&self.0.transport);
        if let Some(transport) = &*transport {
            return Ok(Arc::clone(transport));
        }
        let made =
            Arc::new(Refusing(http_transport(AzureTimeouts::default())?)) as Arc<dyn HttpClient>;
        *transport = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The identity without its secret, and the secret.
fn parts(identity: &IdentitySetting) -> (Identity, Option<&SecretValue>) {
    match identity {
        IdentitySetting::Managed { client_id } => (Identity::Managed(client_id.clone()), None),
        IdentitySetting::Workload => (Identity::Workload, None),
        IdentitySetting::ClientSecret {
            tenant_id,
            client_id,
            secret,
        } => {
            let (tenant, client) = (tenant_id.clone(), client_id.clone());
            (Identity::App { tenant, client }, Some(secret))
        }
    }
}

async fn ask(credential: &dyn TokenCredential, scope: &str) -> StorageResult<SecretValue> {
    let answer = credential.get_token(&[scope], None).await;
    let token = answer.map_err(|error| refusal::storage_error(&error))?;
    let text = token.token.secret();
    // What is missing in an answer is read as empty; what is no text would break the tools' files.
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(refusal::unreadable());
    }
    Ok(SecretValue::new(text))
}

/// Who got no token, and why, without a secret.
fn explain(identity: &IdentitySetting, error: &StorageError) -> Failure {
    let (who, advice) = match identity {
        IdentitySetting::Managed { client_id: None } => (
            "the managed identity of this machine or container".to_owned(),
            "check that it has one, or name a user-assigned one by client_id",
        ),
        IdentitySetting::Managed {
            client_id: Some(id),
        } => (
            format!("the managed identity '{id}'"),
            "check that it is assigned to this machine or container",
        ),
        IdentitySetting::Workload => (
            "the workload identity".to_owned(),
            "check its federated credential",
        ),
        IdentitySetting::ClientSecret {
            tenant_id,
            client_id,
            ..
        } => (
            format!("the app '{client_id}' of tenant '{tenant_id}'"),
            "check tenant, client id and client secret",
        ),
    };
    let said = match parts(identity).1 {
        Some(secret) => error.message().replace(secret.expose(), "…"),
        None => error.message().to_owned(),
    };
    if error.is_transient() {
        let message = format!("{who} could not be given a token: {said}");
        return Failure::new(FailureKind::Unreachable, message);
    }
    let kind = if error.kind() == StorageErrorKind::Denied {
        FailureKind::Authentication
    } else {
        FailureKind::Configuration
    };
    Failure::new(kind, format!("{who} gets no token: {said}; {advice}"))
}
