//! Runs seeds of the simulation: a range of them for a campaign, or one with a trace for a replay.

mod journal;

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;
use dilux_simulation::campaign::{Campaign, Progress};
use dilux_simulation::{SimulatedTime, run};
use tracing_subscriber::EnvFilter;

use journal::Journal;

/// Seeds between two lines of the journal.
const STRETCH: u64 = 200;

/// Simulated days over faulty stores, replayed from a seed.
#[derive(Debug, Parser)]
struct Arguments {
    /// Replays this one seed and traces what happens.
    #[arg(long)]
    replay: Option<u64>,
    /// What a replay traces: `error`, `info`, `simulation=debug,info`.
    #[arg(long, default_value = "simulation=debug,info")]
    trace: String,
    /// The first seed of a campaign.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// Threads; as many as there are cores when not given.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Where a campaign notes what it has done, and goes on from when it is started again.
    #[arg(long)]
    journal: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.replay {
        Some(seed) => replay(seed, &arguments.trace),
        None => campaign(&arguments),
    }
}

fn replay(seed: u64, trace: &str) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(trace)?)
        .with_timer(SimulatedTime)
        .with_ansi(false)
        .with_target(false)
        .init();
    let outcome = run(seed, None)?;
    let mut out = std::io::stdout().lock();
    for violation in &outcome.violations {
        writeln!(out, "{violation}")?;
    }
    writeln!(
        out,
        "seed {seed}: {} violations, {} of {} jobs completed, {} of them restores, {} \
         verifications, {} backups damaged, {} deleted, {} deaths, {} events, hash {:016x}",
        outcome.violations.len(),
        outcome.completed,
        outcome.jobs,
        outcome.restored,
        outcome.verified,
        outcome.damaged,
        outcome.deleted,
        outcome.deaths,
        outcome.events,
        outcome.hash
    )?;
    anyhow::ensure!(outcome.violations.is_empty(), "the seed breaks a rule");
    Ok(())
}

fn campaign(arguments: &Arguments) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = arguments.threads.unwrap_or(cores).get();
    let mut journal = Journal::open(arguments.journal.as_deref(), arguments.from)?;
    while journal.totals().seeds < arguments.seeds {
        let done = journal.totals().seeds;
        let stretch = Campaign {
            from: arguments.from + done,
            seeds: STRETCH.min(arguments.seeds - done),
            threads,
        };
        let summary = stretch.run(&|progress| {
            if let Progress::Failed(outcome) = progress {
                let first = outcome.violations.first().map_or("", String::as_str);
                let more = outcome.violations.len().saturating_sub(1);
                say(&format!("seed {}: {first} (and {more} more)", outcome.seed));
            }
        })?;
        journal.add(&summary)?;
        say(&journal.totals().line());
    }
    let totals = journal.totals();
    writeln!(std::io::stdout(), "{}", totals.line())?;
    anyhow::ensure!(
        totals.failed == 0,
        "replay a seed with: cargo run -p dilux-simulation -- --replay SEED"
    );
    Ok(())
}

/// To whoever watches; if nobody does, the campaign goes on.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
