//! Many seeds on several threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::world::{Outcome, run};

/// Which seeds to run, and on how many threads.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// Threads.
    pub threads: usize,
}

/// What a campaign found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Seeds that were run to their end.
    pub seeds: u64,
    /// Those that broke a rule, with what they broke.
    pub failed: Vec<Outcome>,
    /// Requests, deaths and dumps.
    pub events: u64,
    /// Jobs that were booked.
    pub jobs: u64,
    /// Those that were completed.
    pub completed: u64,
    /// Restores among them.
    pub restored: u64,
    /// Verifications among them.
    pub verified: u64,
    /// Backups that were found damaged.
    pub damaged: u64,
    /// Backups that expired and were deleted.
    pub deleted: u64,
    /// Deaths of processes.
    pub deaths: u64,
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.jobs += outcome.jobs as u64;
        self.completed += outcome.completed as u64;
        self.restored += outcome.restored as u64;
        self.verified += outcome.verified as u64;
        self.damaged += outcome.damaged as u64;
        self.deleted += outcome.deleted as u64;
        self.deaths += outcome.deaths as u64;
        if !outcome.violations.is_empty() {
            self.failed.push(outcome);
        }
    }
}

impl Campaign {
    /// Runs every seed. `progress` hears of each that broke a rule, and how far it is each time
    /// that a hundredth is done.
    pub fn run(self, progress: &(dyn Fn(Progress<'_>) + Sync)) -> anyhow::Result<Summary> {
        let next = AtomicU64::new(0);
        let summary = Mutex::new(Summary::default());
        let step = (self.seeds / 100).max(1);
        let work = || -> anyhow::Result<()> {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= self.seeds {
                    return Ok(());
                }
                let outcome = run(self.from + index, None)?;
                if !outcome.violations.is_empty() {
                    progress(Progress::Failed(&outcome));
                }
                let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                summary.add(outcome);
                if summary.seeds % step == 0 {
                    progress(Progress::Done(summary.seeds));
                }
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads.max(1))
                .map(|_| scope.spawn(work))
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a run panicked")))
            })
        })?;
        let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
        summary.failed.sort_by_key(|outcome| outcome.seed);
        Ok(summary)
    }
}

/// What a campaign says meanwhile.
#[derive(Debug)]
pub enum Progress<'a> {
    /// So many seeds are done.
    Done(u64),
    /// This seed broke a rule.
    Failed(&'a Outcome),
}
