//! `dilux doctor`: what is missing, one line each, and what to do about it.

use dilux_core::clock::{Clock as _, SystemClock};
use dilux_core::config::{Settings, StorageSetting};
use dilux_core::installation::Installation;
use dilux_core::storage::Profile;
use dilux_drivers::{Drivers, ToolReport, Tools};
use jiff::SignedDuration;

/// Local and storage clock may differ by this much before scheduling and expiry become doubtful.
const MOST_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The verdict on one thing.
enum Finding {
    Good(String),
    Doubtful(String),
    Bad(String),
}

/// Examines everything and prints the findings. An error means that something must be mended
/// before backups can work.
#[expect(
    clippy::print_stdout,
    reason = "the findings are what this command is for"
)]
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut findings = Vec::new();
    match Settings::from_environment() {
        Ok(settings) => {
            findings.push(Finding::Good(format!(
                "settings: {}",
                describe(&settings.storage)
            )));
            let drivers = Drivers::discover(&settings).await;
            findings.extend(tools(drivers.tools()));
            findings.extend(storage(settings).await);
        }
        Err(problems) => {
            findings.extend(problems.0.into_iter().map(|problem| {
                Finding::Bad(format!("setting {} {}", problem.variable, problem.reason))
            }));
        }
    }
    let mut bad = 0;
    for finding in &findings {
        match finding {
            Finding::Good(text) => println!("ok       {text}"),
            Finding::Doubtful(text) => println!("warning  {text}"),
            Finding::Bad(text) => {
                bad += 1;
                println!("missing  {text}");
            }
        }
    }
    anyhow::ensure!(
        bad == 0,
        "{bad} of {} findings must be mended",
        findings.len()
    );
    Ok(())
}

fn describe(storage: &StorageSetting) -> String {
    match storage {
        StorageSetting::Embedded { directory } => {
            format!("embedded store in {}", directory.display())
        }
        StorageSetting::ConnectionString(_) => "Azure storage by connection string".to_owned(),
        StorageSetting::Identity { blob_endpoint, .. } => {
            format!("Azure storage at {blob_endpoint} by identity")
        }
    }
}

fn tools(tools: &Tools) -> Vec<Finding> {
    let report = tools.report();
    let mut findings: Vec<Finding> = report.iter().map(tool).collect();
    let has = |names: &[&str]| {
        report
            .iter()
            .any(|tool| tool.problem.is_none() && names.contains(&tool.name.as_str()))
    };
    for (engine, names, package) in [
        ("PostgreSQL", ["pg_dump", "pg_dump"], "postgresql-client"),
        ("PostgreSQL", ["psql", "psql"], "postgresql-client"),
        (
            "MySQL and MariaDB",
            ["mariadb-dump", "mysqldump"],
            "mariadb-client",
        ),
        ("MySQL and MariaDB", ["mariadb", "mysql"], "mariadb-client"),
    ] {
        if !has(&names) {
            findings.push(Finding::Bad(format!(
                "{} is not installed; {engine} databases need it (package {package})",
                names[0]
            )));
        }
    }
    findings
}

fn tool(tool: &ToolReport) -> Finding {
    let ToolReport {
        name,
        path,
        version,
        fixed_in,
        problem,
    } = tool;
    let version = version.as_deref().unwrap_or("of unknown version");
    match (problem, fixed_in) {
        (Some(problem), _) => Finding::Doubtful(format!("{name} at {path} is unusable: {problem}")),
        (None, Some(fixed)) => Finding::Doubtful(format!(
            "{name} {version} at {path} has known flaws; upgrade to {fixed} or later"
        )),
        (None, None) => Finding::Good(format!("{name} {version} at {path}")),
    }
}

async fn storage(settings: Settings) -> Vec<Finding> {
    let opened = Installation::open(settings, Profile::Interactive);
    let installation = match opened {
        Ok(installation) => installation,
        Err(error) => return vec![Finding::Bad(format!("storage cannot be opened: {error}"))],
    };
    if let Err(error) = installation.prepare().await {
        return vec![Finding::Bad(format!(
            "storage cannot be used: {}",
            chain(&error)
        ))];
    }
    let mut findings = vec![Finding::Good(
        "storage: tables, queue and container are there".into(),
    )];
    findings.push(match installation.storage.secrets.list().await {
        Ok(names) => Finding::Good(format!("secrets: {} kept", names.len())),
        Err(error) => Finding::Bad(format!("secrets cannot be read: {error}")),
    });
    findings.push(clock(&installation).await);
    findings
}

async fn clock(installation: &Installation) -> Finding {
    if let Ok(Some(doubt)) = installation.clock_doubt().await {
        return Finding::Bad(doubt);
    }
    match installation.storage_time().await {
        Ok(theirs) => {
            let skew = SystemClock.now().duration_since(theirs).abs();
            if skew > MOST_SKEW {
                Finding::Bad(format!(
                    "this machine's clock and the storage's differ by {} s; set the clock",
                    skew.as_secs()
                ))
            } else {
                Finding::Good("clock agrees with the storage's".to_owned())
            }
        }
        Err(error) => Finding::Doubtful(format!("clock cannot be compared: {error}")),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
