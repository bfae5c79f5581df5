//! Which job a free worker takes, and whether there is room for it: the most urgent that is due,
//! whatever message rang.

use std::time::Duration;

use dilux_core::model::{Engine, Job, Urgency, Work};
use dilux_core::repository::Versioned;
use dilux_core::storage::{StorageErrorKind, StorageResult};
use jiff::{SignedDuration, Timestamp};

use crate::Processor;
use crate::claim::{Claim, Claimant};

/// How often a job without a place asks again, unless somebody who leaves rings for it before.
const WAIT_FOR_A_PLACE: Duration = Duration::from_secs(30);

/// How far ahead a bell must be set to count as another one.
const BELL_MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// What became of a job that wanted to run.
#[derive(Debug)]
pub(crate) enum Entry {
    /// It runs.
    Claimed(Box<Claim>),
    /// It has to wait so long.
    Wait(Duration),
    /// It needs this message no more: it is over, or another bell is set for it.
    Settled,
    /// Another worker was faster.
    Taken,
}

impl Processor {
    /// A claim on a job that is more urgent than `job` and may run now.
    pub(crate) async fn enter_more_urgent(&self, job: &Job) -> StorageResult<Option<Box<Claim>>> {
        if job.urgency() == Urgency::Restore {
            return Ok(None);
        }
        let now = self.installation.clock.now();
        let jobs = &self.installation.repositories.jobs;
        for urgent in jobs.more_urgent(job.urgency(), now).await? {
            let engine = self.loaded_engine(&urgent.value).await?;
            let dispatcher = &self.installation.dispatcher;
            if dispatcher.admit(&urgent.value, engine.as_ref()).await?
                && let Some(claim) = self.claim(urgent).await?
            {
                return Ok(Some(Box::new(claim)));
            }
        }
        Ok(None)
    }

    /// Lets a job in that a message rang for, when there is a place.
    pub(crate) async fn enter(&self, job: Versioned<Job>) -> StorageResult<Entry> {
        let now = self.installation.clock.now();
        if let Some(end) = self.blackout_end(&job.value).await? {
            return self.postpone(job, end).await;
        }
        let engine = self.loaded_engine(&job.value).await?;
        let dispatcher = &self.installation.dispatcher;
        if !dispatcher.admit(&job.value, engine.as_ref()).await? {
            return self.let_wait(job, now).await;
        }
        let claim = self.claim(job).await?;
        Ok(claim.map_or(Entry::Taken, |claim| Entry::Claimed(Box::new(claim))))
    }

    /// Claims a job that has a place, which is given back when somebody else was faster.
    async fn claim(&self, job: Versioned<Job>) -> StorageResult<Option<Claim>> {
        let (id, epoch) = (job.value.id.clone(), job.value.epoch + 1);
        let claimant = Claimant {
            jobs: &self.installation.repositories.jobs,
            clock: &self.installation.clock,
            worker: &self.worker,
            lease: self.lease(),
        };
        let claim = Claim::take(claimant, job).await?;
        if claim.is_none() {
            self.installation.dispatcher.forgo(&id, epoch).await?;
        }
        Ok(claim)
    }

    /// The engine that a job loads: its database's, or the target of a restore. `None` for a
    /// verification that only reads, and when it is registered no more; the attempt will say so.
    async fn loaded_engine(&self, job: &Job) -> StorageResult<Option<Engine>> {
        let repositories = &self.installation.repositories;
        let id = match &job.work {
            Work::Restore(work) => work.target_engine.clone(),
            Work::Verify(work) => match &work.rehearse_on {
                Some(engine) => engine.clone(),
                None => return Ok(None),
            },
            Work::Backup(_) => match repositories.databases.get(&job.database_id).await {
                Ok(Some(database)) => database.value.engine_id,
                Ok(None) => return Ok(None),
                Err(error) if error.kind() == StorageErrorKind::Corrupt => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        match repositories.engines.get(&id).await {
            Ok(engine) => Ok(engine.map(|engine| engine.value)),
            Err(error) if error.kind() == StorageErrorKind::Corrupt => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leaves a job waiting for a place. Its row says when the next bell comes, so that neither
    /// the sweeper nor a second message rings without end.
    async fn let_wait(&self, job: Versioned<Job>, now: Timestamp) -> StorageResult<Entry> {
        if job
            .value
            .rung_at
            .is_some_and(|at| at.duration_since(now) > BELL_MARGIN)
        {
            return Ok(Entry::Settled);
        }
        let mut waiting = job.value;
        waiting.rung_at = Some(now.saturating_add(WAIT_FOR_A_PLACE).unwrap_or(now));
        let jobs = &self.installation.repositories.jobs;
        match jobs.update(waiting, &job.version).await {
            Err(error) if error.kind() != StorageErrorKind::PreconditionFailed => Err(error),
            _ => Ok(Entry::Wait(WAIT_FOR_A_PLACE)),
        }
    }
}

/// How long a message is hidden that is to come back at `at`: at most the queue's seven days.
pub(crate) fn bell_in(at: Timestamp, now: Timestamp) -> Duration {
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600 - 1);
    if at > now {
        wait_until(at, now).min(LONGEST)
    } else {
        Duration::ZERO
    }
}

/// Whole seconds, rounded up.
pub(crate) fn wait_until(until: Timestamp, now: Timestamp) -> Duration {
    Duration::from_secs(until.duration_since(now).as_secs().unsigned_abs() + 1)
}
