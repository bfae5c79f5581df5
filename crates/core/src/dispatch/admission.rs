//! Admission: takes and frees places in the store, so that no number of workers runs more jobs at
//! once than the installation and each engine bear.

use jiff::{SignedDuration, Timestamp};

use super::Dispatcher;
use super::places::{Applicant, PlaceRule, Places};
use crate::crash;
use crate::model::{Engine, Job, JobId, JobState, MaxJobs};
use crate::repository::Versioned;
use crate::storage::{StorageErrorKind, StorageResult};

/// Attempts to change the row of the places before the job is made to wait instead.
const RACES: usize = 16;

/// How many waiting jobs are rung for when a place becomes free.
const BELLS: usize = 2;

impl Dispatcher {
    /// Takes a place for the next claim of `job`, which loads `engine`. `false` means that the job
    /// has to wait; it keeps its number in the line as long as it asks again.
    pub async fn admit(&self, job: &Job, engine: Option<&Engine>) -> StorageResult<bool> {
        let limit = engine
            .and_then(|engine| engine.max_jobs)
            .map_or(self.limits.engine, MaxJobs::get);
        let id = engine.map(|engine| engine.id.clone());
        let applicant = Applicant::of(job, id, limit);
        crash::point("before-place");
        for _ in 0..RACES {
            let (before, version) = self.places.load().await?;
            let now = self.clock.now();
            let mut after = self.known_or_counted(before.clone(), now).await?;
            let mut is_admitted = after.admit(&applicant, self.place_rule(), now);
            if !is_admitted && self.evict_dead(&mut after, now).await? {
                is_admitted = after.admit(&applicant, self.place_rule(), now);
            }
            let is_same = before.as_ref() == Some(&after);
            if is_same || self.store_places(&after, version.as_ref()).await? {
                crash::point("after-place");
                return Ok(is_admitted);
            }
        }
        tracing::warn!(job.id = %job.id, "places change faster than they can be written; the job waits");
        Ok(false)
    }

    /// Frees the place of a claim, and rings for whoever is next. A place that stays taken by
    /// mistake is freed when the job's lease is over.
    pub async fn release(&self, job: &JobId, epoch: u64) -> StorageResult<()> {
        for _ in 0..RACES {
            let (Some(before), version) = self.places.load().await? else {
                return Ok(());
            };
            let mut after = before.clone();
            after.release(job, epoch);
            if after == before {
                return Ok(());
            }
            crash::point("before-place-freed");
            if self.store_places(&after, version.as_ref()).await? {
                crash::point("after-place-freed");
                return self.ring_next(&after).await;
            }
        }
        Ok(())
    }

    /// Gives a place back whose claim was lost to somebody else, or to the job's end. It stays
    /// while the winner of that very claim runs, and while the claim may still be won.
    pub async fn forgo(&self, job: &JobId, epoch: u64) -> StorageResult<()> {
        let found = self.jobs.get(job).await?;
        if found.is_some_and(|found| needs_place(&found.value, epoch)) {
            return Ok(());
        }
        self.release(job, epoch).await
    }

    /// The places, counted anew from the jobs that run where their row is damaged.
    async fn known_or_counted(
        &self,
        known: Option<Places>,
        now: Timestamp,
    ) -> StorageResult<Places> {
        if let Some(known) = known {
            return Ok(known);
        }
        let active = self.jobs.active(now).await?;
        Ok(Places::of_running(active.iter().map(|job| &job.value), now))
    }

    fn place_rule(&self) -> PlaceRule {
        PlaceRule {
            total: self.limits.total,
            hold: self.limits.hold,
        }
    }

    async fn ring_next(&self, places: &Places) -> StorageResult<()> {
        for id in places.next(self.limits.total).into_iter().take(BELLS) {
            if let Some(job) = self.jobs.get(&id).await?
                && !job.value.is_terminal()
            {
                self.ring(&job).await?;
            }
        }
        Ok(())
    }

    /// Looks at the jobs whose places are overdue and takes the places of dead ones away. Whether
    /// one became free.
    async fn evict_dead(&self, places: &mut Places, now: Timestamp) -> StorageResult<bool> {
        let before = places.taken();
        for id in places.doubtful(now) {
            let lease = match self.jobs.get(&id).await {
                Ok(job) => job.and_then(|job| lease_until(&job, now)),
                Err(error) if error.kind() == StorageErrorKind::Corrupt => None,
                Err(error) => return Err(error),
            };
            places.settle(&id, lease);
        }
        Ok(places.taken() < before)
    }

    /// Whether the row was written; `false` when somebody else was faster.
    async fn store_places(
        &self,
        places: &Places,
        version: Option<&crate::repository::Version>,
    ) -> StorageResult<bool> {
        match self.places.store(places, version).await {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    StorageErrorKind::PreconditionFailed
                        | StorageErrorKind::AlreadyExists
                        | StorageErrorKind::NotFound
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the claim `epoch` of a job is held, or may still be won.
fn needs_place(job: &Job, epoch: u64) -> bool {
    let is_running = matches!(job.state, JobState::Running { .. });
    !job.is_terminal() && (job.epoch < epoch || (job.epoch == epoch && is_running))
}

fn lease_until(job: &Versioned<Job>, now: Timestamp) -> Option<Timestamp> {
    job.value.live_lease(now).map(|lease| lease.until)
}

/// How much runs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Jobs at once in all.
    pub total: u32,
    /// Jobs at once on an engine that has no limit of its own.
    pub engine: u32,
    /// How long a place is held before its job's lease is looked at: a lease.
    pub hold: SignedDuration,
}
