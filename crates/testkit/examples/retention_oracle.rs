//! The long form of the retention oracle: `retention_oracle [--cases N] [--seed FIRST]`.
//!
//! Prints one line, `cases=… failures=…` with what the cases had in them; ends with 1 when planner
//! and model disagreed, and names the seeds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a proof prints its figures"
)]

use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, bail};
use dilux_core::retention::plan;
use dilux_testkit::retention_oracle::{Disagreement, Tally, run_case};

/// Disagreements that are printed.
const PRINTED: usize = 3;

fn main() -> Result<ExitCode> {
    let (cases, first) = arguments()?;
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let workers: Vec<_> = (0..threads)
        .map(|number| thread::spawn(move || run(first + number, first + cases, threads)))
        .collect();
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for worker in workers {
        let Ok((part, failed)) = worker.join() else {
            bail!("a thread panicked: the planner or the oracle is at fault");
        };
        tally.cases += part.cases;
        tally.plans += part.plans;
        tally.verdicts += part.verdicts;
        tally.expired += part.expired;
        tally.protected += part.protected;
        failures.extend(failed);
    }
    for failure in failures.iter().take(PRINTED) {
        eprintln!("{failure}");
    }
    println!(
        "cases={} failures={} plans={} verdicts={} expired={} protected={}",
        tally.cases,
        failures.len(),
        tally.plans,
        tally.verdicts,
        tally.expired,
        tally.protected
    );
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

/// Every `step`-th seed of `first..end`.
fn run(first: u64, end: u64, step: u64) -> (Tally, Vec<Disagreement>) {
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    let mut seed = first;
    while seed < end {
        if let Err(failure) = run_case(plan, seed, &mut tally) {
            failures.push(failure);
        }
        seed += step;
    }
    (tally, failures)
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
