//! MySQL and MariaDB, through their own clients and dump tools. One driver: the flavour of the
//! server and the family of the tool are found out, and decide on options and combinations.

mod choose;
mod create;
mod describe;
mod dump;
mod fingerprint;
mod header;
mod options;
mod reach;
mod relay;
mod restore;
mod session;
mod words;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use dilux_core::model::{DatabaseName, EngineType, Fingerprint, ServerIdentity};
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

use crate::driver::{
    Connector, DiscoveredDatabase, Driver, Probe, RestorePlan, RunningDump, Target,
    require_rehearsal,
};
use crate::drivers::DriverSettings;
use crate::tools::{Family, Tools};
use session::Session;

/// The driver for MySQL 5.7 and later and MariaDB 10.3 and later.
#[derive(Debug, Clone)]
pub(crate) struct MySqlDriver {
    tools: Arc<Tools>,
    settings: DriverSettings,
}

impl MySqlDriver {
    /// A driver over these tools.
    pub(crate) fn new(tools: Arc<Tools>, settings: DriverSettings) -> Self {
        Self { tools, settings }
    }

    async fn narrowed(&self, target: &Target) -> Target {
        reach::narrowed(target, self.settings.deadlines.connect).await
    }

    fn session<'a>(&'a self, target: &'a Target) -> Session<'a> {
        Session {
            tools: &self.tools,
            settings: &self.settings,
            target,
        }
    }
}

/// Databases that belong to the server.
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

#[async_trait]
impl Connector for MySqlDriver {
    fn engine_type(&self) -> EngineType {
        EngineType::MySql
    }

    async fn probe(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<Probe, Failure> {
        let started = Instant::now();
        let target = self.narrowed(target).await;
        let server = server_identity(&self.session(&target), database).await?;
        Ok(Probe {
            server,
            latency: started.elapsed(),
        })
    }

    async fn discover(&self, target: &Target) -> Result<Vec<DiscoveredDatabase>, Failure> {
        let query = "SELECT schema_name FROM information_schema.schemata ORDER BY schema_name;\n";
        let target = self.narrowed(target).await;
        let rows = self.session(&target).rows(None, query).await?;
        rows.into_iter()
            .flatten()
            .map(|name| {
                let is_system = SYSTEM.contains(&name.as_str());
                let name = DatabaseName::try_from(name).map_err(|error| {
                    let message = format!("the server lists a database whose name {error}");
                    Failure::new(FailureKind::Internal, message)
                })?;
                Ok(DiscoveredDatabase { name, is_system })
            })
            .collect()
    }
}

#[async_trait]
impl Driver for MySqlDriver {
    async fn dump(&self, target: &Target, database: &DatabaseName) -> Result<RunningDump, Failure> {
        let target = self.narrowed(target).await;
        dump::start(&self.session(&target), database).await
    }

    async fn restore(
        &self,
        target: &Target,
        plan: &RestorePlan,
    ) -> Result<Box<dyn RestoreSink>, Failure> {
        restore::start(self, &self.narrowed(target).await, plan).await
    }

    async fn drop_rehearsal(
        &self,
        target: &Target,
        database: &DatabaseName,
    ) -> Result<(), Failure> {
        require_rehearsal(database)?;
        let target = self.narrowed(target).await;
        create::drop_if_there(&self.session(&target), database).await
    }

    async fn fingerprint(
        &self,
        target: &Target,
        database: &DatabaseName,
    ) -> Result<Fingerprint, Failure> {
        let target = self.narrowed(target).await;
        fingerprint::take(&self.session(&target), database).await
    }
}

/// What the server says that it is.
async fn server_identity(
    session: &Session<'_>,
    database: Option<&DatabaseName>,
) -> Result<ServerIdentity, Failure> {
    let rows = session
        .rows(database, "SELECT version(), @@version_comment;\n")
        .await?;
    match rows.first().map(Vec::as_slice) {
        Some([version, comment]) => Ok(identity_from(version, comment)),
        _ => Err(Failure::new(
            FailureKind::Internal,
            "the server gave no answer to a question about itself",
        )),
    }
}

/// Some builds and providers name MariaDB only in the comment.
fn identity_from(version: &str, comment: &str) -> ServerIdentity {
    let is_mariadb = version.contains("MariaDB") || comment.to_lowercase().contains("mariadb");
    ServerIdentity {
        flavour: family_name(if is_mariadb {
            Family::MariaDb
        } else {
            Family::MySql
        })
        .to_owned(),
        version: version.to_owned(),
    }
}

/// The family that made a server.
fn family_of(server: &ServerIdentity) -> Option<Family> {
    [Family::MariaDb, Family::MySql]
        .into_iter()
        .find(|family| family_name(*family) == server.flavour)
}

/// The flavour of a server, and what people call the family.
fn family_name(family: Family) -> &'static str {
    match family {
        Family::MariaDb => "mariadb",
        Family::MySql => "mysql",
        Family::PostgreSql => "postgresql",
    }
}
