//! What a job is about, resolved once at its start from one consistent look.

use async_trait::async_trait;
use dilux_core::access::SignIn;
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

#[async_trait]
impl Renew for Account {
    async fn credentials(&self) -> Result<Credentials, Failure> {
        let sign_in = match &self.database {
            Some(database) => SignIn::of_database(database, &self.engine),
            None => SignIn::of_engine(&self.engine),
        };
        self.installation.access().credentials(&sign_in).await
    }
}
