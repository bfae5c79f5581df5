//! Connection tests: of an engine, of a database, and of a form that is not saved yet.

use std::time::{Duration, Instant};

use dilux_core::access::SignIn;
use dilux_core::model::{
    AuditAction, DatabaseId, DatabaseName, Engine, EngineId, EngineType, Port, ServerIdentity,
};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_core::{Error, Result};
use dilux_drivers::Target;
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
    /// Whether this version speaks to servers of the type.
    pub(crate) is_supported: bool,
    /// Why databases of the type are not backed up, if they are not.
    pub(crate) no_backups: Option<String>,
}

/// What a test asks.
struct Question<'a> {
    engine_type: EngineType,
    target: Opened,
    database: Option<&'a DatabaseName>,
}

/// Where a server is, with credentials for it; or why there is no token, which is found out only by
/// trying, and so is what a test finds.
pub(super) type Opened = Result<Target, Failure>;

impl Application {
    /// Tests the connection to an engine with its stored credentials.
    pub(crate) async fn test_engine(
        &self,
        id: &EngineId,
        caller: &Caller,
    ) -> Result<ConnectionTest> {
        let engine = self.engine(id).await?.value;
        let target = self.open_engine(&engine).await?;
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
        let question = Question {
            engine_type: engine.engine_type,
            target: self
                .reach(&SignIn::of_database(database, engine), engine.port)
                .await?,
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
    /// the form, to a host of its choice, only for those who may manage engines. Neither is protected
    /// less than the engine there is.
    pub(crate) async fn test_form(
        &self,
        form: &ConnectionForm,
        caller: &Caller,
    ) -> Result<ConnectionTest> {
        let target = match &form.credentials {
            FormCredentials::Own(own) => {
                caller.require(Permission::ManageEngines)?;
                let (engine_type, host, port) = (form.engine_type, &form.host, form.port);
                let address = engines::EngineAddress::new(engine_type, host, port);
                let registered = self.engine_at(&address).await?;
                let mode = registered.map(|engine| engine.value.tls_mode);
                let target = self.reach(&form.sign_in(own), form.port).await?;
                target.map(|target| target.protected(mode.unwrap_or_default()))
            }
            FormCredentials::OfEngine(id) => {
                let engine = self.engine(id).await?.value;
                form.require_address_of(&engine)?;
                let target = self.open_engine(&engine).await?;
                target.map(|target| target.protected(form.tls_mode))
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
        target: Opened,
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
        target: Opened,
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
        self.open_engine(engine).await?.map_err(refuse)
    }

    /// Where an engine is, with its credentials, as far as they can be had.
    pub(super) async fn open_engine(&self, engine: &Engine) -> Result<Opened> {
        if engine.auth_method.is_none() {
            return Err(Error::Refused(
                "Engine has no credentials configured".to_owned(),
            ));
        }
        self.reach(&SignIn::of_engine(engine), engine.port).await
    }

    /// Why databases on engines of this type are not backed up; nothing where they are.
    pub(crate) fn no_backups_of(&self, engine_type: EngineType) -> Option<String> {
        let driver = self.drivers.for_engine(engine_type);
        driver.err().map(|failure| failure.message)
    }

    /// The server that `sign_in` is for. Fails when something is not set up, or not readable.
    pub(super) async fn reach(&self, sign_in: &SignIn<'_>, port: Port) -> Result<Opened> {
        if let Err(failure) = self.drivers.connector(sign_in.engine_type) {
            return Ok(Err(failure));
        }
        match self.installation.access().credentials(sign_in).await {
            Ok(credentials) => {
                let host = sign_in.host.clone();
                let target = Target::at(host, port, credentials);
                Ok(Ok(target.protected(sign_in.tls_mode)))
            }
            Err(failure) if is_found_by_trying(failure.kind) => Ok(Err(failure)),
            Err(failure) => Err(refuse(failure)),
        }
    }

    async fn ask(&self, question: Question<'_>) -> ConnectionTest {
        let Ok(_permit) = self.probes.acquire().await else {
            let closed = Failure::new(FailureKind::Internal, "no more tests are started");
            return ConnectionTest {
                outcome: Err(closed),
                duration: Duration::ZERO,
                is_supported: true,
                no_backups: None,
            };
        };
        let started = Instant::now();
        let connector = self.drivers.connector(question.engine_type);
        let is_supported = connector.is_ok();
        let outcome = match (connector, question.target) {
            (Ok(connector), Ok(target)) => connector.probe(&target, question.database).await,
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        };
        ConnectionTest {
            outcome: outcome.map(|probe| probe.server),
            duration: started.elapsed(),
            is_supported,
            no_backups: self.no_backups_of(question.engine_type),
        }
    }
}

/// Whether nobody could have known before: Entra ID said no, or nothing.
fn is_found_by_trying(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Authentication | FailureKind::Unreachable)
}

fn outcome_event(mut event: Event, test: &ConnectionTest) -> Event {
    event.failure = test
        .outcome
        .as_ref()
        .err()
        .map(|failure| failure.message.clone());
    event
}
