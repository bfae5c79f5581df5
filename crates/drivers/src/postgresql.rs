//! PostgreSQL, through its own `psql` and `pg_dump`.

mod create;
mod dump;
mod fingerprint;
mod restore;
mod script;
mod session;
mod words;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use dilux_core::model::{DatabaseName, EngineType, Fingerprint, ServerIdentity};
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};
use serde::Deserialize;

use crate::driver::{
    Connector, DiscoveredDatabase, Driver, Probe, RestorePlan, RunningDump, Target,
    require_rehearsal,
};
use crate::drivers::DriverSettings;
use crate::tools::{Tools, Version};
use session::Session;

/// The driver for PostgreSQL 12 and later.
#[derive(Debug, Clone)]
pub(crate) struct PostgreSqlDriver {
    tools: Arc<Tools>,
    settings: DriverSettings,
}

impl PostgreSqlDriver {
    /// A driver over these tools.
    pub(crate) fn new(tools: Arc<Tools>, settings: DriverSettings) -> Self {
        Self { tools, settings }
    }

    fn session<'a>(&'a self, target: &'a Target) -> Session<'a> {
        Session {
            tools: &self.tools,
            settings: &self.settings,
            target,
        }
    }
}

/// A server as it describes itself.
#[derive(Debug, Deserialize)]
struct ServerRow {
    version: String,
}

impl ServerRow {
    const QUERY: &'static str =
        "SELECT json_build_object('version', current_setting('server_version'));\n";

    fn identity(&self) -> ServerIdentity {
        ServerIdentity {
            flavour: "postgresql".to_owned(),
            version: self.version.clone(),
        }
    }
}

/// The server's version as numbers.
fn server_version(text: &str) -> Result<Version, Failure> {
    Version::parse(text).ok_or_else(|| {
        Failure::new(
            FailureKind::Internal,
            format!("the server's version '{text}' is not understood"),
        )
    })
}

#[derive(Debug, Deserialize)]
struct DatabaseRow {
    name: String,
    is_system: bool,
}

/// Templates and the server's own database are not worth a backup. Providers of managed servers
/// add databases of theirs, which customers cannot read.
const DISCOVER: &str = "
SELECT json_build_object(
    'name', datname,
    'is_system', datistemplate OR NOT datallowconn
        OR datname IN ('postgres', 'azure_maintenance', 'azure_sys', 'rdsadmin', 'cloudsqladmin'))
FROM pg_catalog.pg_database ORDER BY datname;
";

#[async_trait]
impl Connector for PostgreSqlDriver {
    fn engine_type(&self) -> EngineType {
        EngineType::PostgreSql
    }

    async fn probe(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<Probe, Failure> {
        let session = self.session(target);
        let started = Instant::now();
        let row: ServerRow = match database {
            Some(database) => session.row(database.as_str(), ServerRow::QUERY).await?,
            None => session.maintenance_row(ServerRow::QUERY).await?,
        };
        Ok(Probe {
            server: row.identity(),
            latency: started.elapsed(),
        })
    }

    async fn discover(&self, target: &Target) -> Result<Vec<DiscoveredDatabase>, Failure> {
        let rows: Vec<DatabaseRow> = self.session(target).maintenance_rows(DISCOVER).await?;
        rows.into_iter()
            .map(|row| {
                let name = DatabaseName::try_from(row.name).map_err(|error| {
                    Failure::new(
                        FailureKind::Internal,
                        format!("the server lists a database whose name {error}"),
                    )
                })?;
                Ok(DiscoveredDatabase {
                    name,
                    is_system: row.is_system,
                })
            })
            .collect()
    }
}

#[async_trait]
impl Driver for PostgreSqlDriver {
    async fn dump(&self, target: &Target, database: &DatabaseName) -> Result<RunningDump, Failure> {
        dump::start(&self.session(target), database).await
    }

    async fn restore(
        &self,
        target: &Target,
        plan: &RestorePlan,
    ) -> Result<Box<dyn RestoreSink>, Failure> {
        restore::start(self, target, plan).await
    }

    async fn drop_rehearsal(
        &self,
        target: &Target,
        database: &DatabaseName,
    ) -> Result<(), Failure> {
        require_rehearsal(database)?;
        create::drop_if_there(&self.session(target), database).await
    }

    async fn fingerprint(
        &self,
        target: &Target,
        database: &DatabaseName,
    ) -> Result<Fingerprint, Failure> {
        fingerprint::take(&self.session(target), database).await
    }
}
