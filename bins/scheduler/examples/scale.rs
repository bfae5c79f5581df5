//! How a tick grows with the number of databases: `scale fill …`, then `scale tick`, each a process
//! of its own over the store that the environment names, so that the peak memory of the second is a
//! tick's.
//!
//! `fill --databases N --history M` registers N enabled databases under the five tiers of
//! production-critical with M lines of history each; one in a hundred has a daily slot before the
//! next tick. `tick --ticks N` runs N ticks, 3 unless told, at 10:07 of a standing clock and prints a
//! line for each: `tick<TAB>seconds<TAB>databases<TAB>booked<TAB>peak KiB`. The first one over a
//! store books what is due.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{
    BackupPolicy, Compression, CredentialSource, Database, Engine, EngineType, PolicyId,
    PolicySource, Tier, TierSchedule, TlsMode,
};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::repository::ScheduleState;
use dilux_core::schedule::{Outlook, TierState};
use dilux_core::storage::{Entity, EntityKey, Profile, TableName, TableOperation, Value, open};
use dilux_scheduler::Scheduler;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

/// When the databases were registered: before the newest slot of every tier.
const REGISTERED: &str = "2025-12-01T00:00:00Z";

/// When the ticks run.
const NOW: &str = "2026-03-04T10:07:00Z";

/// A slot that the first tick books.
const DUE_AT: &str = "10:15";

/// One in so many databases has a slot there.
const DUE_ONE_IN: usize = 100;

/// Servers over which the databases are spread.
const ENGINES: usize = 50;

/// Writes at once.
const AT_ONCE: usize = 32;

/// Operations of a batch, at most.
const BATCH: usize = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next();
    let (mut databases, mut history, mut ticks) = (1000, 0, 3);
    while let Some(name) = arguments.next() {
        let value = arguments.next().context("an option lacks its number")?;
        let value = value.parse().context("not a whole number")?;
        match (what.as_deref(), name.as_str()) {
            (Some("fill"), "--databases") => databases = value,
            (Some("fill"), "--history") => history = value,
            (Some("tick"), "--ticks") => ticks = value,
            _ => bail!("'{name}' is not an option"),
        }
    }
    match what.as_deref() {
        Some("fill") => fill(databases, history).await,
        Some("tick") => tick(ticks).await,
        _ => bail!("scale fill [--databases N] [--history M], or scale tick [--ticks N]"),
    }
}

/// The installation of the environment at a standing moment.
fn installation(at: &str) -> Result<Installation> {
    let settings = Settings::from_environment()?;
    let clock: SharedClock = Arc::new(ManualClock::new(at.parse()?));
    let random: SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Worker, &clock, &random)?;
    Ok(Installation::new(
        Arc::new(settings),
        storage,
        clock,
        random,
    ))
}

async fn tick(ticks: usize) -> Result<()> {
    let scheduler = Scheduler::new(installation(NOW)?);
    for _ in 0..ticks {
        let begun = Instant::now();
        let report = scheduler.tick().await?;
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(
            report.failed == 0 && report.damaged == 0,
            "the tick met something broken: {report:?}"
        );
        println!(
            "tick\t{seconds:.4}\t{}\t{}\t{}",
            report.databases,
            report.booked,
            peak_kib()?
        );
    }
    Ok(())
}

/// The largest resident memory of this process so far.
fn peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.context("the kernel tells no VmHWM")?.parse()?)
}

async fn fill(databases: usize, history: usize) -> Result<()> {
    let installation = installation(REGISTERED)?;
    installation.prepare().await?;
    let registered: Timestamp = REGISTERED.parse()?;
    for number in 0..ENGINES {
        let engine = engine(number, registered)?;
        installation.repositories.engines.insert(engine).await?;
    }
    let policies = [
        policy(&installation, None).await?,
        policy(&installation, Some("due")).await?,
    ];
    let states = [decided(&policies[0])?, decided(&policies[1])?];
    let fillers = (0..databases).map(|number| {
        let is_due = usize::from(number % DUE_ONE_IN == 0);
        let (policy, states) = (&policies[is_due].id, &states[is_due]);
        register(&installation, number, policy, states, history)
    });
    futures::stream::iter(fillers)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}

/// Production-critical; under another name, with its daily slot where the first tick finds it due.
async fn policy(installation: &Installation, name: Option<&str>) -> Result<BackupPolicy> {
    let policies = &installation.repositories.policies;
    let stored = policies.get(&"production-critical".parse()?).await?;
    let mut policy = stored.context("the seeded policies are missing")?.value;
    let Some(name) = name else {
        return Ok(policy);
    };
    policy.id = name.parse()?;
    for rule in &mut policy.rules {
        if let TierSchedule::Daily { at } = &mut rule.schedule {
            *at = DUE_AT.parse()?;
        }
    }
    policies.insert(policy.clone()).await?;
    Ok(policy)
}

/// States in which the newest slot of each tier has its backup.
fn decided(policy: &BackupPolicy) -> Result<Vec<TierState>> {
    let now: Timestamp = NOW.parse()?;
    let outlook = Outlook::new(policy, now, now);
    Tier::ALL
        .into_iter()
        .map(|tier| {
            let latest = outlook.tier(tier).and_then(|tier| tier.latest);
            let slot = latest.with_context(|| format!("the {tier} tier has no slot"))?;
            Ok(TierState::satisfied(tier, slot, slot))
        })
        .collect()
}

fn engine(number: usize, now: Timestamp) -> Result<Engine> {
    Ok(Engine {
        id: format!("engine-{number}").parse()?,
        name: format!("Server {number}").parse()?,
        engine_type: EngineType::PostgreSql,
        host: format!("db{number}.example.internal").parse()?,
        port: EngineType::PostgreSql.default_port(),
        tls_mode: TlsMode::default(),
        auth_method: None,
        username: None,
        identity: dilux_core::model::EntraIdentity::default(),
        secret: None,
        policy_id: None,
        max_jobs: None,
        discovery_enabled: false,
        last_discovery: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    })
}

async fn register(
    installation: &Installation,
    number: usize,
    policy: &PolicyId,
    states: &[TierState],
    history: usize,
) -> Result<()> {
    let registered: Timestamp = REGISTERED.parse()?;
    let database = Database {
        id: format!("database-{number:06}").parse()?,
        engine_id: format!("engine-{}", number % ENGINES).parse()?,
        label: format!("Database {number}").parse()?,
        database_name: format!("database_{number}").parse()?,
        credentials: CredentialSource::Engine,
        policy: PolicySource::Own(policy.clone()),
        enabled: true,
        rpo_minutes: None,
        compression: Compression::Gzip,
        destination: None,
        tags: BTreeMap::new(),
        created_at: registered,
        updated_at: registered,
        created_by: None,
    };
    let repositories = &installation.repositories;
    for state in states {
        let state = ScheduleState {
            database_id: database.id.clone(),
            state: state.clone(),
        };
        repositories.schedule.put(&state).await?;
    }
    let id = database.id.to_string();
    repositories.databases.insert(database).await?;
    let table = TableName::new("backupindex")?;
    let lines: Vec<usize> = (0..history).collect();
    for lines in lines.chunks(BATCH) {
        let batch = lines.iter().map(|line| history_line(&id, *line)).collect();
        installation
            .storage
            .tables
            .write_batch(&table, batch)
            .await?;
    }
    Ok(())
}

/// A row of about the size of a line of history.
fn history_line(database: &str, number: usize) -> TableOperation {
    let mut line = Entity::new(EntityKey::new(database, format!("{number:019}_line")));
    let text = |length: usize| Value::String("x".repeat(length));
    for (name, length) in [("blob_name", 90), ("stored_sha256", 64), ("details", 500)] {
        line.properties.insert(name.to_owned(), text(length));
    }
    TableOperation::Insert(line)
}
