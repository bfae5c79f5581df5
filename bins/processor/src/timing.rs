//! Looks at a scheduled job's policy again when a worker takes the job up, however long ago it was
//! booked: no backup begins in a blackout, nor later than its policy catches up.

use dilux_core::model::{BackupPolicy, Database, Engine, Job, JobState, PolicyId, Trigger, Work};
use dilux_core::repository::Versioned;
use dilux_core::schedule::{DEFAULT_POLICY, Timeliness, timeliness};
use dilux_core::storage::{StorageErrorKind, StorageResult};
use dilux_core::transfer::Failure;
use jiff::Timestamp;

use crate::Processor;
use crate::claim::{Claim, ClaimError};
use crate::entry::{Entry, bell_in};

impl Processor {
    /// What the policy of a database says of beginning `job` now. A policy that cannot be read
    /// holds nothing up: the scheduler reports it, and books nothing more under it.
    pub(crate) async fn timeliness(
        &self,
        job: &Job,
        database: &Database,
        engine: &Engine,
    ) -> StorageResult<Timeliness> {
        if !is_scheduled(job) {
            return Ok(Timeliness::Timely);
        }
        let policy = match self.policy_followed(database, engine).await {
            Ok(Some(policy)) => policy,
            Ok(None) => return Ok(Timeliness::Timely),
            Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                tracing::error!(%error, database.id = %database.id, "policy cannot be read; its blackouts are not known");
                return Ok(Timeliness::Timely);
            }
            Err(error) => return Err(error),
        };
        let now = self.installation.clock.now();
        Ok(timeliness(job, &policy.timing, now))
    }

    /// The policy by which the scheduler plans a database.
    async fn policy_followed(
        &self,
        database: &Database,
        engine: &Engine,
    ) -> StorageResult<Option<BackupPolicy>> {
        let policies = &self.installation.repositories.policies;
        let named = database.policy_named(Some(engine));
        let ids = [
            named.map_or(DEFAULT_POLICY, PolicyId::as_str),
            DEFAULT_POLICY,
        ];
        for id in ids.map(str::parse::<PolicyId>).into_iter().flatten() {
            if let Some(policy) = policies.get(&id).await? {
                return Ok(Some(policy.value));
            }
        }
        Ok(None)
    }

    /// The end of the blackout in which a waiting job must not begin. A job that was running may
    /// have a backup already: that is found out by claiming it.
    pub(crate) async fn blackout_end(&self, job: &Job) -> StorageResult<Option<Timestamp>> {
        if !is_scheduled(job) || matches!(job.state, JobState::Running { .. }) {
            return Ok(None);
        }
        let repositories = &self.installation.repositories;
        let Some(database) = readable(repositories.databases.get(&job.database_id).await)? else {
            return Ok(None);
        };
        let engine = &database.value.engine_id;
        let Some(engine) = readable(repositories.engines.get(engine).await)? else {
            return Ok(None);
        };
        let judged = self.timeliness(job, &database.value, &engine.value).await?;
        Ok(match judged {
            Timeliness::Wait(end) => Some(end),
            Timeliness::Timely | Timeliness::TooLate(_) => None,
        })
    }

    /// Lets a job that nobody runs wait until `end`.
    pub(crate) async fn postpone(
        &self,
        job: Versioned<Job>,
        end: Timestamp,
    ) -> StorageResult<Entry> {
        tracing::info!(job.id = %job.value.id, until = %end, "a blackout lasts; the backup waits for its end");
        let waiting = job.value.starting(end);
        let jobs = &self.installation.repositories.jobs;
        match jobs.update(waiting, &job.version).await {
            // Whoever changed it hears this message again at once.
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => Ok(Entry::Taken),
            Err(error) => Err(error),
            Ok(_) => Ok(Entry::Wait(bell_in(end, self.installation.clock.now()))),
        }
    }

    /// Gives a claimed job back, to be begun at `end`.
    pub(crate) async fn give_back_until(
        &self,
        claim: &Claim,
        end: Timestamp,
    ) -> Result<(), Failure> {
        tracing::info!(until = %end, "a blackout has begun; the backup waits for its end");
        let now = self.installation.clock.now();
        let given_back = claim.change(|job| Ok(job.release(now)?.starting(end)));
        given_back.await.map(drop).map_err(ClaimError::into)
    }
}

fn is_scheduled(job: &Job) -> bool {
    job.trigger == Trigger::Scheduler
        && matches!(&job.work, Work::Backup(work) if work.slot.is_some())
}

/// A row that is there and can be decoded; the attempt will say what is wrong with others.
fn readable<T>(found: StorageResult<Option<Versioned<T>>>) -> StorageResult<Option<Versioned<T>>> {
    match found {
        Err(error) if error.kind() == StorageErrorKind::Corrupt => Ok(None),
        found => found,
    }
}
