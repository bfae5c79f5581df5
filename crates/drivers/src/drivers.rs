//! The registry: which driver serves which engine type.

use std::path::PathBuf;
use std::sync::Arc;

use dilux_core::component::{Component, FoundTool};
use dilux_core::model::EngineType;
use dilux_core::network::AllowedNetworks;
use dilux_core::transfer::{Failure, FailureKind};

use crate::driver::{Connector, Driver};
use crate::guard::{Guard, Guarded, Resolver, SystemResolver};
use crate::mysql::MySqlDriver;
use crate::postgresql::PostgreSqlDriver;
use crate::process::Deadlines;
use crate::sqlserver::SqlServerConnector;
use crate::tools::Tools;

/// What all drivers share.
#[derive(Debug, Clone)]
pub struct DriverSettings {
    /// Limits on the tools.
    pub deadlines: Deadlines,
    /// Certificates of the authorities that may sign a server's certificate, in PEM.
    pub authorities: PathBuf,
    /// Networks that servers may be in.
    pub networks: AllowedNetworks,
    /// What finds the addresses of hosts.
    pub resolver: Arc<dyn Resolver>,
}

impl Default for DriverSettings {
    fn default() -> Self {
        Self {
            deadlines: Deadlines::default(),
            authorities: PathBuf::from("/etc/ssl/certs/ca-certificates.crt"),
            networks: AllowedNetworks::default(),
            resolver: Arc::new(SystemResolver),
        }
    }
}

/// All drivers, and connectors for engine types that are not backed up. A new engine type is a module
/// and a row in [`Drivers::new`].
#[derive(Clone)]
pub struct Drivers {
    complete: Vec<Arc<dyn Driver>>,
    connecting: Vec<Arc<dyn Connector>>,
    tools: Arc<Tools>,
}

impl Drivers {
    /// The drivers over these tools, each behind the guard.
    pub fn new(tools: Tools, settings: &DriverSettings) -> Self {
        let tools = Arc::new(tools);
        let drivers: [Arc<dyn Driver>; 2] = [
            Arc::new(MySqlDriver::new(Arc::clone(&tools), settings.clone())),
            Arc::new(PostgreSqlDriver::new(Arc::clone(&tools), settings.clone())),
        ];
        let guard = Guard::new(settings);
        let guarded = |driver| Arc::new(Guarded::new(driver, guard.clone())) as Arc<dyn Driver>;
        let sql_server = Arc::new(SqlServerConnector::new(settings.clone()));
        Self {
            complete: drivers.into_iter().map(guarded).collect(),
            connecting: vec![Arc::new(Guarded::new(sql_server, guard.clone()))],
            tools,
        }
    }

    /// Just these drivers, without the guard, for programs that bring their own.
    pub fn of(drivers: Vec<Arc<dyn Driver>>, tools: Tools) -> Self {
        Self {
            complete: drivers,
            connecting: Vec::new(),
            tools: Arc::new(tools),
        }
    }

    /// The same with a connector for a type that is not backed up.
    #[must_use]
    pub fn with_connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.connecting.push(connector);
        self
    }

    /// The driver for an engine type; fails for a type that is not backed up.
    pub fn for_engine(&self, engine_type: EngineType) -> Result<Arc<dyn Driver>, Failure> {
        let found = self
            .complete
            .iter()
            .find(|driver| driver.engine_type() == engine_type);
        found.map(Arc::clone).ok_or_else(|| {
            let message = match self.connector_alone(engine_type) {
                Some(_) => format!("this version makes no backups of servers of type {engine_type}, which it can only connect to"),
                None => no_driver(engine_type),
            };
            Failure::new(FailureKind::Configuration, message)
        })
    }

    /// What connects to servers of an engine type, whether they are backed up or not.
    pub fn connector(&self, engine_type: EngineType) -> Result<Arc<dyn Connector>, Failure> {
        if let Ok(driver) = self.for_engine(engine_type) {
            return Ok(driver);
        }
        self.connector_alone(engine_type)
            .map(Arc::clone)
            .ok_or_else(|| Failure::new(FailureKind::Configuration, no_driver(engine_type)))
    }

    fn connector_alone(&self, engine_type: EngineType) -> Option<&Arc<dyn Connector>> {
        let mut connectors = self.connecting.iter();
        connectors.find(|connector| connector.engine_type() == engine_type)
    }

    /// The engine types that have a driver.
    pub fn engine_types(&self) -> Vec<EngineType> {
        self.complete
            .iter()
            .map(|driver| driver.engine_type())
            .collect()
    }

    /// `component`, with what these drivers can work with.
    #[must_use]
    pub fn describe(&self, component: Component) -> Component {
        let tools = self.tools.report().into_iter().map(|tool| FoundTool {
            name: tool.name,
            version: tool.version,
            fixed_in: tool.fixed_in,
            problem: tool.problem,
        });
        Component {
            engine_types: self.engine_types(),
            tools: tools.collect(),
            ..component
        }
    }

    /// The tools that the drivers use.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }
}

fn no_driver(engine_type: EngineType) -> String {
    format!(
        "this version has no driver for engines of type {engine_type}: they can be registered, but not be backed up"
    )
}

impl std::fmt::Debug for Drivers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let types = self.complete.iter().map(|driver| driver.engine_type());
        formatter.debug_list().entries(types).finish()
    }
}
