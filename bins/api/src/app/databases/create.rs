//! Registering a database, with its engine when that is new.

use dilux_core::custody::SecretOwner;
use dilux_core::error::FieldProblem;
use dilux_core::model::{
    AuditAction, AuthMethod, Compression, CredentialSource, Database, DatabaseId, Engine, PolicyId,
    PolicySource,
};
use dilux_core::repository::Versioned;
use dilux_core::schedule::DEFAULT_POLICY;
use dilux_core::secret::SecretName;
use dilux_core::{Error, Result};

use super::{DatabaseView, creation_details, event};
use crate::app::engines::require_protection;
use crate::app::{Application, engines};
use crate::caller::Caller;
use crate::permission::Permission;
use crate::wire::database::{EngineChoice, NewDatabase, PolicyChoice};
use crate::wire::engine::NewEngine;
use crate::wire::sign_in::SignIn;

/// The engine of a new database.
enum EngineOf {
    /// It is there.
    Present(Box<Engine>),
    /// It is to be registered first.
    New(Box<NewEngine>),
}

impl Application {
    /// Registers a database. When that fails, an engine that was registered for it goes again.
    pub(crate) async fn create_database(
        &self,
        new: NewDatabase,
        caller: &Caller,
    ) -> Result<DatabaseView> {
        if new.own_credentials.is_some() {
            caller.require(Permission::ManageEngines)?;
        }
        let turn = self.registration.take().await?;
        let policy = self.policy_of(&new.policy).await?;
        let engine = self.choose_engine(&new.engine).await?;
        if let EngineOf::Present(engine) = &engine {
            self.require_staying(&engine.id).await?;
            self.require_free_name(engine, &new.database_name, None, "database_name")
                .await?;
        }
        let is_new_engine = matches!(engine, EngineOf::New(_));
        if is_new_engine {
            caller.require(Permission::ManageEngines)?;
        }
        turn.require()?;
        let view = match engine {
            EngineOf::Present(engine) => {
                let database = self.insert_database(&engine, new, (policy, caller));
                DatabaseView {
                    database: database.await?,
                    engine: *engine,
                }
            }
            EngineOf::New(engine) => {
                let engine = self.insert_engine(*engine, caller).await?;
                self.insert_on_new(engine, new, (policy, caller)).await?
            }
        };
        drop(turn);
        if is_new_engine {
            self.record_engine_created(caller, &view.engine).await;
        }
        let details = creation_details(&view.database.value, &view.engine);
        let event = event(AuditAction::DatabaseCreated, &view.database.value, details);
        self.record(caller, event).await;
        Ok(view)
    }

    /// Registers a database on an engine that was registered for it, and goes again when the
    /// database is not registered.
    async fn insert_on_new(
        &self,
        engine: Versioned<Engine>,
        new: NewDatabase,
        followed: (PolicySource, &Caller),
    ) -> Result<DatabaseView> {
        match self.insert_database(&engine.value, new, followed).await {
            Ok(database) => Ok(DatabaseView {
                database,
                engine: engine.value,
            }),
            Err(error) => {
                if let Err(second) = self.take_back(engine).await {
                    tracing::warn!(error = %second, "an engine stays that was registered for a database which is not");
                }
                Err(error)
            }
        }
    }

    /// Removes an engine that was just registered, unless a database is on it: a write that was not
    /// answered may have happened.
    async fn take_back(&self, engine: Versioned<Engine>) -> Result<()> {
        let id = &engine.value.id;
        if !self.databases_of(id).await?.is_empty() {
            return Ok(());
        }
        let custody = self.installation.custody();
        let owner = SecretOwner::Engine(id.clone());
        let exchange = custody.removal(owner, engine.value.secret.as_ref()).await?;
        let engines = &self.installation.repositories.engines;
        let deleted = engines.delete(id, &engine.version).await;
        Ok(custody.end(exchange, deleted).await?)
    }

    /// The policy to follow, which must exist.
    async fn policy_of(&self, choice: &PolicyChoice) -> Result<PolicySource> {
        match choice {
            PolicyChoice::Engine => Ok(PolicySource::Engine),
            PolicyChoice::Default => Ok(PolicySource::Own(default_policy()?)),
            PolicyChoice::Own(id) => {
                self.require_policy("policy_id", id).await?;
                Ok(PolicySource::Own(id.clone()))
            }
        }
    }

    async fn choose_engine(&self, choice: &EngineChoice) -> Result<EngineOf> {
        match choice {
            EngineChoice::Existing { id, tls_mode, .. } => {
                let Some(engine) = self.installation.repositories.engines.get(id).await? else {
                    let reason = format!("there is no engine '{id}'");
                    return Err(Error::invalid("engine_id", reason));
                };
                require_agreement(choice, &engine.value)?;
                require_protection(&engine.value, *tls_mode)?;
                Ok(EngineOf::Present(Box::new(engine.value)))
            }
            EngineChoice::At(engine_type, host, port, tls_mode) => {
                let address = engines::EngineAddress::new(*engine_type, host, *port);
                if let Some(engine) = self.engine_at(&address).await? {
                    require_protection(&engine.value, Some(*tls_mode))?;
                    return Ok(EngineOf::Present(Box::new(engine.value)));
                }
                let (host, port) = (host.clone(), *port);
                let new = engines::described_by_address(*engine_type, host, port, *tls_mode)?;
                Ok(EngineOf::New(Box::new(new)))
            }
            EngineChoice::Described(new) => self.find_or_describe(new).await,
        }
    }

    /// The engine at the address of a description. One that is there keeps its credentials, so a
    /// description that brings others is refused.
    async fn find_or_describe(&self, new: &NewEngine) -> Result<EngineOf> {
        let address = engines::EngineAddress::new(new.engine_type, &new.host, new.port);
        let Some(engine) = self.engine_at(&address).await? else {
            if let Some(policy) = &new.policy_id {
                self.require_policy("engine.policy_id", policy).await?;
            }
            return Ok(EngineOf::New(Box::new(new.clone())));
        };
        if new.auth_method.is_some() || new.username.is_some() || new.password.is_some() {
            let engine = &engine.value;
            return Err(Error::Refused(format!(
                "An engine for {} at {}:{} already exists; send its engine_id '{}' instead of \
                 other credentials for it",
                engine.engine_type, engine.host, engine.port, engine.id
            )));
        }
        require_protection(&engine.value, Some(new.tls_mode))?;
        Ok(EngineOf::Present(Box::new(engine.value)))
    }

    async fn insert_database(
        &self,
        engine: &Engine,
        new: NewDatabase,
        (policy, caller): (PolicySource, &Caller),
    ) -> Result<Versioned<Database>> {
        let present = self.default_compression().await?;
        let id = DatabaseId::random(&*self.installation.random);
        let custody = self.installation.custody();
        let owner = SecretOwner::Database(id.clone());
        let own = new.own_credentials.as_ref();
        let secret = own.and_then(|sign_in| sign_in.secret.as_ref());
        let exchange = custody.first(owner, secret).await?;
        let credentials = new
            .own_credentials
            .map_or(CredentialSource::Engine, |sign_in| {
                own_credentials(sign_in, exchange.name().cloned())
            });
        let now = self.installation.clock.now();
        let database = Database {
            id,
            engine_id: engine.id.clone(),
            label: new.label,
            database_name: new.database_name,
            credentials,
            policy,
            enabled: new.enabled,
            rpo_minutes: new.rpo_minutes,
            compression: new.compression.over(present),
            destination: new.destination,
            tags: new.tags.0,
            created_at: now,
            updated_at: now,
            created_by: Some(caller.user_email.clone()),
        };
        let databases = &self.installation.repositories.databases;
        let inserted = databases.insert(database).await;
        Ok(custody.end(exchange, inserted).await?)
    }

    /// Compression of databases that name none.
    pub(in crate::app) async fn default_compression(&self) -> Result<Compression> {
        let settings = self.installation.repositories.settings.get().await?;
        Ok(settings.map_or_else(Compression::default, |settings| {
            settings.value.default_compression
        }))
    }
}

fn own_credentials(sign_in: SignIn, secret: Option<SecretName>) -> CredentialSource {
    CredentialSource::Own {
        auth_method: sign_in.auth_method.unwrap_or(AuthMethod::UserPassword),
        username: sign_in.username,
        identity: sign_in.identity,
        secret,
    }
}

/// What is said beside an engine's id must be what the engine is.
fn require_agreement(choice: &EngineChoice, engine: &Engine) -> Result<()> {
    let EngineChoice::Existing {
        engine_type,
        host,
        port,
        ..
    } = choice
    else {
        return Ok(());
    };
    let is_other_host = host
        .as_ref()
        .is_some_and(|host| !host.as_str().eq_ignore_ascii_case(engine.host.as_str()));
    let problems: Vec<FieldProblem> = [
        (
            "database_type",
            engine_type.is_some_and(|kind| kind != engine.engine_type),
        ),
        ("host", is_other_host),
        ("port", port.is_some_and(|port| port != engine.port)),
    ]
    .into_iter()
    .filter(|(_, is_wrong)| *is_wrong)
    .map(|(field, _)| FieldProblem {
        field: field.to_owned(),
        reason: "is not the engine's; leave it out or send another engine_id".to_owned(),
    })
    .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

fn default_policy() -> Result<PolicyId> {
    DEFAULT_POLICY
        .parse()
        .map_err(|error: dilux_core::model::InvalidId| Error::internal("name policy", error))
}
