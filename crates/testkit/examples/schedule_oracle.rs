//! The long form of the schedule oracle: `schedule_oracle [--cases N] [--seed FIRST]`.
//!
//! First every change of every zone's clock from 2020 to 2040, five tiers each; then N random
//! cases. Prints one line, `cases=… failures=…` with what the cases had in them; ends with 1 when
//! the planner broke a rule, and names the cases.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a proof prints its figures"
)]

use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, bail};
use dilux_core::schedule::plan;
use dilux_testkit::schedule_oracle::{Disagreement, Tally, changes, run_case, run_change};

/// Disagreements that are printed.
const PRINTED: usize = 3;

fn main() -> Result<ExitCode> {
    let (cases, first) = arguments()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let workers: Vec<_> = (0..threads)
        .map(|number| thread::spawn(move || run(first..first + cases, number, threads)))
        .collect();
    let (mut tally, mut at_changes, mut failures) = (Tally::default(), 0, Vec::new());
    for worker in workers {
        let Ok((part, changes, failed)) = worker.join() else {
            bail!("a thread panicked: the planner or the oracle is at fault");
        };
        tally.add(part);
        at_changes += changes;
        failures.extend(failed);
    }
    for failure in failures.iter().take(PRINTED) {
        eprintln!("{failure}");
    }
    println!(
        "cases={} failures={} at_clock_changes={at_changes} ticks={} booked={} missed={} retried={} edits={} outages={} jumps={}",
        tally.cases,
        failures.len(),
        tally.ticks,
        tally.booked,
        tally.missed,
        tally.retried,
        tally.edits,
        tally.outages,
        tally.jumps
    );
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

/// The share of one thread: every `step`-th change and seed from its number on.
fn run(seeds: std::ops::Range<u64>, number: usize, step: usize) -> (Tally, u64, Vec<Disagreement>) {
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for (zone, change) in changes().iter().skip(number).step_by(step) {
        failures.extend(run_change(plan, zone, *change, &mut tally).err());
    }
    let at_changes = tally.cases;
    for seed in seeds.skip(number).step_by(step) {
        failures.extend(run_case(plan, seed, &mut tally).err());
    }
    (tally, at_changes, failures)
}

fn arguments() -> Result<(u64, u64)> {
    let (mut cases, mut first) = (1_000_000, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().context("an option lacks its number")?;
        let number = value
            .parse()
            .with_context(|| format!("'{value}' is not a whole number"))?;
        match name.as_str() {
            "--cases" => cases = number,
            "--seed" => first = number,
            _ => bail!("'{name}' is not an option; there are --cases N and --seed FIRST"),
        }
    }
    Ok((cases, first))
}
