//! `dilux audit`: whether anybody tampered with the audit log, and what it leaves open.

use clap::{Args, Subcommand};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::AuditEntry;
use dilux_core::repository::{AuditCheckpoint, AuditVerdict, Repositories};
use dilux_core::storage::Profile;
use jiff::SignedDuration;

/// The audit log.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare every entry with its seal and its place in the chain; services may go on meanwhile.
    Verify {
        /// What an earlier verification printed as checkpoint: found out is then also a log that
        /// was put back as a whole to how it was before.
        #[arg(long)]
        checkpoint: Option<AuditCheckpoint>,
        /// The same for the log of intents.
        #[arg(long)]
        intents_checkpoint: Option<AuditCheckpoint>,
    },
    /// List what somebody began to do and of whose end nothing is known.
    Unfinished {
        /// Days to look back.
        #[arg(long, default_value_t = 31)]
        days: u16,
    },
}

/// Runs the command. An error means that a log was tampered with, or could not be read.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    let installation = Installation::open(settings, Profile::Worker)?;
    let Repositories { audit, intents, .. } = &installation.repositories;
    installation.repositories.create_tables().await?;
    match arguments.command {
        Command::Verify {
            checkpoint,
            intents_checkpoint,
        } => {
            let done = audit.verify(checkpoint.as_ref()).await?;
            print("The audit log", &done);
            let intended = intents.verify(intents_checkpoint.as_ref()).await?;
            print("The log of intents", &intended);
            let findings = done.findings.len() + intended.findings.len();
            anyhow::ensure!(
                findings == 0,
                "the audit log was tampered with, or damaged: {findings} findings"
            );
        }
        Command::Unfinished { days } => {
            let now = installation.clock.now();
            let since = now.checked_sub(SignedDuration::from_hours(24 * i64::from(days)))?;
            list(&intents.unanswered_in(audit, since, now).await?);
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the list is what this command is for")]
fn list(unfinished: &[AuditEntry]) {
    for intent in unfinished {
        println!(
            "{}  {}  {} {} {}  ({})",
            intent.at,
            intent.user_email,
            intent.action.as_str(),
            intent.resource_type.as_str(),
            intent.resource_id,
            intent.id,
        );
    }
    println!("{} changes without a known result", unfinished.len());
}

#[expect(
    clippy::print_stdout,
    reason = "the verdict is what this command is for"
)]
fn print(log: &str, verdict: &AuditVerdict) {
    println!("{log}");
    println!("days       {} with a chain", verdict.days);
    println!(
        "sound      {} entries are as they were written",
        verdict.sound
    );
    println!(
        "older      {} rows are from before the chain began; nothing can be said of them",
        verdict.older
    );
    if let Some(checkpoint) = &verdict.checkpoint {
        println!("checkpoint {checkpoint}");
    }
    for finding in &verdict.findings {
        println!("finding    {finding}");
    }
}
