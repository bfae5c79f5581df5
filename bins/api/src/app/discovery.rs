//! Discovery of an engine's databases, and registering what was found.

use std::collections::BTreeMap;

use dilux_core::custody::SecretOwner;
use dilux_core::model::{
    AuditAction, AuthMethod, CredentialSource, Database, DatabaseId, DatabaseName, Engine,
    EngineId, PolicySource,
};
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::{Error, Result};
use serde_json::{Value, json};

use super::{Application, RACES, databases, engines, is_lost_race};
use crate::caller::Caller;
use crate::permission::Permission;
use crate::wire::database::{ImportEntry, NewImport};

/// A database found on a server, or registered and not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundDatabase {
    /// Name on the server.
    pub(crate) name: DatabaseName,
    /// Whether it belongs to the server itself.
    pub(crate) is_system: bool,
    /// Id under which it is registered.
    pub(crate) registered_as: Option<DatabaseId>,
    /// Whether it is registered but not on the server.
    pub(crate) is_missing: bool,
}

/// What a discovery found.
#[derive(Debug)]
pub(crate) struct Discovery {
    /// The engine.
    pub(crate) engine: Engine,
    /// The databases by name, missing ones last.
    pub(crate) databases: Vec<FoundDatabase>,
    /// Why they are not backed up, if they are not.
    pub(crate) no_backups: Option<String>,
}

/// What became of an import.
#[derive(Debug)]
pub(crate) struct Import {
    /// The engine.
    pub(crate) engine: Engine,
    /// Databases registered.
    pub(crate) created: Vec<Database>,
    /// Entries refused: what was sent as the name, and why.
    pub(crate) refused: Vec<(Value, String)>,
    /// Why they are not backed up, if they are not.
    pub(crate) no_backups: Option<String>,
}

impl Application {
    /// Asks an engine for its databases.
    pub(crate) async fn discover(&self, id: &EngineId, caller: &Caller) -> Result<Discovery> {
        let engine = self.engine(id).await?.value;
        if !engine.has_credentials() {
            return Err(Error::Refused(
                "Engine doesn't have credentials for database discovery".to_owned(),
            ));
        }
        let target = self.engine_target(&engine).await?;
        let found = {
            let _permit = self.probes.acquire().await;
            match self.drivers.connector(engine.engine_type) {
                Ok(connector) => connector.discover(&target).await,
                Err(failure) => Err(failure),
            }
        };
        let details = json!({
            "engine_id": id.as_str(),
            "engine_type": engine.engine_type.as_str(),
            "databases_found": found.as_ref().map(Vec::len).unwrap_or_default(),
        });
        let mut event = engines::event(AuditAction::EngineDiscovered, &engine, details);
        event.failure = found.as_ref().err().map(|failure| failure.message.clone());
        self.record(caller, event).await;
        let found = found.map_err(|failure| {
            Error::Refused(format!("Failed to discover databases: {}", failure.message))
        })?;
        self.note_discovery(id).await?;
        let found = found
            .into_iter()
            .map(|it| (it.name, it.is_system))
            .collect();
        let databases = self.compare(id, found).await?;
        Ok(Discovery {
            no_backups: self.no_backups_of(engine.engine_type),
            engine,
            databases,
        })
    }

    /// Puts what was found beside what is registered.
    async fn compare(
        &self,
        id: &EngineId,
        found: BTreeMap<DatabaseName, bool>,
    ) -> Result<Vec<FoundDatabase>> {
        let mut registered: BTreeMap<DatabaseName, DatabaseId> = self
            .databases_of(id)
            .await?
            .into_iter()
            .map(|database| (database.value.database_name, database.value.id))
            .collect();
        let mut databases: Vec<FoundDatabase> = found
            .into_iter()
            .map(|(name, is_system)| FoundDatabase {
                registered_as: registered.remove(&name),
                name,
                is_system,
                is_missing: false,
            })
            .collect();
        databases.extend(registered.into_iter().map(|(name, id)| FoundDatabase {
            name,
            is_system: false,
            registered_as: Some(id),
            is_missing: true,
        }));
        Ok(databases)
    }

    /// Notes the time of a successful discovery on the engine.
    async fn note_discovery(&self, id: &EngineId) -> Result<()> {
        let engines = &self.installation.repositories.engines;
        for _ in 0..RACES {
            let Some(present) = engines.get(id).await? else {
                return Ok(());
            };
            let mut engine = present.value;
            engine.last_discovery = Some(self.installation.clock.now());
            match engines.replace(engine, &present.version).await {
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Registers databases of an engine. One bad entry does not stop the others.
    pub(crate) async fn import(
        &self,
        id: &EngineId,
        new: NewImport,
        caller: &Caller,
    ) -> Result<Import> {
        if !new.use_engine_credentials {
            caller.require(Permission::ManageEngines)?;
        }
        let engine = self.engine(id).await?.value;
        if new.entries.is_empty() {
            return Err(Error::Refused("No databases specified".to_owned()));
        }
        let mut import = Import {
            no_backups: self.no_backups_of(engine.engine_type),
            engine,
            created: Vec::new(),
            refused: Vec::new(),
        };
        for (sent, entry) in new.entries {
            let outcome = match entry {
                Ok(entry) => {
                    self.import_one(&import.engine, entry, new.use_engine_credentials, caller)
                        .await
                }
                Err(problems) => Err(Error::Invalid(problems)),
            };
            match outcome {
                Ok(database) => import.created.push(database),
                Err(error @ (Error::Unavailable { .. } | Error::Internal { .. })) => {
                    return Err(error);
                }
                Err(error) => import.refused.push((sent, error.to_string())),
            }
        }
        Ok(import)
    }

    async fn import_one(
        &self,
        engine: &Engine,
        entry: ImportEntry,
        use_engine_credentials: bool,
        caller: &Caller,
    ) -> Result<Database> {
        let turn = self.registration.take().await?;
        self.require_staying(&engine.id).await?;
        self.require_free_name(engine, &entry.name, None, "name")
            .await?;
        if let PolicySource::Own(policy) = &entry.policy {
            self.require_policy("policy_id", policy).await?;
        }
        let now = self.installation.clock.now();
        let mut database = Database {
            id: DatabaseId::random(&*self.installation.random),
            engine_id: engine.id.clone(),
            label: entry.alias,
            database_name: entry.name,
            credentials: CredentialSource::Engine,
            policy: entry.policy,
            enabled: true,
            rpo_minutes: None,
            compression: self.default_compression().await?,
            destination: None,
            tags: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            created_by: Some(caller.user_email.clone()),
        };
        let secret = if use_engine_credentials {
            None
        } else {
            self.secret_of(engine).await?
        };
        let custody = self.installation.custody();
        let owner = SecretOwner::Database(database.id.clone());
        let exchange = custody.first(owner, secret.as_ref()).await?;
        if !use_engine_credentials {
            database.credentials = as_its_own(engine, exchange.name().cloned());
        }
        let databases = &self.installation.repositories.databases;
        turn.require()?;
        let inserted = databases.insert(database).await;
        let stored = custody.end(exchange, inserted).await?.value;
        drop(turn);
        let mut details = databases::creation_details(&stored, engine);
        if let Value::Object(details) = &mut details {
            details.insert("from_discovery".to_owned(), Value::Bool(true));
        }
        let event = databases::event(AuditAction::DatabaseCreated, &stored, details);
        self.record(caller, event).await;
        Ok(stored)
    }

    /// The secret that an engine names.
    async fn secret_of(&self, engine: &Engine) -> Result<Option<SecretValue>> {
        let Some(name) = &engine.secret else {
            return Ok(None);
        };
        match self.installation.storage.secrets.get(name).await? {
            Some(secret) => Ok(Some(secret)),
            None => Err(Error::Conflict(format!(
                "the password of engine '{}' was changed in the meantime, or is gone; try again",
                engine.name
            ))),
        }
    }
}

/// The engine's credentials as a database's own.
fn as_its_own(engine: &Engine, secret: Option<SecretName>) -> CredentialSource {
    CredentialSource::Own {
        auth_method: engine.auth_method.unwrap_or(AuthMethod::UserPassword),
        username: engine.username.clone(),
        identity: engine.identity.clone(),
        secret,
    }
}
