//! `dilux rebuild-catalog`: the tables that can be told from the backups themselves.

use clap::Args;
use dilux_core::catalog::{Rebuild, RebuildReport};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::storage::Profile;

/// Options of the command.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Say what is missing and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Rebuilds the catalogue and prints what it found. An error means that manifests cannot be used.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    let installation = Installation::open(settings, Profile::Worker)?;
    let mode = if arguments.dry_run {
        Rebuild::DryRun
    } else {
        Rebuild::Write
    };
    installation.prepare().await?;
    let report = installation.rebuild_catalog(mode).await?;
    print(&report, mode);
    anyhow::ensure!(
        report.unusable.is_empty(),
        "{} manifests cannot be used; they were left out",
        report.unusable.len()
    );
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the report is what this command is for"
)]
fn print(report: &RebuildReport, mode: Rebuild) {
    let verb = match mode {
        Rebuild::DryRun => "missing",
        Rebuild::Write => "rebuilt",
    };
    println!("manifests        {} read", report.manifests);
    println!("lines of history {} {verb}", report.lines);
    println!("rows of jobs     {} {verb}", report.jobs);
    println!("recovery points  {} {verb}", report.recovery_points);
    println!("slots booked     {} {verb}", report.slots);
    for (name, reason) in &report.unusable {
        println!("unusable         {name}: {reason}");
    }
}
