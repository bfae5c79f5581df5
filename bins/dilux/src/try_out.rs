//! `dilux try`: registers databases over the REST API as any client would, backs them up, restores
//! them into new databases, and says whether nothing was lost.

mod client;
mod report;
mod subject;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use dilux_core::clock::{Clock, SystemClock};
use dilux_core::secret::SecretValue;
use jiff::Timestamp;
use serde_json::{Value, json};

use client::Client;
use report::Outcome;
use subject::Subject;

/// Arguments of `dilux try`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address of the API.
    #[arg(long, default_value = "http://127.0.0.1:7071")]
    api: url::Url,
    /// File with the bearer token for the API.
    #[arg(long, default_value = "data/operator-token")]
    token_file: PathBuf,
    /// Compression of the backups: gzip, zstd or none.
    #[arg(long)]
    compression: Option<String>,
    /// How far to go.
    #[arg(long, value_enum, default_value_t = Extent::Compare)]
    until: Extent,
    /// Print one JSON object a database instead of a table.
    #[arg(long)]
    json: bool,
    /// Remove engines of the same name that point elsewhere, with their databases.
    #[arg(long)]
    replace: bool,
    /// What to back up: postgresql://USER@HOST:PORT/DATABASE?password_file=FILE or mysql://…
    /// (for MariaDB too). `&name=NAME` sets the engine's name.
    #[arg(required = true, value_name = "DATABASE")]
    databases: Vec<Subject>,
}

/// How far a try goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Extent {
    /// Back up only.
    Backup,
    /// Restore too.
    Restore,
    /// Compare the copy with its source too.
    Compare,
}

/// Longest wait for a worker to take a job up.
const PICK_UP_LIMIT: Duration = Duration::from_mins(1);

/// Time between two looks at a job.
const POLL: Duration = Duration::from_millis(50);

/// Runs the command. An error when anything failed or a copy differs from its source.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let token = std::fs::read_to_string(&arguments.token_file).with_context(|| {
        format!(
            "cannot read an API token from {}; 'dilux token create --name NAME --file FILE' makes one",
            arguments.token_file.display()
        )
    })?;
    let client = Client::new(arguments.api.clone(), &SecretValue::new(token.trim()))?;
    let mut outcomes = Vec::new();
    for subject in &arguments.databases {
        let database_id = register(&client, subject, &arguments).await?;
        outcomes.push(try_one(&client, subject, &database_id, &arguments).await?);
    }
    report::print(&outcomes, arguments.json)?;
    let expected = arguments.until == Extent::Compare;
    let unequal: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| expected && outcome.is_equal != Some(true))
        .collect();
    for outcome in &unequal {
        for difference in &outcome.differences {
            say(&format!("{} differs: {difference}", outcome.database))?;
        }
    }
    if unequal.is_empty() {
        Ok(())
    } else {
        bail!(
            "{} of {} copies differ from their source",
            unequal.len(),
            outcomes.len()
        )
    }
}

/// Tells the person in front of the terminal; standard output is for the report.
fn say(sentence: &str) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "{sentence}")
}

/// Makes sure that the subject's engine and database are registered; gives the database's id.
async fn register(
    client: &Client,
    subject: &Subject,
    arguments: &Arguments,
) -> anyhow::Result<String> {
    let engine_id = register_engine(client, subject, arguments.replace).await?;
    let known = client
        .get(&["databases"], &[("engine_id", &engine_id)])
        .await?;
    let known = find(&known["databases"], |found| {
        found["database_name"] == subject.database
    });
    if let Some(id) = known {
        if let Some(compression) = &arguments.compression {
            client
                .put(&["databases", &id], &json!({ "compression": compression }))
                .await?;
        }
        return Ok(id);
    }
    let mut body = json!({
        "name": subject.database,
        "database_type": subject.engine_type,
        "host": subject.host,
        "port": subject.port,
        "database_name": subject.database,
        "engine_id": engine_id,
        "use_engine_credentials": true,
        "enabled": false,
    });
    if let Some(compression) = &arguments.compression {
        body["compression"] = json!(compression);
    }
    let created = client.post(&["databases"], &body).await?;
    text(&created["database"]["id"])
}

async fn register_engine(
    client: &Client,
    subject: &Subject,
    replace: bool,
) -> anyhow::Result<String> {
    let password = subject.password()?;
    let known = client.get(&["engines"], &[("limit", "1000")]).await?;
    if replace {
        for engine in known["items"].as_array().into_iter().flatten() {
            if engine["name"] == subject.engine_name && !is_at(engine, subject) {
                let id = text(&engine["id"])?;
                client
                    .delete(&["engines", &id], &[("delete_databases", "true")])
                    .await?;
            }
        }
    }
    let credentials = json!({
        "name": subject.engine_name,
        "auth_method": "user_password",
        "username": subject.username,
        "password": password.expose(),
    });
    if let Some(id) = find(&known["items"], |engine| is_at(engine, subject)) {
        client.put(&["engines", &id], &credentials).await?;
        return Ok(id);
    }
    let mut body = credentials;
    body["engine_type"] = json!(subject.engine_type);
    body["host"] = json!(subject.host);
    body["port"] = json!(subject.port);
    let created = client.post(&["engines"], &body).await?;
    text(&created["engine"]["id"])
}

fn is_at(engine: &Value, subject: &Subject) -> bool {
    engine["engine_type"] == subject.engine_type
        && engine["host"] == subject.host
        && engine["port"] == subject.port
}

async fn try_one(
    client: &Client,
    subject: &Subject,
    database_id: &str,
    arguments: &Arguments,
) -> anyhow::Result<Outcome> {
    let what = format!("{} ({})", subject.database, subject.engine_type);
    say(&format!("Backing up {what}"))?;
    let started = client
        .post(&["databases", database_id, "backup"], &json!({}))
        .await?;
    let (backup, seconds) = finish(client, &started, &format!("the backup of {what}")).await?;
    let mut outcome = Outcome::of_backup(subject, &backup, seconds);
    if arguments.until == Extent::Backup {
        return Ok(outcome);
    }
    let backup_id = text(&backup["backup_id"])?;
    let target = subject.new_name(SystemClock.now());
    say(&format!("Restoring {what} into {target}"))?;
    let body = json!({
        "target_database": target,
        "compare_with_source": arguments.until == Extent::Compare,
    });
    let started = client
        .post(&["backups", &backup_id, "restore"], &body)
        .await?;
    let (restore, seconds) = finish(client, &started, &format!("the restore of {what}")).await?;
    outcome.add_restore(target, &restore, seconds);
    Ok(outcome)
}

/// Waits for the end of a job that was just booked; gives the job and the seconds it took.
async fn finish(client: &Client, booked: &Value, what: &str) -> anyhow::Result<(Value, f64)> {
    let id = text(&booked["job_id"])?;
    let begin = std::time::Instant::now();
    loop {
        let job = client.get(&["jobs", &id], &[]).await?;
        match job["status"].as_str() {
            Some("completed") => {
                let seconds = duration(&job).unwrap_or_else(|| begin.elapsed().as_secs_f64());
                return Ok((job, seconds));
            }
            Some("pending") if begin.elapsed() > PICK_UP_LIMIT => {
                bail!("{what} waits for a worker: is a processor running? Job {id}")
            }
            Some("pending" | "in_progress") => tokio::time::sleep(POLL).await,
            _ => bail!("{what} did not succeed: {}. Job {id}", reason(&job)),
        }
    }
}

/// The seconds between a job's start and end, by its worker's clock.
fn duration(job: &Value) -> Option<f64> {
    let at = |key: &str| job[key].as_str()?.parse::<Timestamp>().ok();
    Some(
        at("completed_at")?
            .duration_since(at("started_at")?)
            .as_secs_f64(),
    )
}

fn reason(job: &Value) -> String {
    job["error_message"]
        .as_str()
        .map_or_else(|| job["status"].to_string(), str::to_owned)
}

/// The id of the first object of a list that `matches`.
fn find(list: &Value, matches: impl Fn(&Value) -> bool) -> Option<String> {
    let found = list.as_array()?.iter().find(|item| matches(item))?;
    found["id"].as_str().map(str::to_owned)
}

fn text(value: &Value) -> anyhow::Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .context("the API's answer lacks an id")
}
