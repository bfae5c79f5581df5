//! The look at an installation. Memory does not grow with the number of databases: they are read a
//! page at a time, and so is everything else but engines and policies.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    BackupCounts, DatabaseConcern, HealthFacts, HealthReport, MOST_NAMED, RetentionFacts,
    SilentStore, StuckJob, shortened,
};
use crate::error::Result;
use crate::installation::Installation;
use crate::model::{BackupStatus, Database, DatabaseState, Job, JobState};
use crate::repository::{DamagedRow, Listing, Repositories, Stretch, Versioned};
use crate::rpo::{RpoState, Rules, rpo};
use crate::storage::StorageResult;
use crate::timer::{Timer, TimerState};

/// How long a job may be due without a worker before it is stuck.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// Backups of that time that are read at first.
const AT_FIRST: usize = 200;

/// How far back backups are counted.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Looks at everything. An error means that the tables do not answer: then nothing can be said, and
/// nothing be kept of it either.
pub async fn examine(installation: &Installation) -> Result<HealthReport> {
    let now = installation.storage_time().await?;
    let mut look = Look {
        installation,
        now,
        facts: HealthFacts::default(),
        breached: Vec::new(),
        at_risk: Vec::new(),
    };
    look.facts.clock_skew_seconds = installation.clock.now().duration_since(now).as_secs();
    look.facts.clock_doubt = installation.clock_doubt().await?;
    look.at_stores().await;
    look.at_databases().await?;
    look.at_backups().await?;
    look.at_jobs().await?;
    look.at_dead_letters().await?;
    look.at_changes().await?;
    look.at_retention().await?;
    let mut facts = look.facts;
    facts.concerns = look.breached;
    facts.concerns.append(&mut look.at_risk);
    facts.concerns.truncate(MOST_NAMED);
    Ok(HealthReport::new(now, facts))
}

/// A look under way.
struct Look<'a> {
    installation: &'a Installation,
    now: Timestamp,
    facts: HealthFacts,
    breached: Vec<DatabaseConcern>,
    at_risk: Vec<DatabaseConcern>,
}

impl Look<'_> {
    async fn at_stores(&mut self) {
        let (storage, settings) = (&self.installation.storage, &self.installation.settings);
        let (queue, blobs) = tokio::join!(
            storage.queues.approximate_count(&settings.queue),
            storage.blobs.list(&settings.container, "", 1, None),
        );
        self.facts.queue_depth = queue.as_ref().ok().copied();
        for (store, problem) in [("queue", queue.err()), ("blobs", blobs.err())] {
            if let Some(error) = problem {
                tracing::error!(%error, store, "a store does not answer");
                self.facts.silent_stores.push(SilentStore {
                    store: store.to_owned(),
                    reason: shortened(&error.to_string()),
                });
            }
        }
    }

    async fn rules(&mut self) -> StorageResult<Rules> {
        let repositories = &self.installation.repositories;
        let engines = repositories.engines.list().await?;
        let policies = repositories.policies.list().await?;
        self.note_damage("engine", &engines.damaged);
        self.note_damage("policy", &policies.damaged);
        Ok(Rules::new(&engines, &policies))
    }

    async fn at_databases(&mut self) -> StorageResult<()> {
        let rules = self.rules().await?;
        let repositories = &self.installation.repositories;
        let mut from = None;
        loop {
            let (page, next) = repositories.databases.page(from.as_ref()).await?;
            self.note_damage("database", &page.damaged);
            if let (Some(first), Some(last)) = (page.items.first(), page.items.last()) {
                let (first, last) = (&first.value.id, &last.value.id);
                let states = repositories.states.between(first, last).await?;
                self.note_damage("state of database", &states.damaged);
                self.at_page(&page, states, &rules);
            }
            match next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn at_page(
        &mut self,
        page: &Listing<Versioned<Database>>,
        states: Listing<Versioned<DatabaseState>>,
        rules: &Rules,
    ) {
        let states: HashMap<_, _> = states
            .items
            .into_iter()
            .map(|row| (row.value.database_id.clone(), row.value))
            .collect();
        for database in page.items.iter().map(|row| &row.value) {
            let state = states.get(&database.id);
            let counts = &mut self.facts.databases;
            counts.total += 1;
            counts.enabled += u64::from(database.enabled);
            counts.failing += u64::from(state.is_some_and(|state| state.failures > 0));
            let found = rpo(database, rules.promise_of(database), state, self.now);
            counts.count(found.state);
            let concerns = match found.state {
                RpoState::Breached => &mut self.breached,
                RpoState::AtRisk => &mut self.at_risk,
                RpoState::Met | RpoState::Unknown => continue,
            };
            if concerns.len() < MOST_NAMED {
                concerns.push(DatabaseConcern {
                    database_id: database.id.to_string(),
                    label: database.label.to_string(),
                    state: found.state.as_str().to_owned(),
                    reason: shortened(&found.reason),
                });
            }
        }
    }

    async fn at_backups(&mut self) -> StorageResult<()> {
        let since = self.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let mut counts = BackupCounts::default();
        let history = &self.installation.repositories.backups;
        let count = |backup: crate::model::Backup, _| {
            match backup.status {
                BackupStatus::Failed => counts.failed += 1,
                BackupStatus::Missed => counts.missed += 1,
                status if status.was_completed() => counts.completed += 1,
                _ => {}
            }
            true
        };
        let day = Stretch::newest(AT_FIRST).since(Some(since));
        history.walk(day, count).await?;
        self.facts.backups = counts;
        Ok(())
    }

    async fn at_jobs(&mut self) -> StorageResult<()> {
        let now = self.now;
        let jobs = &self.installation.repositories.jobs;
        let facts = &mut self.facts;
        let count = |job: Versioned<Job>| {
            let job = job.value;
            match job.state {
                JobState::Running { .. } => facts.jobs.running += 1,
                JobState::Retrying { .. } => facts.jobs.retrying += 1,
                _ => facts.jobs.waiting += 1,
            }
            let since = free_since(&job);
            if job.live_lease(now).is_none() && now.duration_since(since) > PATIENCE {
                facts.jobs.stuck += 1;
                if facts.stuck_jobs.len() < MOST_NAMED {
                    facts.stuck_jobs.push(StuckJob {
                        job_id: job.id.to_string(),
                        database: job.database_label.to_string(),
                        since,
                    });
                }
            }
        };
        let damaged = jobs.for_each_active(now, count).await?;
        for id in damaged {
            self.note(&format!("job {id}"));
        }
        Ok(())
    }

    async fn at_dead_letters(&mut self) -> StorageResult<()> {
        let letters = &self.installation.repositories.dead_letters;
        let mut from = None;
        loop {
            let (page, next) = letters.page(from.as_ref()).await?;
            self.facts.dead_letters += page.items.len() as u64;
            self.note_damage("dead letter", &page.damaged);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn at_changes(&mut self) -> StorageResult<()> {
        let Repositories { intents, audit, .. } = &self.installation.repositories;
        let since = self.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let unfinished = intents.unanswered_in(audit, since, self.now).await?;
        self.facts.unfinished_changes = unfinished.len() as u64;
        Ok(())
    }

    async fn at_retention(&mut self) -> StorageResult<()> {
        let rule = self.installation.settings.timer_rule(Timer::Retention);
        let timers = &self.installation.repositories.timers;
        let known = timers.get(&Timer::Retention).await?;
        let known = known.map_or_else(
            || TimerState::unknown(Timer::Retention),
            |state| state.value,
        );
        self.facts.retention = RetentionFacts {
            is_on: rule.is_some(),
            is_late: rule.is_some() && known.is_late(self.now),
            next: known.next,
            last: known.last,
        };
        Ok(())
    }

    fn note_damage(&mut self, what: &str, rows: &[DamagedRow]) {
        for row in rows {
            self.note(&format!("{what} {}: {}", row.key.row, row.reason));
        }
    }

    fn note(&mut self, text: &str) {
        self.facts.damaged_rows += 1;
        if self.facts.damaged.len() < MOST_NAMED {
            self.facts.damaged.push(shortened(text));
        }
    }
}

/// Since when a worker could have taken a job that none has.
fn free_since(job: &Job) -> Timestamp {
    match &job.state {
        JobState::Running { lease, .. } => lease.until.max(job.not_before),
        _ => job.not_before,
    }
}
