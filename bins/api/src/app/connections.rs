//! Connection tests: of an engine, of a database, and of a form that is not saved yet.

use std::time::{Duration, Instant};

use dilux_core::access::{database_credentials, engine_credentials};
use dilux_core::model::{
    AuditAction, Credentials, DatabaseId, DatabaseName, Engine, EngineId, EngineType,
    ServerIdentity,
};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_core::{Error, Result};
use dilux_drivers::{Target, TlsMode};
use serde_json::json;

use super::audit::Event;
use super::{Application, engines, refuse};
use crate::caller::Caller;
use crate::permission::Permission;
use crate::wire::database::{ConnectionForm, FormCredentials};

/// Outcome of a connection test.
#[derive(Debug)]
pub(crate) struct ConnectionTest {
    /// The server, or why it could not be reached.
    pub(crate) outcome: Result<ServerIdentity, Failure>,
    /// From the start to the outcome.
    pub(crate) duration: Duration,
}

/// What a test asks.
struct Question<'a> {
    engine_type: EngineType,
    target: Target,
    database: Option<&'a DatabaseName>,
}

impl Application {
    /// Tests the connection to an engine with its stored credentials.
    pub(crate) async fn test_engine(
        &self,
        id: &EngineId,
        caller: &Caller,
    ) -> Result<ConnectionTest> {
        let engine = self.engine(id).await?.value;
        let target = self.engine_target(&engine).await?;
        let question = Question {
            engine_type: engine.engine_type,
            target,
            database: None,
        };
        let test = self.ask(question).await;
        let action = AuditAction::DatabaseTestConnection;
        let details =
            json!({ "engine_id": id.as_str(), "engine_type": engine.engine_type.as_str() });
        self.record(
            caller,
            outcome_event(engines::event(action, &engine, details), &test),
        )
        .await;
        Ok(test)
    }

    /// Tests the connection to a registered database with the credentials that its backups use.
    pub(crate) async fn test_database(
        &self,
        id: &DatabaseId,
        caller: &Caller,
    ) -> Result<ConnectionTest> {
        let view = self.view_database(id).await?;
        let (database, engine) = (&view.database.value, &view.engine);
        let secrets = &*self.installation.storage.secrets;
        let credentials = database_credentials(database, engine, secrets).await;
        let question = Question {
            engine_type: engine.engine_type,
            target: target(engine, credentials.map_err(refuse)?),
            database: Some(&database.database_name),
        };
        let test = self.ask(question).await;
        let action = AuditAction::DatabaseTestConnection;
        let details = json!({ "engine_id": engine.id.as_str(), "database_name": database.database_name.as_str() });
        let event = super::databases::event(action, database, details);
        self.record(caller, outcome_event(event, &test)).await;
        Ok(test)
    }

    /// Tests what a form holds. Stored credentials are sent to the stored host only; credentials of
    /// the form, to a host of its choice, only for those who may manage engines.
    pub(crate) async fn test_form(
        &self,
        form: &ConnectionForm,
        caller: &Caller,
    ) -> Result<ConnectionTest> {
        let target = match &form.credentials {
            FormCredentials::Own(credentials) => {
                caller.require(Permission::ManageEngines)?;
                Target {
                    host: form.host.clone(),
                    port: form.port,
                    credentials: credentials.clone(),
                    tls: TlsMode::default(),
                    addresses: Vec::new(),
                }
            }
            FormCredentials::OfEngine(id) => {
                let engine = self.engine(id).await?.value;
                form.require_address_of(&engine)?;
                self.engine_target(&engine).await?
            }
        };
        let question = Question {
            engine_type: form.engine_type,
            target,
            database: Some(&form.database_name),
        };
        let test = self.ask(question).await;
        let event = Event {
            action: AuditAction::DatabaseTestConnection,
            resource_type: dilux_core::model::AuditResourceType::Database,
            resource_id: String::new(),
            resource_name: form.database_name.to_string(),
            details: json!({
                "database_type": form.engine_type.as_str(),
                "host": form.host.as_str(),
                "port": form.port.get(),
            }),
            failure: None,
        };
        self.record(caller, outcome_event(event, &test)).await;
        Ok(test)
    }

    /// Tests the connection to a server with credentials that need not be stored.
    pub(super) async fn test_target(
        &self,
        engine_type: EngineType,
        target: Target,
    ) -> ConnectionTest {
        let question = Question {
            engine_type,
            target,
            database: None,
        };
        self.ask(question).await
    }

    /// Tests the connection to a database of a server.
    pub(super) async fn test_database_at(
        &self,
        engine_type: EngineType,
        target: Target,
        database: &DatabaseName,
    ) -> ConnectionTest {
        let question = Question {
            engine_type,
            target,
            database: Some(database),
        };
        self.ask(question).await
    }

    /// Where an engine is, with its credentials.
    pub(super) async fn engine_target(&self, engine: &Engine) -> Result<Target> {
        if engine.auth_method.is_none() {
            return Err(Error::Refused(
                "Engine has no credentials configured".to_owned(),
            ));
        }
        let secrets = &*self.installation.storage.secrets;
        let credentials = engine_credentials(engine, secrets).await.map_err(refuse)?;
        Ok(target(engine, credentials))
    }

    async fn ask(&self, question: Question<'_>) -> ConnectionTest {
        let Ok(_permit) = self.probes.acquire().await else {
            let closed = Failure::new(FailureKind::Internal, "no more tests are started");
            return ConnectionTest {
                outcome: Err(closed),
                duration: Duration::ZERO,
            };
        };
        let started = Instant::now();
        let outcome = match self.drivers.for_engine(question.engine_type) {
            Ok(driver) => driver.probe(&question.target, question.database).await,
            Err(failure) => Err(failure),
        };
        ConnectionTest {
            outcome: outcome.map(|probe| probe.server),
            duration: started.elapsed(),
        }
    }
}

/// Where an engine is, with these credentials.
pub(super) fn target(engine: &Engine, credentials: Credentials) -> Target {
    Target {
        host: engine.host.clone(),
        port: engine.port,
        credentials,
        tls: TlsMode::default(),
        addresses: Vec::new(),
    }
}

fn outcome_event(mut event: Event, test: &ConnectionTest) -> Event {
    event.failure = test
        .outcome
        .as_ref()
        .err()
        .map(|failure| failure.message.clone());
    event
}
