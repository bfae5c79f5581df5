//! The ports of an engine type: what every connector and every driver does, whether it spawns a tool or
//! speaks the protocol itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dilux_core::model::{
    CredentialKind, Credentials, DatabaseName, DatabaseTraits, Engine, EngineType, Fingerprint,
    Host, Port, ServerIdentity, TlsMode, ToolIdentity,
};
use dilux_core::transfer::{DumpSource, Failure, FailureKind, RestoreSink};

/// Where a server is and how to sign in.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Host.
    pub host: Host,
    /// Port.
    pub port: Port,
    /// Account and password.
    pub credentials: Credentials,
    /// Protection of the connection.
    pub tls_mode: TlsMode,
    /// Addresses of the host, resolved and judged; empty until the guard of the drivers has done
    /// so. A driver connects to these alone.
    pub addresses: Vec<IpAddr>,
    /// Where credentials come from that may expire while the work goes on.
    pub renewal: Option<Renewal>,
}

impl Target {
    /// Where `engine` is, to be signed in to with `credentials`.
    pub fn of_engine(engine: &Engine, credentials: Credentials) -> Self {
        Self::at(engine.host.clone(), engine.port, credentials).protected(engine.tls_mode)
    }

    /// The server at `host` and `port`. A token is sent to nobody but the server of that name.
    pub fn at(host: Host, port: Port, credentials: Credentials) -> Self {
        let tls_mode = match credentials.kind {
            CredentialKind::Password => TlsMode::default(),
            CredentialKind::Token => TlsMode::VerifyFull,
        };
        Self {
            host,
            port,
            credentials,
            tls_mode,
            addresses: Vec::new(),
            renewal: None,
        }
    }

    /// The same, protected at least as `mode` says.
    #[must_use]
    pub fn protected(mut self, mode: TlsMode) -> Self {
        self.tls_mode = self.tls_mode.max(mode);
        self
    }

    /// The same, with a token that is good again. Passwords do not expire.
    pub(crate) async fn renewed(&self) -> Result<Self, Failure> {
        let mut target = self.clone();
        if let Some(renewal) = &self.renewal
            && self.credentials.kind == CredentialKind::Token
        {
            target.credentials = renewal.0.credentials().await?;
        }
        Ok(target)
    }
}

/// Gives credentials again, some time after those of the start.
#[async_trait]
pub trait Renew: Send + Sync {
    /// Credentials that are good now.
    async fn credentials(&self) -> Result<Credentials, Failure>;
}

/// A shared [`Renew`].
#[derive(Clone)]
pub struct Renewal(Arc<dyn Renew>);

impl Renewal {
    /// Shares `renew`.
    pub fn new(renew: impl Renew + 'static) -> Self {
        Self(Arc::new(renew))
    }
}

impl PartialEq for Renewal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Renewal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Renewal").finish_non_exhaustive()
    }
}

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it is.
    pub server: ServerIdentity,
    /// From the start of the client to the server's answer: name lookup, connection, sign-in and
    /// one query.
    pub latency: Duration,
}

/// A database found on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredDatabase {
    /// Name.
    pub name: DatabaseName,
    /// Whether it belongs to the server itself and is not worth a backup.
    pub is_system: bool,
}

/// A dump under way.
pub struct RunningDump {
    /// The bytes, with the proof at their end.
    pub source: Box<dyn DumpSource>,
    /// The server as asked just before.
    pub server: ServerIdentity,
    /// The tool at work.
    pub tool: ToolIdentity,
    /// What a restore must give to the new database before data flows.
    pub traits: DatabaseTraits,
    /// What a person should know about this backup, one sentence each: tables that are not
    /// consistent with the rest, a tool with known flaws…
    pub notes: Vec<String>,
}

impl std::fmt::Debug for RunningDump {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RunningDump")
            .field("server", &self.server)
            .field("tool", &self.tool)
            .field("traits", &self.traits)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// How the names of databases begin that are made for a rehearsal, and for nothing else.
pub const REHEARSAL_PREFIX: &str = "dilux_verify_";

/// Fails unless the name is that of a rehearsal's database.
pub(crate) fn require_rehearsal(database: &DatabaseName) -> Result<(), Failure> {
    if database.as_str().starts_with(REHEARSAL_PREFIX) {
        return Ok(());
    }
    let message =
        format!("a database whose name does not begin with {REHEARSAL_PREFIX} is not dropped");
    Err(Failure::new(FailureKind::Internal, message))
}

/// What to restore into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    /// The new database. It must not exist yet.
    pub database: DatabaseName,
    /// As recorded by the dump.
    pub traits: DatabaseTraits,
    /// Server that the dump came from.
    pub server: ServerIdentity,
    /// Tool that wrote the dump.
    pub tool: ToolIdentity,
    /// Whether this only tries the dump: the database is dropped again once it is complete.
    pub is_rehearsal: bool,
}

/// An engine type whose servers can be signed in to.
///
/// # Contract
/// - Names are taken literally: no database name is ever read as an option, a connection string, a
///   pattern or a piece of SQL.
/// - The password is in no argument, no environment variable, no file that others can open, and in
///   no [`Failure`].
/// - Futures may be dropped at any time; what they started is stopped then.
/// - Every call ends in bounded time, whatever the server does.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The type that it serves.
    fn engine_type(&self) -> EngineType;

    /// Signs in, to `database` or else to the server's own one, and asks what the server is.
    async fn probe(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<Probe, Failure>;

    /// All databases that the account can see, by name, system ones flagged.
    async fn discover(&self, target: &Target) -> Result<Vec<DiscoveredDatabase>, Failure>;
}

/// An engine type whose databases are backed up. The contract of [`Connector`] holds for it as a
/// whole.
#[async_trait]
pub trait Driver: Connector {
    /// Starts a dump. Whatever can be known before the first byte (sign-in, database, versions,
    /// privileges) fails here.
    async fn dump(&self, target: &Target, database: &DatabaseName) -> Result<RunningDump, Failure>;

    /// Creates the new database and opens it for the bytes of a dump; `TargetExists` if there is
    /// one of that name. When the sink is aborted or its `finish` fails, the database that this
    /// call created is dropped again; the failure's message says so, or says what was left. After
    /// a rehearsal it is dropped in any case.
    async fn restore(
        &self,
        target: &Target,
        plan: &RestorePlan,
    ) -> Result<Box<dyn RestoreSink>, Failure>;

    /// Drops a database that an interrupted rehearsal left behind; nothing when there is none.
    /// Refused for a name that is not a rehearsal's.
    async fn drop_rehearsal(&self, target: &Target, database: &DatabaseName)
    -> Result<(), Failure>;

    /// Reads the whole database and boils it down, from one snapshot where the engine has them.
    async fn fingerprint(
        &self,
        target: &Target,
        database: &DatabaseName,
    ) -> Result<Fingerprint, Failure>;
}
