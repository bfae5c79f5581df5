//! Fills the store that the environment names with databases and a history of backups of any
//! length, for benchmarks of the API: `history --databases N --backups M [--newest TIME]`. Stores that
//! are compared need the same newest time, since alerts depend on how old backups are.
//!
//! Each database has M / N backups, six hours apart, of which one in fifty failed. Two backups of
//! each database, and all of the first one, are written as the services write them, with an entry of
//! the audit log each. The rows of the others are copies of those with ids and times of their own;
//! tallies are counted afterwards. Data and manifests are left out, since no list reads them, and the
//! copied entries of the audit log stand in no chain.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dilux_core::clock::{SharedClock, SystemClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{
    AuditAction, AuditEntry, AuditResourceType, AuditStatus, Backup, BackupId, BackupMarks,
    BackupStatus, BackupWork, Compression, CredentialSource, Database, DatabaseId, Engine,
    EngineType, Job, JobId, JobOwner, JobState, PolicySource, Tier, TlsMode, Trigger, Work,
};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::repository::{day_of, inverted_ticks};
use dilux_core::storage::{Entity, EntityKey, Profile, TableName, TableOperation, Value, open};
use dilux_core::transfer::{Failure, FailureKind};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};

/// Since the newest backup of the first database.
const AGE: SignedDuration = SignedDuration::from_hours(1);

/// Between two backups of a database.
const INTERVAL: SignedDuration = SignedDuration::from_hours(6);

/// How long each took.
const DURATION: SignedDuration = SignedDuration::from_secs(90);

/// One in so many failed.
const FAILED_ONE_IN: usize = 50;

/// Servers over which the databases are spread.
const ENGINES: usize = 10;

/// Writes at once.
const AT_ONCE: usize = 8;

/// Operations of a batch, at most.
const BATCH: usize = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let (mut databases, mut backups, mut newest) = (1000, 100_000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().context("an option lacks its value")?;
        let number = || value.parse().context("not a whole number");
        match name.as_str() {
            "--databases" => databases = number()?,
            "--backups" => backups = number()?,
            "--newest" => newest = Some(value.parse().context("no time")?),
            _ => bail!("history [--databases N] [--backups M] [--newest TIME]"),
        }
    }
    let installation = installation()?;
    let newest: Timestamp = newest.unwrap_or_else(|| installation.clock.now() - AGE);
    let filler = Filler {
        newest: Timestamp::from_second(newest.as_second())?,
        installation,
        databases,
        of_each: backups.checked_div(databases).context("no databases")?,
    };
    filler.fill().await
}

fn installation() -> Result<Installation> {
    let settings = Settings::from_environment()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let random: SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Worker, &clock, &random)?;
    Ok(Installation::new(
        Arc::new(settings),
        storage,
        clock,
        random,
    ))
}

/// A backup to be: the `number`th newest of a database.
#[derive(Debug, Clone)]
struct Line {
    number: usize,
    at: Timestamp,
    job: JobId,
}

impl Line {
    fn is_failed(&self) -> bool {
        self.number % FAILED_ONE_IN == 1
    }
}

/// The rows that the services wrote for a backup.
#[derive(Debug, Clone)]
struct Template {
    line: Line,
    backup: Entity,
    job: Entity,
    audit: Entity,
}

impl Template {
    /// The backup's row as that of another line.
    fn backup(&self, line: &Line, partition: String) -> TableOperation {
        let key = EntityKey::new(partition, row_key(line));
        self.copy(&self.backup, key, line)
    }

    /// The job's row as that of another line.
    fn job(&self, line: &Line) -> TableOperation {
        let key = EntityKey::new(self.job.key.partition.clone(), line.job.as_str());
        self.copy(&self.job, key, line)
    }

    /// The row of the audit log as that of another line.
    fn audit(&self, line: &Line) -> TableOperation {
        self.copy(&self.audit, audit_key(line), line)
    }

    /// A row with the ids and times of another line.
    fn copy(&self, row: &Entity, key: EntityKey, line: &Line) -> TableOperation {
        let end = |line: &Line| (line.at + DURATION).to_string();
        let replaced = [
            (self.line.job.to_string(), line.job.to_string()),
            (self.line.at.to_string(), line.at.to_string()),
            (end(&self.line), end(line)),
        ];
        let mut copy = Entity::new(key);
        for (name, value) in &row.properties {
            let value = match value {
                Value::String(text) => {
                    Value::String(replaced.iter().fold(text.clone(), |text, (old, new)| {
                        text.replace(old.as_str(), new.as_str())
                    }))
                }
                other => other.clone(),
            };
            copy.properties.insert(name.clone(), value);
        }
        TableOperation::Insert(copy)
    }
}

fn row_key(line: &Line) -> String {
    format!("{}_{}", inverted_ticks(line.at), line.job)
}

fn audit_key(line: &Line) -> EntityKey {
    EntityKey::new(day_of(line.at), row_key(line))
}

struct Filler {
    installation: Installation,
    newest: Timestamp,
    databases: usize,
    /// Backups of each database.
    of_each: usize,
}

impl Filler {
    async fn fill(&self) -> Result<()> {
        self.installation.prepare().await?;
        for number in 0..ENGINES {
            let engine = engine(number, self.newest)?;
            self.installation
                .repositories
                .engines
                .insert(engine)
                .await?;
        }
        let databases: Vec<_> = futures::stream::iter(0..self.databases)
            .map(|number| self.fill_database(number))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        futures::stream::iter(0..self.of_each)
            .map(|number| self.fill_timelines(&databases, number))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await
    }

    /// Registers a database, with the rows of its own; gives the rows of a completed and of a failed
    /// backup.
    async fn fill_database(&self, number: usize) -> Result<[Template; 2]> {
        let database = database(number, self.newest)?;
        let id = database.id.clone();
        let repositories = &self.installation.repositories;
        repositories.databases.insert(database.clone()).await?;
        // The first database makes all days known.
        let by_services = if number == 0 { self.of_each } else { 2 };
        for number_of_line in 0..by_services {
            self.write(&database, &self.line(&id, number, number_of_line))
                .await?;
        }
        let templates = [
            self.template(self.line(&id, number, 0)).await?,
            self.template(self.line(&id, number, 1)).await?,
        ];
        let lines: Vec<Line> = (by_services..self.of_each)
            .map(|number_of_line| self.line(&id, number, number_of_line))
            .collect();
        let template = |line: &Line| &templates[usize::from(line.is_failed())];
        for lines in lines.chunks(BATCH) {
            let backups = lines
                .iter()
                .map(|line| template(line).backup(line, id.to_string()));
            self.write_batch("backupindex", backups.collect()).await?;
            let jobs = lines.iter().map(|line| template(line).job(line));
            self.write_batch("jobs", jobs.collect()).await?;
        }
        repositories.backups.recount(&id).await?;
        Ok(templates)
    }

    /// Writes the rows by day of the `number_of_line`th backup of all databases.
    async fn fill_timelines(
        &self,
        databases: &[[Template; 2]],
        number_of_line: usize,
    ) -> Result<()> {
        let mut by_day: BTreeMap<String, [Vec<TableOperation>; 3]> = BTreeMap::new();
        if number_of_line < 2 {
            return Ok(());
        }
        for (number, templates) in databases.iter().enumerate().skip(1) {
            let id = templates[0].line.job.database().context("an odd id")?;
            let line = self.line(&id, number, number_of_line);
            let template = &templates[usize::from(line.is_failed())];
            let day = day_of(line.at);
            let entry = Entity::new(EntityKey::new(day.clone(), row_key(&line)))
                .with("job_id", Value::String(line.job.to_string()));
            let [backups, jobs, audit] = by_day.entry(day.clone()).or_default();
            audit.push(template.audit(&line));
            backups.push(template.backup(&line, day));
            jobs.push(TableOperation::Insert(entry));
        }
        for [backups, jobs, audit] in by_day.into_values() {
            for (table, operations) in [
                ("backuphistory", backups),
                ("jobindex", jobs),
                ("auditlogs", audit),
            ] {
                for batch in operations.chunks(BATCH) {
                    self.write_batch(table, batch.to_vec()).await?;
                }
            }
        }
        Ok(())
    }

    async fn write_batch(&self, table: &str, operations: Vec<TableOperation>) -> Result<()> {
        let tables = &self.installation.storage.tables;
        tables
            .write_batch(&TableName::new(table)?, operations)
            .await?;
        Ok(())
    }

    fn line(&self, database: &DatabaseId, database_number: usize, number: usize) -> Line {
        let back = INTERVAL.as_secs() * i64::try_from(number).unwrap_or(i64::MAX);
        let aside = i64::try_from(database_number).unwrap_or(i64::MAX);
        let at = self.newest - SignedDuration::from_secs(back + aside);
        Line {
            number,
            at,
            job: JobId::derive(database, &format!("slot|{at}")),
        }
    }

    /// Writes a backup as the services do.
    async fn write(&self, database: &Database, line: &Line) -> Result<()> {
        let repositories = &self.installation.repositories;
        let failure = line
            .is_failed()
            .then(|| Failure::new(FailureKind::Unreachable, "the server did not answer"));
        repositories
            .jobs
            .restore(job(database, line, failure.clone()))
            .await?;
        repositories
            .backups
            .put(&backup(database, line, failure))
            .await?;
        repositories.audit.append(&audit(database, line)?).await?;
        Ok(())
    }

    async fn template(&self, line: Line) -> Result<Template> {
        let database = line.job.database().context("an odd id")?;
        let read = async |table: &str, key: EntityKey| -> Result<Entity> {
            let tables = &self.installation.storage.tables;
            let found = tables.get(&TableName::new(table)?, &key).await?;
            Ok(found.context("a row is missing")?.entity)
        };
        let of_database = |row| EntityKey::new(database.as_str(), row);
        Ok(Template {
            backup: read("backupindex", of_database(row_key(&line))).await?,
            job: read("jobs", of_database(line.job.to_string())).await?,
            audit: read("auditlogs", audit_key(&line)).await?,
            line,
        })
    }
}

/// What the worker writes of a backup.
fn audit(database: &Database, line: &Line) -> Result<AuditEntry> {
    let is_failed = line.is_failed();
    let (action, status) = if is_failed {
        (AuditAction::BackupFailed, AuditStatus::Failed)
    } else {
        (AuditAction::BackupCompleted, AuditStatus::Success)
    };
    Ok(AuditEntry {
        id: line.job.as_str().parse()?,
        at: line.at,
        user_id: "system".to_owned(),
        user_email: "system".to_owned(),
        action,
        resource_type: AuditResourceType::Backup,
        resource_id: line.job.to_string(),
        resource_name: database.label.to_string(),
        details: serde_json::Map::new(),
        status,
        error_message: is_failed.then(|| "the server did not answer".to_owned()),
        ip_address: None,
        intent_id: None,
    })
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

fn database(number: usize, now: Timestamp) -> Result<Database> {
    Ok(Database {
        id: format!("database-{number:06}").parse()?,
        engine_id: format!("engine-{}", number % ENGINES).parse()?,
        label: format!("Database {number}").parse()?,
        database_name: format!("database_{number}").parse()?,
        credentials: CredentialSource::Engine,
        policy: PolicySource::Own("production-critical".parse()?),
        enabled: true,
        rpo_minutes: None,
        compression: Compression::Gzip,
        destination: None,
        tags: BTreeMap::new(),
        created_at: now,
        updated_at: now,
        created_by: None,
    })
}

fn job(database: &Database, line: &Line, failure: Option<Failure>) -> Job {
    let owner = JobOwner {
        database_id: database.id.clone(),
        database_label: database.label.clone(),
        engine_type: EngineType::PostgreSql,
    };
    let work = Work::Backup(BackupWork::default());
    let mut job = Job::new(line.job.clone(), owner, work, Trigger::Scheduler, line.at);
    job.attempts = 1;
    let at = line.at + DURATION;
    job.state = match failure {
        None => JobState::Completed { at },
        Some(failure) => JobState::Failed { at, failure },
    };
    job
}

fn backup(database: &Database, line: &Line, failure: Option<Failure>) -> Backup {
    let is_made = failure.is_none();
    let made = |text: String| is_made.then_some(text);
    Backup {
        id: BackupId::from(&line.job),
        job_id: line.job.clone(),
        database_id: database.id.clone(),
        database_label: database.label.clone(),
        engine_id: Some(database.engine_id.clone()),
        engine_type: EngineType::PostgreSql,
        status: if is_made {
            BackupStatus::Completed
        } else {
            BackupStatus::Failed
        },
        created_at: line.at,
        started_at: Some(line.at),
        completed_at: Some(line.at + DURATION),
        container: made("backups".to_owned()),
        blob_name: made(format!("postgresql/{}.sql.gz", line.job)),
        stored_bytes: is_made.then_some(120_000_000),
        plain_bytes: is_made.then_some(900_000_000),
        stored_sha256: made("0123456789abcdef".repeat(4)),
        format: made("sql.gz".to_owned()),
        failure,
        retry_count: 0,
        trigger: Trigger::Scheduler,
        tiers: vec![Tier::Hourly, Tier::Daily],
        marks: BackupMarks::default(),
        epoch: 1,
    }
}
