//! The journal of a campaign: one line for each stretch of seeds, so that an interrupted campaign
//! goes on where it was.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use dilux_simulation::campaign::Summary;

/// What was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) seeds: u64,
    pub(crate) failed: u64,
    jobs: u64,
    completed: u64,
    restored: u64,
    verified: u64,
    damaged: u64,
    deleted: u64,
    deaths: u64,
    events: u64,
}

impl Totals {
    const NAMES: [&'static str; 10] = [
        "cases",
        "failures",
        "jobs",
        "completed",
        "restored",
        "verified",
        "damaged",
        "deleted",
        "deaths",
        "events",
    ];

    fn of(summary: &Summary) -> Self {
        Self {
            seeds: summary.seeds,
            failed: summary.failed.len() as u64,
            jobs: summary.jobs,
            completed: summary.completed,
            restored: summary.restored,
            verified: summary.verified,
            damaged: summary.damaged,
            deleted: summary.deleted,
            deaths: summary.deaths,
            events: summary.events,
        }
    }

    fn numbers(&mut self) -> [&mut u64; 10] {
        [
            &mut self.seeds,
            &mut self.failed,
            &mut self.jobs,
            &mut self.completed,
            &mut self.restored,
            &mut self.verified,
            &mut self.damaged,
            &mut self.deleted,
            &mut self.deaths,
            &mut self.events,
        ]
    }

    fn add(&mut self, mut other: Self) {
        for (sum, number) in self.numbers().into_iter().zip(other.numbers()) {
            *sum += *number;
        }
    }

    /// `cases=200 failures=0 …`.
    pub(crate) fn line(mut self) -> String {
        let pairs: Vec<String> = Self::NAMES
            .into_iter()
            .zip(self.numbers())
            .map(|(name, number)| format!("{name}={number}"))
            .collect();
        pairs.join(" ")
    }

    fn parse(line: &str) -> Option<Self> {
        let mut totals = Self::default();
        let mut pairs = line.split_whitespace();
        for (name, number) in Self::NAMES.into_iter().zip(totals.numbers()) {
            let (key, value) = pairs.next()?.split_once('=')?;
            *number = (key == name).then(|| value.parse().ok()).flatten()?;
        }
        Some(totals)
    }
}

/// The journal, kept in a file where one is given.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<File>,
    totals: Totals,
}

impl Journal {
    /// Opens a journal of a campaign that begins with seed `from`, and reads what it says.
    pub(crate) fn open(path: Option<&Path>, from: u64) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self {
                file: None,
                totals: Totals::default(),
            });
        };
        let head = format!("from={from}");
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context("read the journal"),
        };
        let mut lines = text.lines();
        anyhow::ensure!(
            lines.next().is_none_or(|line| line == head),
            "the journal {} is of a campaign that began with another seed; remove it",
            path.display()
        );
        let mut totals = Totals::default();
        for line in lines {
            totals.add(Totals::parse(line).context("the journal has a damaged line; remove it")?);
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.context("open the journal")?;
        if text.is_empty() {
            writeln!(file, "{head}")?;
        }
        Ok(Self {
            file: Some(file),
            totals,
        })
    }

    /// Notes that a stretch of seeds is done.
    pub(crate) fn add(&mut self, summary: &Summary) -> anyhow::Result<()> {
        let stretch = Totals::of(summary);
        self.totals.add(stretch);
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", stretch.line())?;
            file.sync_data()?;
        }
        Ok(())
    }

    /// What was done so far.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }
}
