//! Reads settings, collecting every problem before it gives up.

mod access;
mod authentication;
mod entra;
mod identity_provider;
mod stores;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::{
    DeadlineSettings, LogFormat, RetentionSettings, SecretSetting, Settings, VARIABLES,
    WorkerSettings,
};
use crate::dispatch::JobLimits;
use crate::model::{Email, InvalidName, RetryRule, SessionLimits};
use crate::network::AllowedNetworks;
use crate::storage::{ContainerName, QueueName, StorageResult, TableName};

/// One variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong and what to do. Never the value, which may be a secret.
    pub reason: String,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self
            .0
            .iter()
            .map(|problem| format!("{} {}", problem.variable, problem.reason))
            .collect();
        write!(
            formatter,
            "the settings cannot be used: {}",
            lines.join("; ")
        )
    }
}

impl std::error::Error for ConfigProblems {}

struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<ConfigProblem>,
}

impl Reader<'_> {
    /// The value of a registered variable; blank counts as not set.
    fn optional(&self, name: &'static str) -> Option<String> {
        debug_assert!(
            VARIABLES.iter().any(|known| known.name == name),
            "{name} is not registered"
        );
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    fn text(&self, name: &'static str, absent: &str) -> String {
        self.optional(name).unwrap_or_else(|| absent.to_owned())
    }

    fn problem(&mut self, variable: &'static str, reason: impl Into<String>) {
        self.problems.push(ConfigProblem {
            variable,
            reason: reason.into(),
        });
    }

    fn required(&mut self, name: &'static str, why: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(name, format!("is not set, but {why}"));
            String::new()
        })
    }

    fn parsed<T: FromStr>(&mut self, name: &'static str, absent: T, rule: &str) -> T {
        match self.optional(name).map(|text| text.trim().parse::<T>()) {
            None => absent,
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.problem(name, rule);
                absent
            }
        }
    }

    fn seconds(&mut self, name: &'static str, absent: u64, least: u64) -> Duration {
        let seconds = self.parsed(name, absent, "must be a whole number of seconds");
        if seconds < least {
            self.problem(name, format!("must be at least {least}"));
        }
        Duration::from_secs(seconds)
    }

    fn whole(&mut self, name: &'static str, absent: u32, range: RangeInclusive<u32>) -> u32 {
        let number = self.parsed(name, absent, "must be a whole number");
        if !range.contains(&number) {
            let (least, most) = (range.start(), range.end());
            self.problem(name, format!("must be between {least} and {most}"));
        }
        number
    }

    fn named<T>(
        &mut self,
        name: &'static str,
        absent: &str,
        parse: impl Fn(String) -> StorageResult<T>,
    ) -> Option<T> {
        match parse(self.optional(name).unwrap_or_else(|| absent.to_owned())) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.problem(name, format!("is not usable: {error}"));
                None
            }
        }
    }
}

pub(super) fn settings(
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigProblems> {
    let mut reader = Reader {
        lookup,
        problems: Vec::new(),
    };
    let storage = stores::storage(&mut reader);
    let secrets = stores::secrets(&mut reader, storage.as_ref());
    let token_file = token_file(&reader, secrets.as_ref());
    let names = names(&mut reader);
    let api_address = reader.parsed(
        "DILUX_API_ADDRESS",
        std::net::SocketAddr::from(([127, 0, 0, 1], 7071)),
        "must be an address and a port, such as 127.0.0.1:7071",
    );
    let admin_email = admin_email(&mut reader);
    let sessions = sessions(&mut reader);
    let stores = (storage.as_ref(), secrets.as_ref());
    let access = access::access(&mut reader, api_address, stores);
    let provider = identity_provider::identity_provider(&mut reader, api_address, &access);
    let entra = entra::entra(&mut reader);
    let rhythm = rhythm(&mut reader);
    let retention = retention(&mut reader);
    let worker = worker(&mut reader);
    let limits = limits(&mut reader, &worker);
    let deadlines = deadlines(&mut reader);
    let log_format = log_format(&mut reader);
    let allowed_networks = allowed_networks(&mut reader);
    let (Some(storage), Some(secrets), Some(names)) = (storage, secrets, names) else {
        return Err(ConfigProblems(reader.problems));
    };
    if !reader.problems.is_empty() {
        return Err(ConfigProblems(reader.problems));
    }
    Ok(Settings {
        storage,
        secrets,
        container: names.container,
        queue: names.queue,
        history_table: names.history_table,
        config_table: names.config_table,
        api_address,
        access,
        token_file,
        admin_email,
        sessions,
        identity_provider: provider,
        entra,
        tick: rhythm.tick,
        sweep: rhythm.sweep,
        heartbeat: rhythm.heartbeat,
        health: rhythm.health,
        limits,
        retention,
        worker,
        deadlines,
        allowed_networks,
        tool_path: reader.optional("DILUX_TOOL_PATH").unwrap_or_default(),
        log_level: reader.text("LOG_LEVEL", "info"),
        log_format,
        environment: reader.text("ENVIRONMENT", "production"),
    })
}

/// Times between two of the same.
struct Rhythm {
    tick: Duration,
    sweep: Duration,
    heartbeat: Duration,
    health: Duration,
}

fn rhythm(reader: &mut Reader<'_>) -> Rhythm {
    let heartbeat = reader.whole("DILUX_HEARTBEAT_SECONDS", 60, 5..=3600);
    let health = reader.whole("DILUX_HEALTH_HOURS", 6, 1..=24);
    Rhythm {
        tick: reader.seconds("DILUX_TICK_SECONDS", 900, 1),
        sweep: reader.seconds("DILUX_SWEEP_SECONDS", 30, 1),
        heartbeat: Duration::from_secs(heartbeat.into()),
        health: Duration::from_hours(health.into()),
    }
}

fn token_file(reader: &Reader<'_>, secrets: Option<&SecretSetting>) -> PathBuf {
    reader.optional("DILUX_TOKEN_FILE").map_or_else(
        || match secrets {
            Some(SecretSetting::Embedded { directory }) => directory.join("bootstrap-token"),
            _ => PathBuf::from("bootstrap-token"),
        },
        PathBuf::from,
    )
}

fn admin_email(reader: &mut Reader<'_>) -> Option<Email> {
    let text = reader.optional("DILUX_ADMIN_EMAIL")?;
    match text.trim().parse() {
        Ok(email) => Some(email),
        Err(error) => {
            reader.problem("DILUX_ADMIN_EMAIL", format!("{error}"));
            None
        }
    }
}

fn sessions(reader: &mut Reader<'_>) -> SessionLimits {
    let idle = reader.whole("DILUX_SESSION_IDLE_MINUTES", 60, 1..=1440);
    let absolute = reader.whole("DILUX_SESSION_HOURS", 12, 1..=168);
    SessionLimits {
        idle: SignedDuration::from_mins(idle.into()),
        absolute: SignedDuration::from_hours(absolute.into()),
    }
}

struct Names {
    container: ContainerName,
    queue: QueueName,
    history_table: TableName,
    config_table: TableName,
}

fn names(reader: &mut Reader<'_>) -> Option<Names> {
    let container = reader.named("BACKUP_CONTAINER_NAME", "backups", ContainerName::new);
    let queue = reader.named("BACKUP_QUEUE_NAME", "backup-jobs", QueueName::new);
    let history_table = reader.named("HISTORY_TABLE_NAME", "backuphistory", TableName::new);
    let config_table = reader.named("CONFIG_TABLE_NAME", "databaseconfigs", TableName::new);
    Some(Names {
        container: container?,
        queue: queue?,
        history_table: history_table?,
        config_table: config_table?,
    })
}

fn retention(reader: &mut Reader<'_>) -> RetentionSettings {
    let time = reader.optional("DILUX_RETENTION_TIME");
    let time = time.as_deref().unwrap_or("02:00").trim();
    let at = time.parse().ok();
    if at.is_none() && time != "off" {
        let rule = "must be a time of day, UTC, such as 02:00, or off";
        reader.problem("DILUX_RETENTION_TIME", rule);
    }
    let unregistered = reader.whole("DILUX_UNREGISTERED_GRACE_DAYS", 90, 0..=36_500);
    RetentionSettings {
        at,
        grace_days: reader.whole("DILUX_RETENTION_GRACE_DAYS", 7, 0..=365),
        delete_budget: reader.whole("DILUX_RETENTION_DELETE_BUDGET", 1000, 0..=u32::MAX),
        minimum: reader.whole("DILUX_MINIMUM_REDUNDANCY", 2, 1..=1000),
        unregistered_grace_days: unregistered,
        orphan_hours: reader.whole("DILUX_ORPHAN_HOURS", 48, 24..=87_600),
    }
}

fn deadlines(reader: &mut Reader<'_>) -> DeadlineSettings {
    DeadlineSettings {
        first_byte: reader.seconds("DILUX_FIRST_BYTE_SECONDS", 600, 1),
        stall: reader.seconds("DILUX_STALL_SECONDS", 300, 1),
        total: reader.seconds("DILUX_TOTAL_SECONDS", 21_600, 1),
    }
}

fn worker(reader: &mut Reader<'_>) -> WorkerSettings {
    let slots = reader.parsed("DILUX_WORKERS", 2_usize, "must be a whole number");
    if !(1..=64).contains(&slots) {
        reader.problem("DILUX_WORKERS", "must be between 1 and 64");
    }
    let idle_poll = reader.parsed(
        "DILUX_IDLE_POLL_MILLISECONDS",
        1000_u64,
        "must be a whole number",
    );
    WorkerSettings {
        slots,
        lease: reader.seconds("DILUX_JOB_LEASE_SECONDS", 90, 3),
        idle_poll: Duration::from_millis(idle_poll.max(10)),
        shutdown_grace: reader.seconds("DILUX_SHUTDOWN_GRACE_SECONDS", 20, 0),
        retry: retry(reader),
    }
}

fn limits(reader: &mut Reader<'_>, worker: &WorkerSettings) -> JobLimits {
    let mut limit = |name, absent| {
        let limit = reader.parsed(name, absent, "must be a whole number");
        if !(1..=64).contains(&limit) {
            reader.problem(name, "must be between 1 and 64");
        }
        limit
    };
    JobLimits {
        total: limit("DILUX_MAX_JOBS", 16_u32),
        engine: limit("DILUX_MAX_JOBS_PER_ENGINE", 4_u32),
        hold: worker.lease.try_into().unwrap_or(SignedDuration::MAX),
    }
}

fn retry(reader: &mut Reader<'_>) -> RetryRule {
    let attempts = reader.parsed("DILUX_RETRY_ATTEMPTS", 4_u32, "must be a whole number");
    if attempts == 0 {
        reader.problem("DILUX_RETRY_ATTEMPTS", "must be at least 1");
    }
    let first_wait = reader.seconds("DILUX_RETRY_FIRST_SECONDS", 30, 0);
    RetryRule {
        attempts,
        first_wait: first_wait.try_into().unwrap_or(SignedDuration::MAX),
    }
}

fn allowed_networks(reader: &mut Reader<'_>) -> AllowedNetworks {
    let text = reader.optional("DILUX_ALLOWED_NETWORKS");
    let parsed = text.map_or_else(|| Ok(AllowedNetworks::default()), |text| text.parse());
    parsed.unwrap_or_else(|error: InvalidName| {
        reader.problem("DILUX_ALLOWED_NETWORKS", error.to_string());
        AllowedNetworks::default()
    })
}

fn log_format(reader: &mut Reader<'_>) -> LogFormat {
    match reader.optional("DILUX_LOG_FORMAT").as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(_) => {
            reader.problem("DILUX_LOG_FORMAT", "must be text or json");
            LogFormat::Text
        }
    }
}

#[cfg(test)]
mod tests;
