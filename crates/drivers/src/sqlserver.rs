//! SQL Server and Azure SQL, by their own protocol (TDS 7.4): signing in and asking for databases.
//! Backups are not made of them, so this is no driver.

mod encryption;
mod greeting;
mod packet;
mod redirect;
mod session;
mod stream;
mod words;
mod wrapping;

use std::time::Instant;

use async_trait::async_trait;
use dilux_core::model::{DatabaseName, EngineType, ServerIdentity};
use dilux_core::transfer::{Failure, FailureKind};
use tiberius::Row;

use crate::driver::{Connector, DiscoveredDatabase, Probe, Target};
use crate::drivers::DriverSettings;
use crate::guard::Guard;
use session::Session;

/// The connector for SQL Server 2012 and later, and Azure SQL.
#[derive(Debug, Clone)]
pub(crate) struct SqlServerConnector {
    settings: DriverSettings,
    /// Judges where servers send clients on to.
    guard: Guard,
}

impl SqlServerConnector {
    /// A connector with these settings.
    pub(crate) fn new(settings: DriverSettings) -> Self {
        let guard = Guard::new(&settings);
        Self { settings, guard }
    }

    fn session<'a>(&'a self, target: &'a Target) -> Session<'a> {
        Session {
            settings: &self.settings,
            guard: &self.guard,
            target,
        }
    }
}

/// <https://learn.microsoft.com/sql/t-sql/functions/serverproperty-transact-sql>
const PROBE: &str = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), \
                     CAST(SERVERPROPERTY('EngineEdition') AS int);";

const DISCOVER: &str = "SELECT name, CAST(is_distributor AS int), \
                        CASE WHEN source_database_id IS NULL THEN 0 ELSE 1 END \
                        FROM sys.databases ORDER BY name;";

/// Databases that belong to the server, or to the provider that manages it.
const SYSTEM: [&str; 5] = ["master", "model", "msdb", "tempdb", "rdsadmin"];

#[async_trait]
impl Connector for SqlServerConnector {
    fn engine_type(&self) -> EngineType {
        EngineType::SqlServer
    }

    async fn probe(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<Probe, Failure> {
        let started = Instant::now();
        let rows = self.session(target).rows(database, PROBE).await?;
        let server = rows.first().and_then(identity).ok_or_else(not_understood)?;
        Ok(Probe {
            server,
            latency: started.elapsed(),
        })
    }

    async fn discover(&self, target: &Target) -> Result<Vec<DiscoveredDatabase>, Failure> {
        let rows = self.session(target).rows(None, DISCOVER).await?;
        rows.iter().map(found).collect()
    }
}

fn identity(row: &Row) -> Option<ServerIdentity> {
    let version: &str = row.try_get(0).ok()??;
    let edition: i32 = row.try_get(1).ok()??;
    let flavour = match edition {
        5 => "azure-sql-database",
        8 => "azure-sql-managed-instance",
        _ => "sqlserver",
    };
    Some(ServerIdentity {
        flavour: flavour.to_owned(),
        version: version.to_owned(),
    })
}

/// A row of [`DISCOVER`]: name, whether it is of replication, whether it is a snapshot of another one.
fn found(row: &Row) -> Result<DiscoveredDatabase, Failure> {
    let flag = |column: usize| -> Option<bool> {
        let number: i32 = row.try_get(column).ok()??;
        Some(number != 0)
    };
    let name: Option<&str> = row.try_get(0).ok().flatten();
    let (Some(name), Some(distributes), Some(is_snapshot)) = (name, flag(1), flag(2)) else {
        return Err(not_understood());
    };
    let is_of_server = SYSTEM
        .iter()
        .any(|system| name.eq_ignore_ascii_case(system));
    let name = DatabaseName::try_from(name.to_owned()).map_err(|error| {
        let message = format!("the server lists a database whose name {error}");
        Failure::new(FailureKind::Internal, message)
    })?;
    Ok(DiscoveredDatabase {
        name,
        is_system: is_of_server || distributes || is_snapshot,
    })
}

fn not_understood() -> Failure {
    Failure::new(
        FailureKind::Internal,
        "the server gave no answer to a question about itself",
    )
}
