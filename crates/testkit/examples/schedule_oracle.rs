//! The long form of the schedule oracle:
//! `schedule_oracle [--changes N] [--cases N] [--seed FIRST] [--threads N] [--journal FILE]`.
//!
//! First every change of every zone's clock from 2020 to 2040, or the first N, five tiers each;
//! then N random cases. With a journal it goes on where it was interrupted. Prints one line, `cases=…
//! failures=…` with what the cases had in them; ends with 1 when the planner broke a rule, and
//! names the cases.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a proof prints its figures"
)]

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use dilux_core::model::PolicyZone;
use dilux_core::schedule::plan;
use dilux_testkit::schedule_oracle::{Disagreement, Tally, changes, run_case, run_change};
use jiff::Timestamp;

/// Changes of clocks, and random cases, between two lines of the journal.
const CHANGES: u64 = 100;
const CASES: u64 = 500;

/// Disagreements that are printed.
const PRINTED: u64 = 3;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::read()?;
    let work = Work::new(&arguments);
    let journal = Journal::open(&arguments, &work)?;
    let (journal, next) = (Mutex::new(journal), AtomicU64::new(0));
    thread::scope(|scope| {
        let run = || run(&work, &next, &journal);
        let workers: Vec<_> = (0..arguments.threads).map(|_| scope.spawn(run)).collect();
        for worker in workers {
            match worker.join() {
                Ok(outcome) => outcome?,
                Err(_) => bail!("a thread panicked: the planner or the oracle is at fault"),
            }
        }
        Ok(())
    })?;
    let journal = journal.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{}", journal.line());
    Ok(ExitCode::from(u8::from(journal.failures > 0)))
}

/// Takes one stretch after the other until none is left.
fn run(work: &Work, next: &AtomicU64, journal: &Mutex<Journal>) -> Result<()> {
    loop {
        let stretch = next.fetch_add(1, Ordering::Relaxed);
        if stretch >= work.stretches() {
            return Ok(());
        }
        let lock = || journal.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().done.contains(&stretch) {
            continue;
        }
        let (tally, failures) = work.run(stretch);
        lock().add(stretch, tally, &failures)?;
    }
}

/// Everything that is to be done, in stretches: first those of changes, then those of cases.
struct Work {
    changes: Vec<(PolicyZone, Timestamp)>,
    seeds: Range<u64>,
}

impl Work {
    fn new(arguments: &Arguments) -> Self {
        let mut changes = changes();
        changes.truncate(arguments.changes);
        Self {
            changes,
            seeds: arguments.first..arguments.first + arguments.cases,
        }
    }

    fn stretches_of_changes(&self) -> u64 {
        (self.changes.len() as u64).div_ceil(CHANGES)
    }

    fn stretches(&self) -> u64 {
        self.stretches_of_changes() + (self.seeds.end - self.seeds.start).div_ceil(CASES)
    }

    fn run(&self, stretch: u64) -> (Tally, Vec<Disagreement>) {
        let (mut tally, mut failures) = (Tally::default(), Vec::new());
        let Some(stretch) = stretch.checked_sub(self.stretches_of_changes()) else {
            let from = usize::try_from(stretch * CHANGES).unwrap_or(usize::MAX);
            let changes = self.changes.iter().skip(from);
            for (zone, change) in changes.take(usize::try_from(CHANGES).unwrap_or(1)) {
                failures.extend(run_change(plan, zone, *change, &mut tally).err());
            }
            return (tally, failures);
        };
        let from = self.seeds.start + stretch * CASES;
        for seed in from..(from + CASES).min(self.seeds.end) {
            failures.extend(run_case(plan, seed, &mut tally).err());
        }
        (tally, failures)
    }
}

/// What was done so far; a line of its file for each stretch.
struct Journal {
    file: Option<File>,
    stretches: u64,
    done: BTreeSet<u64>,
    tally: Tally,
    failures: u64,
}

impl Journal {
    fn open(arguments: &Arguments, work: &Work) -> Result<Self> {
        let mut journal = Self {
            file: None,
            stretches: work.stretches(),
            done: BTreeSet::new(),
            tally: Tally::default(),
            failures: 0,
        };
        let Some(path) = &arguments.journal else {
            return Ok(journal);
        };
        let (changes, cases) = (work.changes.len(), arguments.cases);
        let head = format!("changes={changes} seed={} cases={cases}", arguments.first);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context("read the journal"),
        };
        journal.read(&text, &head, path)?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.context("open the journal")?;
        if text.is_empty() {
            file.write_all(format!("{head}\n").as_bytes())?;
        }
        journal.file = Some(file);
        Ok(journal)
    }

    fn read(&mut self, text: &str, head: &str, path: &Path) -> Result<()> {
        let mut lines = text.lines();
        ensure!(
            lines.next().is_none_or(|line| line == head),
            "the journal {} is of other cases; remove it",
            path.display()
        );
        for line in lines {
            let entry = || {
                let (stretch, rest) = line.split_once(' ')?;
                let (failures, tally) = rest.split_once(' ')?;
                Some((
                    stretch.parse().ok()?,
                    failures.parse().ok()?,
                    tally.parse().ok()?,
                ))
            };
            let entry = entry().context("the journal has a damaged line; remove it")?;
            self.count(entry);
        }
        Ok(())
    }

    fn count(&mut self, (stretch, failures, tally): (u64, u64, Tally)) {
        self.done.insert(stretch);
        self.failures += failures;
        self.tally.add(tally);
    }

    fn add(&mut self, stretch: u64, tally: Tally, failures: &[Disagreement]) -> Result<()> {
        let printed = usize::try_from(PRINTED.saturating_sub(self.failures)).unwrap_or(0);
        for failure in failures.iter().take(printed) {
            eprintln!("{failure}");
        }
        let count = failures.len() as u64;
        self.count((stretch, count, tally));
        if let Some(file) = &mut self.file {
            // In one call, so that a line is there as a whole or not at all.
            file.write_all(format!("{stretch} {count} {tally}\n").as_bytes())?;
        }
        let (done, all) = (self.done.len() as u64, self.stretches);
        if done.is_multiple_of(all.div_ceil(50).max(1)) {
            eprintln!("{done} of {all} stretches: {}", self.line());
        }
        Ok(())
    }

    fn line(&self) -> String {
        let tally = self.tally.to_string();
        let (cases, rest) = tally.split_once(' ').unwrap_or((&tally, ""));
        format!("{cases} failures={} {rest}", self.failures)
    }
}

struct Arguments {
    changes: usize,
    cases: u64,
    first: u64,
    threads: usize,
    journal: Option<PathBuf>,
}

impl Arguments {
    fn read() -> Result<Self> {
        let mut all = Self {
            changes: usize::MAX,
            cases: 1_000_000,
            first: 0,
            threads: thread::available_parallelism().map_or(1, usize::from),
            journal: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().context("an option lacks its value")?;
            let number = || -> Result<u64> {
                let number = value.parse();
                number.with_context(|| format!("'{value}' is not a whole number"))
            };
            match name.as_str() {
                "--changes" => all.changes = usize::try_from(number()?)?,
                "--cases" => all.cases = number()?,
                "--seed" => all.first = number()?,
                "--threads" => all.threads = usize::try_from(number()?)?.max(1),
                "--journal" => all.journal = Some(value.into()),
                _ => bail!(
                    "'{name}' is not an option; there are --changes N, --cases N, --seed FIRST, \
                     --threads N and --journal FILE"
                ),
            }
        }
        Ok(all)
    }
}
