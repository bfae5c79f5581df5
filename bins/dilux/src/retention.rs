//! `dilux retention`: what would expire and why, without the API; and taking a deletion back.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use dilux_core::config::Settings;
use dilux_core::expiry::{DatabasePreview, Expiry, Proposal, Scope};
use dilux_core::installation::Installation;
use dilux_core::model::{Backup, BackupId, DatabaseId, KeepCount, Mark, PolicyId, Tier};
use dilux_core::retention::{TierKeep, Verdict};
use dilux_core::storage::Profile;

/// Which backups stay, which go, and why.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what retention would delete, with reasons, and change nothing.
    DryRun(DryRun),
    /// Carry retention out now, as the scheduler does.
    Run,
    /// Take an announced deletion back, and pin the backup.
    Undelete {
        /// Id of the backup.
        backup: BackupId,
        /// Why, for those who read it later.
        #[arg(long)]
        note: Option<String>,
    },
}

#[derive(Debug, Args)]
struct DryRun {
    /// Only this database; then kept backups are listed too.
    #[arg(long, conflicts_with = "policy")]
    database: Option<DatabaseId>,
    /// Only databases that follow this policy.
    #[arg(long)]
    policy: Option<PolicyId>,
    /// As if the policy kept so many of a tier: `daily=7`; tiers that are not named are disabled.
    #[arg(long = "keep", value_name = "TIER=COUNT", value_parser = parse_keep)]
    keeps: Vec<TierKeep>,
    /// As if all tiers of the policy were disabled.
    #[arg(long, conflicts_with = "keeps")]
    keep_nothing: bool,
}

fn parse_keep(text: &str) -> Result<TierKeep, String> {
    let (tier, count) = text.split_once('=').ok_or("write it as daily=7")?;
    let tier: Tier = tier.parse().map_err(|error| format!("{tier}: {error}"))?;
    let count: i64 = count
        .parse()
        .map_err(|_| format!("'{count}' is not a whole number"))?;
    let keep = KeepCount::new(count).map_err(|error| error.to_string())?;
    Ok(TierKeep { tier, keep })
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    let installation = Installation::open(settings, Profile::Interactive)?;
    installation.prepare().await?;
    match arguments.command {
        Command::DryRun(wish) => dry_run(&installation, wish).await,
        Command::Run => carry_out(&installation).await,
        Command::Undelete { backup, note } => undelete(&installation, &backup, note).await,
    }
}

#[expect(clippy::print_stdout, reason = "says what was done")]
async fn carry_out(installation: &Installation) -> anyhow::Result<()> {
    let report = Expiry::new(installation.clone()).run().await?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

async fn dry_run(installation: &Installation, wish: DryRun) -> anyhow::Result<()> {
    let scope = match (wish.database, wish.policy) {
        (Some(id), _) => Scope::Database(id),
        (None, Some(id)) => Scope::Policy(id),
        (None, None) => Scope::All,
    };
    let is_proposed = wish.keep_nothing || !wish.keeps.is_empty();
    let proposal = is_proposed.then_some(Proposal(wish.keeps));
    let expiry = Expiry::new(installation.clone());
    let previews = expiry.preview(&scope, proposal.as_ref()).await?;
    print(&previews);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the plan is what this command is for")]
fn print(previews: &[DatabasePreview]) {
    for preview in previews {
        let label = preview
            .label
            .as_ref()
            .map_or("no longer registered", |label| label.as_str());
        println!(
            "{} ({label}): {} stay, {} may go",
            preview.database_id, preview.kept, preview.expired
        );
        if let Some(problem) = &preview.problem {
            println!("  nothing of it expires: {problem}");
        }
        for backup in &preview.backups {
            let (verdict, reasons) = match &backup.verdict {
                Verdict::Keep(reasons) => {
                    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                    ("stays", reasons.join("; "))
                }
                Verdict::Expire(reason) => ("may go", reason.to_string()),
            };
            println!("  {} {verdict}: {reasons} [{}]", backup.taken_at, backup.id);
        }
    }
}

#[expect(clippy::print_stdout, reason = "says what was done")]
async fn undelete(
    installation: &Installation,
    id: &BackupId,
    note: Option<String>,
) -> anyhow::Result<()> {
    let backup = line(installation, id).await?;
    let mark = Mark {
        at: installation.clock.now(),
        by: "command line".to_owned(),
        note,
    };
    let expiry = Expiry::new(installation.clone());
    expiry.undelete(&backup, &mark).await?;
    println!("backup '{id}' stays, and is pinned");
    Ok(())
}

async fn line(installation: &Installation, id: &BackupId) -> anyhow::Result<Backup> {
    let job_id = id
        .job()
        .context("this is no id of a backup of this product")?;
    let repositories = &installation.repositories;
    let job = repositories.jobs.get(&job_id).await?;
    let booked_at = job
        .context("the job of this backup is gone; undelete it through the API")?
        .value
        .created_at;
    let line = repositories.backups.get(&job_id, booked_at).await?;
    Ok(line.context("there is no such backup")?.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_tier_is_written_as_its_name_and_a_count() {
        let keep = parse_keep("weekly=4").unwrap();
        assert_eq!((keep.tier, keep.keep.get()), (Tier::Weekly, 4));
        for wrong in ["weekly", "weekly=", "weekly=x", "weekly=0", "sometimes=3"] {
            assert!(parse_keep(wrong).is_err(), "{wrong}");
        }
    }
}
