//! What a job is about, resolved once at its start from one consistent look.

use dilux_core::access;
use dilux_core::model::{Database, DatabaseId, Engine, EngineId};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Target, TlsMode};

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
        let secrets = &*self.installation.storage.secrets;
        let credentials =
            access::database_credentials(&subject.database, &subject.engine, secrets).await?;
        Ok(target(&subject.engine, credentials))
    }

    /// How to reach an engine with its own credentials.
    pub(crate) async fn engine_target(&self, engine: &Engine) -> Result<Target, Failure> {
        let credentials =
            access::engine_credentials(engine, &*self.installation.storage.secrets).await?;
        Ok(target(engine, credentials))
    }
}

fn target(engine: &Engine, credentials: dilux_core::model::Credentials) -> Target {
    Target {
        host: engine.host.clone(),
        port: engine.port,
        credentials,
        tls: TlsMode::default(),
        addresses: Vec::new(),
    }
}
