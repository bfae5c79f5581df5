//! The state of the installation in figures, for monitoring: what a call costs depends on the number
//! of databases and of jobs that are not over, and not on the length of the history.

use std::collections::{BTreeMap, HashMap};

use dilux_core::Result;
use dilux_core::alert::{AlertKind, Severity, find};
use dilux_core::component::ComponentKind;
use dilux_core::model::{Database, DeadLetterReason, EngineType, Job, JobState, Tally, Turnout};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::rpo::{RpoState, Rules, rpo};
use dilux_core::timer::TimerState;
use jiff::Timestamp;

use super::Application;

/// The newest jobs whose durations are told.
const RECENT_JOBS: usize = 100;

/// One database in figures.
#[derive(Debug)]
pub(crate) struct DatabaseFigures {
    /// The database.
    pub(crate) database: Database,
    /// The type of its engine, as far as it has a history.
    pub(crate) engine_type: Option<EngineType>,
    /// How it stands against its objective.
    pub(crate) rpo: RpoState,
    /// The instant that its newest good backup takes one back to.
    pub(crate) recovery_point: Option<Timestamp>,
    /// Backups that failed since the newest one that was made.
    pub(crate) failures: u64,
    /// Backups that are there.
    pub(crate) backups: u64,
    /// Their stored bytes.
    pub(crate) bytes: u64,
}

/// Jobs that are not over.
#[derive(Debug, Default)]
pub(crate) struct OpenJobs {
    /// How many, by kind and state.
    pub(crate) counts: BTreeMap<(&'static str, &'static str), u64>,
    /// When the one that has been due longest without running could have begun.
    pub(crate) waiting_since: Option<Timestamp>,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Now.
    pub(crate) now: Timestamp,
    /// Backups ever, of all databases, also of those that are registered no more.
    pub(crate) turnout: Turnout,
    /// Backups that are there.
    pub(crate) present: u64,
    /// Their stored bytes.
    pub(crate) present_bytes: u64,
    /// Backups that are damaged.
    pub(crate) damaged: u64,
    /// The registered databases, by id.
    pub(crate) databases: Vec<DatabaseFigures>,
    /// Jobs that are not over.
    pub(crate) jobs: OpenJobs,
    /// Seconds that the newest jobs ran which were completed, by kind, ascending.
    pub(crate) recent_seconds: BTreeMap<&'static str, Vec<f64>>,
    /// Messages in the queue, about; nothing while the queue does not answer.
    pub(crate) queue_depth: Option<u64>,
    /// Dead letters by reason.
    pub(crate) dead_letters: BTreeMap<&'static str, u64>,
    /// Alerts by kind and severity.
    pub(crate) alerts: HashMap<(AlertKind, Severity), u64>,
    /// The timers.
    pub(crate) timers: Vec<TimerState>,
    /// Processes by kind: those that live, and those that fell silent.
    pub(crate) components: BTreeMap<ComponentKind, (u64, u64)>,
}

impl Application {
    /// Everything in figures. An error means that the tables do not answer.
    pub(crate) async fn figures(&self) -> Result<Figures> {
        let installation = &self.installation;
        let now = installation.clock.now();
        let tallies = self.tallies().await?;
        let mut figures = Figures {
            now,
            turnout: Turnout::default(),
            present: 0,
            present_bytes: 0,
            damaged: 0,
            databases: Vec::new(),
            jobs: self.open_jobs(now).await?,
            recent_seconds: self.recent_seconds().await?,
            queue_depth: self.queue_depth().await,
            dead_letters: self.dead_letters_by_reason().await?,
            alerts: HashMap::new(),
            timers: self.timer_states().await?,
            components: self.components_by_kind(now).await?,
        };
        for Versioned { value: tally, .. } in &tallies.items {
            figures.turnout.add(tally.ever);
            figures.present += tally.present;
            figures.present_bytes += tally.present_bytes;
            figures.damaged += tally.damage.count;
        }
        figures.databases = self.databases_in_figures(&tallies, now).await?;
        for alert in find(installation, now).await?.alerts {
            *figures
                .alerts
                .entry((alert.kind, alert.severity))
                .or_insert(0) += 1;
        }
        Ok(figures)
    }

    async fn databases_in_figures(
        &self,
        tallies: &Listing<Versioned<Tally>>,
        now: Timestamp,
    ) -> Result<Vec<DatabaseFigures>> {
        let repositories = &self.installation.repositories;
        let engines = repositories.engines.list().await?;
        let policies = repositories.policies.list().await?;
        let rules = Rules::new(&engines, &policies);
        let states = repositories.states.all().await?;
        let states = states.items.iter().map(|row| &row.value);
        let states: HashMap<_, _> = states.map(|it| (&it.database_id, it)).collect();
        let tallies = tallies.items.iter().map(|row| &row.value);
        let tallies: HashMap<_, _> = tallies.map(|it| (&it.database_id, it)).collect();
        let figures = |row: &Versioned<Database>| {
            let database = &row.value;
            let state = states.get(&database.id).copied();
            let standing = rpo(database, rules.promise_of(database), state, now);
            let tally = tallies.get(&database.id);
            DatabaseFigures {
                database: database.clone(),
                engine_type: tally.and_then(|tally| tally.engine_type),
                rpo: standing.state,
                recovery_point: standing.recovery_point,
                failures: tally.map_or(0, |tally| tally.streak.failures),
                backups: tally.map_or(0, |tally| tally.present),
                bytes: tally.map_or(0, |tally| tally.present_bytes),
            }
        };
        // In the order of their ids.
        Ok(self.registered().await?.items.iter().map(figures).collect())
    }

    async fn open_jobs(&self, now: Timestamp) -> Result<OpenJobs> {
        let mut open = OpenJobs::default();
        let jobs = &self.installation.repositories.jobs;
        let count = |job: Versioned<Job>| {
            let job = job.value;
            let kind = (job.work.kind(), job.state.as_str());
            *open.counts.entry(kind).or_insert(0) += 1;
            let is_running = matches!(job.state, JobState::Running { .. });
            if !is_running && job.not_before <= now {
                let since = open.waiting_since.get_or_insert(job.not_before);
                *since = (*since).min(job.not_before);
            }
        };
        jobs.for_each_active(now, count).await?;
        Ok(open)
    }

    async fn recent_seconds(&self) -> Result<BTreeMap<&'static str, Vec<f64>>> {
        let jobs = &self.installation.repositories.jobs;
        let (jobs, _) = jobs.newest(None, RECENT_JOBS).await?;
        let mut seconds: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for job in jobs {
            if let JobState::Completed { .. } = job.state
                && let (Some(from), Some(to)) = (job.started_at(), job.ended_at())
            {
                let lasted = to.duration_since(from).as_secs_f64();
                seconds.entry(job.work.kind()).or_default().push(lasted);
            }
        }
        for seconds in seconds.values_mut() {
            seconds.sort_by(f64::total_cmp);
        }
        Ok(seconds)
    }

    async fn queue_depth(&self) -> Option<u64> {
        let installation = &self.installation;
        let queues = &installation.storage.queues;
        let depth = queues.approximate_count(&installation.settings.queue).await;
        depth.ok()
    }

    async fn dead_letters_by_reason(&self) -> Result<BTreeMap<&'static str, u64>> {
        let letters = self.installation.repositories.dead_letters.list().await?;
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for reason in DeadLetterReason::ALL {
            counts.insert(reason.as_str(), 0);
        }
        for letter in letters.items {
            *counts.entry(letter.value.reason.as_str()).or_insert(0) += 1;
        }
        Ok(counts)
    }

    async fn timer_states(&self) -> Result<Vec<TimerState>> {
        let timers = self.installation.repositories.timers.list().await?.items;
        Ok(timers.into_iter().map(|row| row.value).collect())
    }

    async fn components_by_kind(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<ComponentKind, (u64, u64)>> {
        let view = self.view_components().await?;
        let mut counts: BTreeMap<_, (u64, u64)> =
            BTreeMap::from(ComponentKind::ALL.map(|kind| (kind, (0, 0))));
        for component in view.items {
            let (alive, silent) = counts.entry(component.kind).or_default();
            if component.is_alive(now, view.heartbeat) {
                *alive += 1;
            } else {
                *silent += 1;
            }
        }
        Ok(counts)
    }
}
