//! `dilux audit`: whether anybody tampered with the audit log.

use clap::{Args, Subcommand};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::repository::{AuditCheckpoint, AuditVerdict};
use dilux_core::storage::Profile;

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
    },
}

/// Verifies the log and prints what it found. An error means that it was tampered with.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::Verify { checkpoint } = arguments.command;
    let settings = Settings::from_environment()?;
    let installation = Installation::open(settings, Profile::Worker)?;
    installation.repositories.create_tables().await?;
    let audit = &installation.repositories.audit;
    let verdict = audit.verify(checkpoint.as_ref()).await?;
    print(&verdict);
    anyhow::ensure!(
        verdict.findings.is_empty(),
        "the audit log was tampered with, or damaged: {} findings",
        verdict.findings.len()
    );
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the verdict is what this command is for"
)]
fn print(verdict: &AuditVerdict) {
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
