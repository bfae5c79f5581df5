//! Settings from the environment: the only place that reads variables.
//!
//! Every variable stands in [`VARIABLES`], from which `docs/configuration.md` is checked.

mod access;
mod entra;
mod identity_provider;
mod read;
mod variable;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use access::{AccessSettings, Authentication, RequestLimits};
pub use entra::{AzureCloud, EntraSettings, TokenHosts};
pub use identity_provider::{ClientSecretSetting, IdentityProviderSettings};
pub use read::{ConfigProblem, ConfigProblems};
pub use variable::{VARIABLES, Variable};

use crate::dispatch::JobLimits;
use crate::model::{Email, RetryRule, SessionLimits, TimeOfDay};
use crate::network::AllowedNetworks;
use crate::secret::SecretValue;
use crate::storage::{ContainerName, QueueName, TableName};
use crate::timer::{Timer, TimerRule};

/// Which store to use, and how to sign in to it: said, never guessed.
#[derive(Debug, Clone, PartialEq)]
pub enum StorageSetting {
    /// The embedded store in this directory.
    Embedded {
        /// Where it is.
        directory: PathBuf,
    },
    /// Azure (or Azurite) by a connection string or SAS URL.
    ConnectionString(SecretValue),
    /// Azure by an identity.
    Identity {
        /// `https://….blob.core.windows.net`.
        blob_endpoint: String,
        /// `https://….queue.core.windows.net`.
        queue_endpoint: String,
        /// `https://….table.core.windows.net`.
        table_endpoint: String,
        /// Which identity.
        identity: IdentitySetting,
    },
}

/// Which Azure identity to use.
#[derive(Debug, Clone, PartialEq)]
pub enum IdentitySetting {
    /// The managed identity of the machine or container; the user-assigned one where named.
    Managed {
        /// Client id of a user-assigned identity.
        client_id: Option<String>,
    },
    /// Workload identity: the variables that AKS sets.
    Workload,
    /// An app registration with a secret.
    ClientSecret {
        /// Tenant.
        tenant_id: String,
        /// App.
        client_id: String,
        /// Its secret.
        secret: SecretValue,
    },
}

/// Where secrets are kept.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretSetting {
    /// Encrypted in an embedded store in this directory.
    Embedded {
        /// Where it is.
        directory: PathBuf,
    },
    /// Azure Key Vault.
    KeyVault {
        /// `https://….vault.azure.net`.
        url: String,
        /// Which identity.
        identity: IdentitySetting,
    },
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How workers run jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Jobs at once in one process.
    pub slots: usize,
    /// How long a claim on a job lasts without a heartbeat; heartbeats come three times as often.
    pub lease: Duration,
    /// How long an idle worker waits between looks at the queue, at most.
    pub idle_poll: Duration,
    /// How long running jobs may go on after a stop was asked for.
    pub shutdown_grace: Duration,
    /// When a failed attempt is tried again.
    pub retry: RetryRule,
}

/// How backups expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionSettings {
    /// When it runs each day, UTC; `None` only when it is asked to.
    pub at: Option<TimeOfDay>,
    /// Days between the announcement of a deletion and the deletion.
    pub grace_days: u32,
    /// Deletions of one run, at most.
    pub delete_budget: u32,
    /// Sound backups of each database that always remain.
    pub minimum: u32,
    /// Days that the backups of a database stay that is registered no more.
    pub unregistered_grace_days: u32,
    /// Age in hours at which data that no backup names is removed.
    pub orphan_hours: u32,
}

/// Limits on the silence and length of a tool's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlineSettings {
    /// Until the first byte of a dump.
    pub first_byte: Duration,
    /// Between two bytes.
    pub stall: Duration,
    /// From start to exit.
    pub total: Duration,
}

/// Everything that a service needs to know from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The store.
    pub storage: StorageSetting,
    /// The secrets.
    pub secrets: SecretSetting,
    /// Container of backups.
    pub container: ContainerName,
    /// Queue of jobs.
    pub queue: QueueName,
    /// Table of the history.
    pub history_table: TableName,
    /// Table of databases.
    pub config_table: TableName,
    /// Address that the API listens on.
    pub api_address: SocketAddr,
    /// How requests get to the API.
    pub access: AccessSettings,
    /// Where the bootstrap token is written for the operator.
    pub token_file: PathBuf,
    /// E-mail that the first admin must have; `None` takes any.
    pub admin_email: Option<Email>,
    /// How long sessions last.
    pub sessions: SessionLimits,
    /// Who vouches for people beside the accounts kept here.
    pub identity_provider: Option<IdentityProviderSettings>,
    /// How tokens for database servers are come by.
    pub entra: EntraSettings,
    /// Time between two ticks of the scheduler.
    pub tick: Duration,
    /// Time between two looks for jobs whose doorbell got lost.
    pub sweep: Duration,
    /// Time between two heartbeats of a process.
    pub heartbeat: Duration,
    /// Time between two looks of the health monitor.
    pub health: Duration,
    /// How many jobs run at once.
    pub limits: JobLimits,
    /// How backups expire.
    pub retention: RetentionSettings,
    /// The workers.
    pub worker: WorkerSettings,
    /// Deadlines of dumps and restores.
    pub deadlines: DeadlineSettings,
    /// Networks that database servers may be in.
    pub allowed_networks: AllowedNetworks,
    /// Directories, colons between, in which alone client tools are looked for; empty means the
    /// usual places.
    pub tool_path: String,
    /// `LOG_LEVEL`, a filter such as `info` or `dilux_core=debug,info`.
    pub log_level: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// `ENVIRONMENT`, shown by `/api/version`.
    pub environment: String,
}

impl Settings {
    /// Reads the settings from the process's environment.
    pub fn from_environment() -> Result<Self, ConfigProblems> {
        Self::read(&environment)
    }

    /// Reads the settings from `lookup`, which answers the value of a variable.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigProblems> {
        read::settings(lookup)
    }

    /// When a timer is due; `None` when it is switched off.
    pub fn timer_rule(&self, timer: Timer) -> Option<TimerRule> {
        match timer {
            Timer::Planning => Some(TimerRule::every(self.tick)),
            Timer::Retention => self.retention.at.map(TimerRule::daily),
            Timer::Health => Some(TimerRule::every(self.health)),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads variables"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
