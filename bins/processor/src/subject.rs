//! What a job is about, resolved once at its start from one consistent look.

use async_trait::async_trait;
use dilux_core::access::{Secret, SignIn};
use dilux_core::installation::Installation;
use dilux_core::model::{Credentials, Database, DatabaseId, Engine, EngineId};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Renew, Renewal, Target};

use crate::Processor;
use crate::bookkeeping::storage_failure;

/// A database with its engine.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) database: Database,
    pub(crate) engine: Engine,
}

impl Processor {
    /// The database and its engine; `None` when the database is registered no more.
    pub(crate) async fn subject(&self, id: &DatabaseId) -> Result<Option<Subject>, Failure> {
        let found = self.installation.repositories.databases.get(id).await;
        let found = found.map_err(|e| storage_failure("the database could not be read", &e))?;
        let Some(database) = found else {
            return Ok(None);
        };
        let database = database.value;
        let engine = self.engine(&database.engine_id).await?;
        Ok(Some(Subject { database, engine }))
    }

    /// An engine that must exist.
    pub(crate) async fn engine(&self, id: &EngineId) -> Result<Engine, Failure> {
        let found = self.installation.repositories.engines.get(id).await;
        let found = found.map_err(|e| storage_failure("the engine could not be read", &e))?;
        found.map(|engine| engine.value).ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                format!("the engine '{id}' is registered no more; register it again"),
            )
        })
    }

    /// How to reach the subject's server with the subject's credentials.
    pub(crate) async fn target(&self, subject: &Subject) -> Result<Target, Failure> {
        let Subject { database, engine } = subject;
        self.open(engine, Some(database)).await
    }

    /// How to reach an engine with its own credentials.
    pub(crate) async fn engine_target(&self, engine: &Engine) -> Result<Target, Failure> {
        self.open(engine, None).await
    }

    async fn open(&self, engine: &Engine, database: Option<&Database>) -> Result<Target, Failure> {
        let renewal = Account {
            installation: self.installation.clone(),
            engine: engine.clone(),
            database: database.cloned(),
        };
        let credentials = renewal.credentials().await?;
        Ok(Target {
            renewal: Some(Renewal::new(renewal)),
            ..Target::of_engine(engine, credentials)
        })
    }
}

/// What a job signs in as, again and again where it lasts longer than a token.
#[derive(Debug)]
struct Account {
    installation: Installation,
    engine: Engine,
    database: Option<Database>,
}

impl Account {
    async fn open(
        &self,
        engine: &Engine,
        database: Option<&Database>,
    ) -> Result<Credentials, Failure> {
        let sign_in = sign_in(engine, database);
        self.installation.access().credentials(&sign_in).await
    }

    /// The rows as they are now.
    async fn read_again(&self) -> Result<Option<(Engine, Option<Database>)>, Failure> {
        let repositories = &self.installation.repositories;
        let failed = |error| storage_failure("the credentials could not be read again", &error);
        let engine = repositories.engines.get(&self.engine.id).await;
        let Some(engine) = engine.map_err(failed)? else {
            return Ok(None);
        };
        let Some(before) = &self.database else {
            return Ok(Some((engine.value, None)));
        };
        let database = repositories.databases.get(&before.id).await;
        let database = database.map_err(failed)?;
        Ok(database.map(|database| (engine.value, Some(database.value))))
    }
}

#[async_trait]
impl Renew for Account {
    /// A password that was changed since the rows were read has another name, and the old one is
    /// gone. The new one goes to the server that it was given for, and to no other.
    async fn credentials(&self) -> Result<Credentials, Failure> {
        let database = self.database.as_ref();
        let failure = match self.open(&self.engine, database).await {
            Err(failure) if failure.kind == FailureKind::Configuration => failure,
            outcome => return outcome,
        };
        let Some((engine, again)) = self.read_again().await? else {
            return Err(failure);
        };
        if !is_same_server(&self.engine, &engine) || !is_on(again.as_ref(), &engine) {
            let message = format!(
                "engine '{}' was moved to another server; try again",
                engine.name
            );
            return Err(Failure::new(FailureKind::Unreachable, message));
        }
        let names = |engine, database| match sign_in(engine, database).secret {
            Secret::Kept(name) => name.cloned(),
            Secret::Given(_) => None,
        };
        if names(&engine, again.as_ref()) == names(&self.engine, database) {
            return Err(failure);
        }
        self.open(&engine, again.as_ref()).await
    }
}

fn sign_in<'a>(engine: &'a Engine, database: Option<&'a Database>) -> SignIn<'a> {
    match database {
        Some(database) => SignIn::of_database(database, engine),
        None => SignIn::of_engine(engine),
    }
}

fn is_same_server(one: &Engine, other: &Engine) -> bool {
    let server = |engine: &Engine| (engine.engine_type, engine.port, engine.tls_mode);
    server(one) == server(other) && one.host == other.host
}

fn is_on(database: Option<&Database>, engine: &Engine) -> bool {
    database.is_none_or(|database| database.engine_id == engine.id)
}

#[cfg(test)]
mod tests;
