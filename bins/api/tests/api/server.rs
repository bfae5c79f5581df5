//! A database server that is only played: it knows one password, lists what a test says, and
//! remembers who came to it with what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dilux_core::model::{
    CredentialKind, DatabaseName, EngineType, Fingerprint, ServerIdentity, TlsMode,
};
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};
use dilux_drivers::{
    Connector, DiscoveredDatabase, Driver, Drivers, Probe, RestorePlan, RunningDump, Target, Tools,
};

/// The password that it accepts.
pub(crate) const PASSWORD: &str = "open sesame";

/// The token that it accepts; it begins as the mark that must be found nowhere.
pub(crate) const TOKEN: &str = "cAnArY17.token.of.entra";

/// The server.
#[derive(Debug, Default)]
pub(crate) struct PlayedServer {
    /// What it lists: name, and whether it belongs to the server.
    pub(crate) databases: Mutex<Vec<(&'static str, bool)>>,
    /// Where clients meant to go, with which password.
    pub(crate) visits: Mutex<Vec<(String, String)>>,
    /// How each of them was to be protected.
    pub(crate) modes: Mutex<Vec<TlsMode>>,
    /// Hosts whose certificates nobody trusts.
    pub(crate) untrusted: Mutex<Vec<&'static str>>,
    /// Hosts at which nothing answers.
    pub(crate) down: Mutex<Vec<&'static str>>,
}

impl PlayedServer {
    /// Drivers of two engine types that all lead here; SQL Server can only be connected to, as in this
    /// version.
    pub(crate) fn drivers(self: &Arc<Self>) -> Drivers {
        let played = |engine_type| {
            Arc::new(PlayedDriver {
                engine_type,
                server: self.clone(),
            })
        };
        let drivers: Vec<Arc<dyn Driver>> =
            vec![played(EngineType::MySql), played(EngineType::PostgreSql)];
        Drivers::of(drivers, Tools::default()).with_connector(played(EngineType::SqlServer))
    }

    fn admit(&self, target: &Target) -> Result<(), Failure> {
        let password = target.credentials.password.expose().to_owned();
        if self.down.lock().unwrap().contains(&target.host.as_str()) {
            let message = format!("nothing answers at '{}'", target.host);
            return Err(Failure::new(FailureKind::Unreachable, message));
        }
        self.modes.lock().unwrap().push(target.tls_mode);
        if target.tls_mode == TlsMode::VerifyFull
            && self
                .untrusted
                .lock()
                .unwrap()
                .contains(&target.host.as_str())
        {
            let message = format!("the certificate of {} is not trusted", target.host);
            return Err(Failure::new(FailureKind::Configuration, message));
        }
        let is_right = match target.credentials.kind {
            CredentialKind::Password => password == PASSWORD,
            CredentialKind::Token => password == TOKEN && target.tls_mode == TlsMode::VerifyFull,
        };
        let address = format!("{}:{}", target.host, target.port);
        self.visits.lock().unwrap().push((address, password));
        if is_right {
            Ok(())
        } else {
            Err(Failure::new(
                FailureKind::Authentication,
                format!("the server refused user '{}'", target.credentials.username),
            ))
        }
    }
}

#[derive(Debug)]
struct PlayedDriver {
    engine_type: EngineType,
    server: Arc<PlayedServer>,
}

fn not_played() -> Failure {
    Failure::new(FailureKind::Internal, "the API does not dump or restore")
}

#[async_trait]
impl Connector for PlayedDriver {
    fn engine_type(&self) -> EngineType {
        self.engine_type
    }

    async fn probe(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<Probe, Failure> {
        self.server.admit(target)?;
        let databases = self.server.databases.lock().unwrap();
        let is_unknown = database.is_some_and(|wanted| {
            !databases.is_empty() && databases.iter().all(|(name, _)| *name != wanted.as_str())
        });
        if is_unknown {
            return Err(Failure::new(
                FailureKind::UnknownDatabase,
                "there is no such database",
            ));
        }
        Ok(Probe {
            server: ServerIdentity {
                flavour: "played".to_owned(),
                version: "1.0".to_owned(),
            },
            latency: Duration::from_millis(1),
        })
    }

    async fn discover(&self, target: &Target) -> Result<Vec<DiscoveredDatabase>, Failure> {
        self.server.admit(target)?;
        let databases = self.server.databases.lock().unwrap();
        Ok(databases
            .iter()
            .map(|(name, is_system)| DiscoveredDatabase {
                name: name.parse().unwrap(),
                is_system: *is_system,
            })
            .collect())
    }
}

#[async_trait]
impl Driver for PlayedDriver {
    async fn dump(&self, _: &Target, _: &DatabaseName) -> Result<RunningDump, Failure> {
        Err(not_played())
    }

    async fn restore(&self, _: &Target, _: &RestorePlan) -> Result<Box<dyn RestoreSink>, Failure> {
        Err(not_played())
    }

    async fn drop_rehearsal(&self, _: &Target, _: &DatabaseName) -> Result<(), Failure> {
        Ok(())
    }

    async fn fingerprint(&self, _: &Target, _: &DatabaseName) -> Result<Fingerprint, Failure> {
        Err(not_played())
    }
}
