//! One run: an installation with its databases, processes and disasters, from start to verdict.

mod disasters;
mod people;
mod register;
mod roles;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use dilux_core::clock::{Clock as _, SharedClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::Work;
use dilux_core::random::SharedRandom;
use dilux_core::schedule::opened;
use dilux_core::storage::{
    LimitedBlobStore, LimitedQueueStore, LimitedTableStore, RetryPolicy, RetryingBlobStore,
    RetryingQueueStore, RetryingSecretStore, RetryingTableStore, Storage,
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::SimulatedClock;
use crate::connection::Connection;
use crate::defect::Defect;
use crate::event_log::EventLog;
use crate::fault::FaultPlan;
use crate::memory::{Memory, Row};
use crate::network::Network;
use crate::observer::{Observer, Wishes};
use crate::process::Process;
use crate::random::Dice;
use crate::source::Sources;
use crate::verdict::{self, Facts};

pub(crate) use register::Subject;

use roles::Role;

/// Days in which things go wrong.
const DAYS: u64 = 3;
/// Then nothing goes wrong any more; the schedulers go on for so long…
const SETTLING: Duration = Duration::from_hours(3);
/// …and the workers for so long without them, and without a blackout.
const DRAINING: Duration = Duration::from_hours(2);
/// The password of every simulated server.
const CANARY: &str = "canary-1f0c9a7e";

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The rules that it broke.
    pub violations: Vec<String>,
    /// The number of everything that happened.
    pub hash: u64,
    /// Requests, deaths and dumps.
    pub events: u64,
    /// Jobs that were booked.
    pub jobs: usize,
    /// Those that were completed.
    pub completed: usize,
    /// Restores among them.
    pub restored: usize,
    /// Verifications among them.
    pub verified: usize,
    /// Backups that were found damaged.
    pub damaged: usize,
    /// Backups that expired and were deleted.
    pub deleted: usize,
    /// Deaths of processes.
    pub deaths: usize,
}

/// Runs the seed to its end and judges it. `defect` is for tests of the simulation itself.
pub fn run(seed: u64, defect: Option<Defect>) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("start the runtime")?;
    runtime.block_on(async { World::new(seed, defect).await?.live().await })
}

/// Everything that the tasks of a run share.
#[derive(Debug)]
struct World {
    seed: u64,
    clock: SimulatedClock,
    network: Arc<Network>,
    observer: Arc<Observer>,
    sources: Arc<Sources>,
    settings: Arc<Settings>,
    subjects: Vec<Subject>,
    /// The present lives, schedulers first.
    lives: Mutex<Vec<Life>>,
    /// Cancelled when nothing goes wrong any more.
    calm: CancellationToken,
    deaths: Mutex<usize>,
}

#[derive(Debug, Clone)]
struct Life {
    process: Arc<Process>,
    shutdown: CancellationToken,
}

impl World {
    async fn new(seed: u64, defect: Option<Defect>) -> anyhow::Result<Arc<Self>> {
        let dice = Dice::new(seed);
        let clock = SimulatedClock::starting_at(roles::start(&dice)?);
        let settings = Arc::new(roles::settings(&dice)?);
        let sources = Arc::new(Sources::new(clock));
        let attempts = settings.worker.retry.attempts;
        let observer = Arc::new(Observer::new(clock, attempts, sources.copies.clone()));
        let shared: SharedClock = Arc::new(clock);
        let memory = Memory::new(shared.clone())
            .watched_by(observer.clone())
            .with_defect(defect);
        let memory = Arc::new(memory);
        let plan = FaultPlan::draw(&dice);
        let log = EventLog::new(clock);
        tracing::info!(target: "simulation", seed, ?plan, ?settings, "world begins");
        let network = Network::new(memory.clone(), log, dice.fork(), plan);
        let random: SharedRandom = Arc::new(dice.fork());
        let installation = Installation::new(settings.clone(), calm(&memory), shared, random);
        installation.prepare().await?;
        let subjects = register::register(&installation, &dice, CANARY).await?;
        observer.wish(wishes(&subjects, &settings, defect));
        Ok(Arc::new(Self {
            seed,
            clock,
            network: Arc::new(network),
            observer,
            sources,
            settings,
            subjects,
            lives: Mutex::default(),
            calm: CancellationToken::new(),
            deaths: Mutex::new(0),
        }))
    }

    async fn live(self: Arc<Self>) -> anyhow::Result<Outcome> {
        let began_at = self.clock.now();
        let (planning, working) = (CancellationToken::new(), CancellationToken::new());
        self.network.begin_faults();
        let mut running = tokio::task::JoinSet::new();
        for (index, role) in Role::ALL.into_iter().enumerate() {
            let until = match role {
                Role::Scheduler => &planning,
                Role::Worker => &working,
            };
            running.spawn(roles::supervise(self.clone(), index, role, until.clone()));
        }
        running.spawn(disasters::happen(self.clone()));
        running.spawn(people::act(self.clone()));
        sleep(Duration::from_hours(24 * DAYS)).await;
        self.network.end_faults();
        self.calm.cancel();
        sleep(SETTLING).await;
        planning.cancel();
        let ended_at = self.clock.now();
        sleep(self.blacked_out(ended_at)?).await;
        sleep(DRAINING).await;
        working.cancel();
        while running.join_next().await.is_some() {}
        let facts = Facts {
            orphan_hours: self.settings.retention.orphan_hours,
            sources: &self.sources,
            subjects: &self.subjects,
            canary: CANARY,
            began_at,
            planned_until: ended_at.checked_sub(self.settings.tick)?,
            ended_at,
        };
        let mut outcome = self.judge(&facts);
        outcome.violations.extend(self.rebuild().await);
        Ok(outcome)
    }

    /// From `planned`, when planning ends, to the end of the blackouts that what was planned waits
    /// for; nothing when there is none.
    fn blacked_out(&self, planned: Timestamp) -> anyhow::Result<Duration> {
        let instants = [planned, planned.checked_add(DRAINING)?];
        let ends = instants.into_iter().flat_map(|at| {
            let timings = self.subjects.iter().map(|subject| &subject.policy.timing);
            timings.map(move |timing| (at, opened(timing, at)))
        });
        let lasting = ends.filter(|(at, end)| at < end).map(|(_, end)| end);
        let end = lasting.max().unwrap_or(planned);
        Ok(Duration::try_from(end.duration_since(planned))?)
    }

    fn judge(&self, facts: &Facts<'_>) -> Outcome {
        let content = self.network.memory.content();
        let mut violations = self.observer.violations();
        violations.extend(verdict::violations(&content, facts));
        let jobs: Vec<&Row> = content.rows("jobs").map(|(_, job)| job).collect();
        let completed = jobs.iter().filter(|job| job.text("state") == "completed");
        let (mut restored, mut verified) = (0, 0);
        for job in completed.clone() {
            match verdict::work_of(job) {
                Some(Work::Restore(_)) => restored += 1,
                Some(Work::Verify(_)) => verified += 1,
                Some(Work::Backup(_)) | None => {}
            }
        }
        let findings = content.rows("retentionstate");
        let damaged = findings.filter(|(_, row)| row.text("finding").contains("damaged"));
        let fates = content.rows("retentionstate");
        let deleted = fates.filter(|(_, row)| row.text("fate") == "deleted");
        Outcome {
            seed: self.seed,
            violations,
            hash: self.network.log.hash(),
            events: self.network.log.events(),
            jobs: jobs.len(),
            completed: completed.count(),
            restored,
            verified,
            damaged: damaged.count(),
            deleted: deleted.count(),
            deaths: *self.deaths.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Loses the catalogue at the very end, and says what a rebuild does not bring back.
    async fn rebuild(&self) -> Vec<String> {
        let memory = &self.network.memory;
        let clock: SharedClock = Arc::new(self.clock);
        let random: SharedRandom = Arc::new(self.network.dice.fork());
        let installation = Installation::new(self.settings.clone(), calm(memory), clock, random);
        verdict::rebuild::violations(memory, &installation).await
    }

    /// The installation as `process` sees it, by a clock that is wrong by `skew`.
    fn installation(
        &self,
        process: &Arc<Process>,
        policy: RetryPolicy,
        skew: SignedDuration,
    ) -> Installation {
        let connection = Arc::new(Connection::new(self.network.clone(), process.clone()));
        let random: SharedRandom = Arc::new(self.network.dice.fork());
        let tables = RetryingTableStore::new(connection.clone(), policy, random.clone());
        let queues = RetryingQueueStore::new(connection.clone(), policy, random.clone());
        let blobs = RetryingBlobStore::new(connection.clone(), policy, random.clone());
        let secrets = RetryingSecretStore::new(connection, policy, random.clone());
        let storage = Storage {
            tables: Arc::new(LimitedTableStore::new(Arc::new(tables))),
            queues: Arc::new(LimitedQueueStore::new(Arc::new(queues))),
            blobs: Arc::new(LimitedBlobStore::new(Arc::new(blobs))),
            secrets: Arc::new(secrets),
            embedded: None,
        };
        let clock: SharedClock = Arc::new(self.clock.skewed(skew));
        Installation::new(self.settings.clone(), storage, clock, random)
    }

    /// The life that is running in place `index` now.
    fn life(&self, index: usize) -> Option<Life> {
        let lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.get(index).cloned()
    }
}

/// The stores without a network before them.
fn calm(memory: &Arc<Memory>) -> Storage {
    Storage {
        tables: memory.clone(),
        queues: memory.clone(),
        blobs: memory.clone(),
        secrets: memory.clone(),
        embedded: None,
    }
}

/// What the policies and the settings of a run want to be kept.
fn wishes(subjects: &[Subject], settings: &Settings, defect: Option<Defect>) -> Wishes {
    let more = u32::from(defect == Some(Defect::KeepsTooFew));
    let keeps = subjects.iter().map(|subject| {
        let rules = subject.policy.rules.iter();
        let keeps = rules.map(|rule| (rule.schedule.tier(), rule.keep.get() + more));
        (subject.id.clone(), keeps.collect())
    });
    let days = i64::from(settings.retention.grace_days);
    Wishes {
        keeps: keeps.collect(),
        grace: SignedDuration::from_hours(24 * days),
    }
}
