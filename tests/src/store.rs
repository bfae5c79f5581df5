//! Where an installation under test lives: embedded, or on Azurite.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use dilux_core::clock::{Clock as _, SystemClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{ApiToken, Grants, Role, SecretHash};
use dilux_core::random::SystemRandom;
use dilux_core::storage::Profile;
use dilux_testkit::azurite::Azurite;
use jiff::SignedDuration;
use tempfile::TempDir;

use crate::{Client, Service};

/// Longest wait for a service to answer after its start.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Which adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// SQLite and files.
    Embedded,
    /// Azurite.
    Azurite,
}

/// A home for an installation: a directory, a store, a free port for the API.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
    azurite: Option<Azurite>,
    variables: BTreeMap<String, String>,
    port: u16,
    /// The API token of the admin who calls the API.
    token: String,
}

impl Home {
    /// A fresh installation on a store of this kind. Leases are short, so that recovery is quick.
    pub fn new(kind: StoreKind) -> Result<Self> {
        let directory = TempDir::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let data = directory.path().join("data").display().to_string();
        let mut variables = BTreeMap::from([
            ("DILUX_API_ADDRESS".to_owned(), format!("127.0.0.1:{port}")),
            ("DILUX_JOB_LEASE_SECONDS".to_owned(), "3".to_owned()),
            ("DILUX_SWEEP_SECONDS".to_owned(), "1".to_owned()),
            ("DILUX_IDLE_POLL_MILLISECONDS".to_owned(), "100".to_owned()),
            ("DILUX_RETRY_FIRST_SECONDS".to_owned(), "1".to_owned()),
            ("DILUX_SHUTDOWN_GRACE_SECONDS".to_owned(), "1".to_owned()),
            // Journeys ask all the time whether a job is done.
            ("DILUX_REQUESTS_PER_MINUTE".to_owned(), "0".to_owned()),
            (
                "DILUX_COSTLY_REQUESTS_PER_MINUTE".to_owned(),
                "0".to_owned(),
            ),
            (
                "LOG_LEVEL".to_owned(),
                "debug,hyper=info,reqwest=info".to_owned(),
            ),
        ]);
        let azurite = match kind {
            StoreKind::Embedded => {
                variables.insert("STORAGE_CONNECTION_STRING".into(), format!("file://{data}"));
                None
            }
            StoreKind::Azurite => {
                let azurite = Azurite::start()?;
                let connection = azurite.connection_string();
                variables.insert("STORAGE_CONNECTION_STRING".into(), connection);
                variables.insert("DILUX_SECRETS_DIRECTORY".into(), data);
                Some(azurite)
            }
        };
        Ok(Self {
            directory,
            azurite,
            variables,
            port,
            token: ApiToken::text(&SystemRandom).1.expose().to_owned(),
        })
    }

    /// Where the API is, for browsers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sets a variable for services started from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Its Azurite.
    pub fn azurite(&self) -> Result<&Azurite> {
        self.azurite.as_ref().context("this home has no Azurite")
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Starts one of the services.
    pub fn start(&self, binary: &str) -> Result<Service> {
        self.start_with(binary, &[])
    }

    /// Starts one of the services with more variables.
    pub fn start_with(&self, binary: &str, more: &[(&str, String)]) -> Result<Service> {
        Service::start(binary, &[], &self.with(more), self.path())
    }

    /// Starts a command of the command line with more variables.
    pub fn command(&self, arguments: &[&str], more: &[(&str, String)]) -> Result<Service> {
        Service::start("dilux", arguments, &self.with(more), self.path())
    }

    fn with(&self, more: &[(&str, String)]) -> BTreeMap<String, String> {
        let more = more.iter();
        let more = more.map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.variables.clone().into_iter().chain(more).collect()
    }

    /// Starts the API, waits until it answers, and signs in.
    pub async fn start_api(&self) -> Result<(Service, Client)> {
        self.start_api_with(&[]).await
    }

    /// Starts the API with more variables, waits until it answers, and signs in.
    pub async fn start_api_with(&self, more: &[(&str, String)]) -> Result<(Service, Client)> {
        let mut service = self.start_with("dilux-api", more)?;
        let client = Client::new(self.port, &self.token)?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = service.ended()? {
                bail!("the API ended with {status}; its log:\n{}", service.log());
            }
            if client.is_healthy().await {
                self.register_token().await?;
                return Ok((service, client));
            }
            if Instant::now() > deadline {
                bail!("the API does not answer; its log:\n{}", service.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Makes the token known, as `dilux token create` does, once there are tables.
    async fn register_token(&self) -> Result<()> {
        let tokens = self.look_inside()?.repositories.api_tokens;
        let id = ApiToken::id_in(&self.token).context("the token has an id")?;
        if tokens.get(&id).await?.is_some() {
            return Ok(());
        }
        let now = SystemClock.now();
        let token = ApiToken {
            id,
            name: "journeys".parse()?,
            role: Role::Admin,
            grants: Grants::default(),
            hash: SecretHash::of(&self.token),
            created_at: now,
            created_by: "journeys@localhost".to_owned(),
            expires_at: now + SignedDuration::from_hours(24),
            last_used: None,
        };
        tokens.insert(token).await?;
        Ok(())
    }

    /// The installation as this process sees it, to look behind the services.
    pub fn look_inside(&self) -> Result<Installation> {
        let settings = Settings::read(&|name| self.variables.get(name).cloned())?;
        Installation::open(settings, Profile::Worker).context("open the store")
    }
}
