//! The two kinds of database server with sample databases, and how to register them.

use anyhow::{Context as _, Result};
use dilux_core::model::EngineType;
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::{mariadb, postgres, samples};
use serde_json::json;

use crate::Client;
use crate::client::text;

/// Name of the sample database on both servers.
pub(crate) const SAMPLE: &str = "shop";

/// A real server with a sample database.
#[derive(Debug)]
pub enum Sample {
    /// PostgreSQL.
    PostgreSql(PostgresServer),
    /// MariaDB.
    MariaDb(MariaDbServer),
}

impl Sample {
    /// Starts PostgreSQL and loads the sample.
    pub fn postgresql() -> Result<Self> {
        let server = PostgresServer::start()?;
        server.create_database(SAMPLE)?;
        server.execute(SAMPLE, samples::POSTGRESQL)?;
        Ok(Self::PostgreSql(server))
    }

    /// Starts MariaDB and loads the sample.
    pub fn mariadb() -> Result<Self> {
        let server = MariaDbServer::start()?;
        server.create_database(SAMPLE)?;
        server.execute(SAMPLE, samples::MARIADB)?;
        Ok(Self::MariaDb(server))
    }

    /// Its type.
    pub fn engine_type(&self) -> EngineType {
        match self {
            Self::PostgreSql(_) => EngineType::PostgreSql,
            Self::MariaDb(_) => EngineType::MySql,
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        match self {
            Self::PostgreSql(server) => server.port().get(),
            Self::MariaDb(server) => server.port().get(),
        }
    }

    /// Its account and password.
    pub fn account(&self) -> (&'static str, &'static str) {
        match self {
            Self::PostgreSql(_) => (postgres::ADMIN, postgres::PASSWORD),
            Self::MariaDb(_) => (mariadb::ADMIN, mariadb::PASSWORD),
        }
    }

    /// Runs a script in a database.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String> {
        match self {
            Self::PostgreSql(server) => server.execute(database, sql),
            Self::MariaDb(server) => server.execute(database, sql),
        }
    }

    /// Creates an empty database.
    pub fn create_database(&self, name: &str) -> Result<()> {
        match self {
            Self::PostgreSql(server) => server.create_database(name),
            Self::MariaDb(server) => server.create_database(name),
        }
    }

    /// Whether a database is there.
    pub fn has_database(&self, name: &str) -> Result<bool> {
        match self {
            Self::PostgreSql(server) => server.has_database(name),
            Self::MariaDb(server) => server.has_database(name),
        }
    }

    /// Registers the server over the API and gives the engine's id.
    pub async fn register(&self, client: &Client) -> Result<String> {
        let (username, password) = self.account();
        let body = json!({
            "name": format!("Sample {}", self.engine_type()),
            "engine_type": self.engine_type().as_str(),
            "host": "127.0.0.1",
            "port": self.port(),
            "auth_method": "user_password",
            "username": username,
            "password": password,
        });
        text(&client.post("/engines", &body).await?, "/engine/id").context("register the engine")
    }

    /// Registers a database of the engine, disabled for the scheduler so that only what the
    /// journey asks for is backed up, and gives its id.
    pub async fn register_database(
        &self,
        client: &Client,
        engine: &str,
        name: &str,
    ) -> Result<String> {
        let body = json!({
            "engine_id": engine,
            "database": {"name": name, "alias": "Shop", "use_engine_credentials": true, "enabled": false},
        });
        text(&client.post("/databases", &body).await?, "/database/id")
    }
}
