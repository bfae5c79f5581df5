//! The operator's command line.

mod audit;
mod columns;
mod doctor;
mod rebuild;
mod retention;
mod schedule;
mod token;
mod try_out;
mod up;

use clap::{Parser, Subcommand};
use dilux_process_plumbing::give_back_freed_blocks;

/// Dilux backs up databases and proves that the backups restore.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run api, scheduler and processor on this machine, until Ctrl-C.
    Up,
    /// Say what is missing: settings, client tools, storage, clock.
    Doctor,
    /// Back databases up and restore them through the API, and compare: the first thing to try.
    Try(try_out::Arguments),
    /// Recreate history, index, recovery points and schedule state from the backups' manifests.
    RebuildCatalog(rebuild::Arguments),
    /// Say which backups stay and which go, and take deletions back.
    Retention(retention::Arguments),
    /// Say when a database is backed up next, and what became of its last slots.
    Schedule(schedule::Arguments),
    /// Say whether the audit log is as it was written, and what it leaves open.
    Audit(audit::Arguments),
    /// Make, list and revoke API tokens, without the API.
    Token(token::Arguments),
    /// Print the OpenAPI document of the API.
    Openapi,
}

fn main() -> anyhow::Result<()> {
    give_back_freed_blocks();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Up => up::run().await,
            Command::Doctor => doctor::run().await,
            Command::Try(arguments) => try_out::run(arguments).await,
            Command::RebuildCatalog(arguments) => rebuild::run(arguments).await,
            Command::Retention(arguments) => Box::pin(retention::run(arguments)).await,
            Command::Schedule(arguments) => schedule::run(arguments).await,
            Command::Audit(arguments) => audit::run(arguments).await,
            Command::Token(arguments) => token::run(arguments).await,
            Command::Openapi => openapi(),
        }
    })
}

#[expect(
    clippy::print_stdout,
    reason = "the document is what this command is for"
)]
fn openapi() -> anyhow::Result<()> {
    println!("{}", dilux_api::openapi().to_pretty_json()?);
    Ok(())
}
