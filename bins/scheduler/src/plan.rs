//! From a plan to rows: claim the slots, record what was given up, book the jobs, confirm.
//!
//! The claim is one conditional batch over the rows that the plan rests on, so of N schedulers that
//! plan at once exactly one goes on. What a crash leaves behind it, a later tick completes: a
//! claimed slot whose job is missing is booked again under the same id.

use dilux_core::model::{
    BackupWork, Database, Engine, Job, JobId, JobOwner, JobState, Tier, Trigger, Work,
};
use dilux_core::repository::{ClaimedJob, Listing, ScheduleState, Versioned};
use dilux_core::schedule::{MissedSlots, Outlook, Plan, PlannedJob, SlotOutcome, TierState, plan};
use dilux_core::storage::{StorageErrorKind, StorageResult};
use jiff::{SignedDuration, Timestamp};

use crate::Scheduler;
use crate::catalogue::Rules;
use crate::withdraw::{is_withdrawn, keep_place, situation};

/// How long after its slot a job that nobody reported to be over is looked at in every tick.
const LOOK_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The stored states of one database.
pub(crate) type States = Listing<Versioned<ScheduleState>>;

/// A database with everything that it is planned by.
pub(crate) struct Subject<'a> {
    pub(crate) database: &'a Database,
    pub(crate) engine: &'a Engine,
    pub(crate) rules: &'a Rules<'a>,
    pub(crate) edited_at: Timestamp,
}

impl Scheduler {
    /// Plans one database and carries the plan out. Gives the number of jobs booked.
    pub(crate) async fn plan_database(
        &self,
        subject: &Subject<'_>,
        stored: States,
    ) -> StorageResult<usize> {
        let mut states: Vec<TierState> = stored
            .items
            .iter()
            .map(|row| row.value.state.clone())
            .collect();
        if !needs_attention(&states, &subject.rules.outlook) {
            return Ok(0);
        }
        let mut look = self.look_at_jobs(&mut states, subject).await?;
        let late = self.book_lost(subject, &mut look).await?;
        self.withdraw_overtaken(subject, &mut states, &mut look)
            .await?;
        let mut decided = plan(&situation(subject, &states, &look));
        for job in &mut decided.jobs {
            keep_place(job, &look, subject.rules.outlook.now);
        }
        complete(&mut decided, &states, &stored);
        let repository = &self.installation.repositories.schedule;
        let id = &subject.database.id;
        if !repository.write(id, &decided.states, &stored).await? {
            tracing::debug!(database.id = %id, "another scheduler or a worker was faster");
            return Ok(0);
        }
        let mut jobs = look.lost;
        jobs.extend(decided.jobs);
        let is_unchanged =
            |state: &&TierState| !decided.states.iter().any(|known| known.tier == state.tier);
        let missed: Vec<MissedSlots> = states
            .iter()
            .filter(is_unchanged)
            .chain(&decided.states)
            .flat_map(|state| state.unrecorded.iter().cloned())
            .collect();
        let booked = self.carry_out(subject, &jobs, &missed).await?;
        Ok(late + booked)
    }

    async fn carry_out(
        &self,
        subject: &Subject<'_>,
        jobs: &[PlannedJob],
        missed: &[MissedSlots],
    ) -> StorageResult<usize> {
        let repository = &self.installation.repositories.schedule;
        let id = &subject.database.id;
        let now = subject.rules.outlook.now;
        let recorded = repository.record_misses(id, missed, now).await?;
        for slots in missed {
            tracing::warn!(
                database.id = %id, database = %subject.database.label, tier = %slots.tier,
                slots.count = slots.count, slots.first = %slots.first, slots.last = %slots.last,
                reason = %slots.reason, "slots have no backup"
            );
        }
        let mut booked = Vec::new();
        let mut count = 0;
        for planned in jobs {
            for (job, tiers, is_new) in self.book(subject, planned).await? {
                count += usize::from(is_new);
                booked.push(ClaimedJob {
                    claimed: planned.id.clone(),
                    job,
                    tiers,
                });
            }
        }
        for miss in &recorded {
            self.audit_miss(subject, miss).await?;
        }
        if !booked.is_empty() || !missed.is_empty() {
            repository.confirm(id, &booked).await?;
        }
        Ok(count)
    }

    /// Books a job. When one of its id exists that does not serve all its tiers, the others get one
    /// of their own.
    pub(crate) async fn book(
        &self,
        subject: &Subject<'_>,
        planned: &PlannedJob,
    ) -> StorageResult<Vec<(Job, Vec<Tier>, bool)>> {
        let mut wanted: Vec<Tier> = planned.tiers.iter().map(|(tier, _)| *tier).collect();
        let mut id = planned.id.clone();
        let mut all = Vec::new();
        while !wanted.is_empty() {
            let job = job_of(subject, planned, id, wanted.clone());
            let dispatched = self.installation.dispatcher.dispatch(job).await?;
            let (served, missing): (Vec<Tier>, Vec<Tier>) = wanted
                .into_iter()
                .partition(|tier| serves(&dispatched.job, *tier));
            if dispatched.is_new {
                tracing::info!(
                    database.id = %subject.database.id, database = %subject.database.label,
                    job.id = %dispatched.job.id, start = %planned.not_before,
                    reason = %planned.reason, "backup is booked"
                );
            }
            all.push((dispatched.job, served, dispatched.is_new));
            let names: Vec<&str> = missing.iter().map(|tier| tier.as_str()).collect();
            let key = format!("{}|{}", planned.id, names.join(","));
            id = JobId::derive(&subject.database.id, &key);
            wanted = missing;
        }
        Ok(all)
    }

    /// Looks at the jobs of states that a decision may rest on: settles those that are over, gives
    /// up those that cannot be read, and names those that are under way and those that nobody
    /// booked.
    async fn look_at_jobs(
        &self,
        states: &mut [TierState],
        subject: &Subject<'_>,
    ) -> StorageResult<Look> {
        let outlook = &subject.rules.outlook;
        let is_any_owed = states.iter().any(|state| is_owed(state, outlook));
        let mut ids: Vec<JobId> = states
            .iter()
            .filter(|state| needs_look(state, outlook) || (is_any_owed && state.is_open()))
            .filter_map(|state| state.job.as_ref().map(|job| job.id.clone()))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let mut look = Look::default();
        for id in ids {
            let job = match self.installation.repositories.jobs.get(&id).await {
                Ok(job) => job,
                Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                    tracing::error!(
                        database.id = %subject.database.id, database = %subject.database.label,
                        job.id = %id, %error, "row of a job cannot be read; it counts as failed"
                    );
                    for state in states.iter_mut() {
                        state.give_up_on(&id, outlook.now);
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(job) = &job {
                look.note(job, states, outlook.now);
            }
            let job = job.map(|job| job.value);
            let is_orphan = |state: &&TierState| {
                let is_mine = state.job.as_ref().is_some_and(|mine| mine.id == id);
                is_mine
                    && state.is_open()
                    && job.as_ref().is_none_or(|job| !state.is_served_by(job))
            };
            let orphans: Vec<&TierState> = states.iter().filter(is_orphan).collect();
            if let Some(lost) = lost_job(&id, &orphans, outlook.now) {
                look.active.push(id);
                look.lost.push(lost);
            }
        }
        Ok(look)
    }
}

/// What a look at jobs found.
#[derive(Default)]
pub(crate) struct Look {
    /// Jobs that have begun, or should have, and are not over.
    pub(crate) active: Vec<JobId>,
    /// Jobs that wait and that nobody has claimed yet.
    pub(crate) waiting: Vec<Versioned<Job>>,
    /// Jobs that were withdrawn before anybody claimed them.
    pub(crate) withdrawn: Vec<JobId>,
    /// Since when those could have begun.
    pub(crate) due_since: Vec<(JobId, Timestamp)>,
    /// Jobs that were decided and never booked.
    pub(crate) lost: Vec<PlannedJob>,
}

impl Look {
    /// Notes how a job stands that `states` may wait for.
    fn note(&mut self, job: &Versioned<Job>, states: &mut [TierState], now: Timestamp) {
        let is_awaited = |state: &TierState| state.is_open() && state.is_served_by(&job.value);
        if is_withdrawn(&job.value) && states.iter().any(is_awaited) {
            self.withdraw(&job.value);
        }
        for state in states.iter_mut() {
            state.settle(&job.value);
        }
        if is_under_way(&job.value, now) {
            self.active.push(job.value.id.clone());
        }
        if job.value.state == JobState::Pending && job.value.epoch == 0 {
            self.waiting.push(job.clone());
        }
    }

    /// Notes that a job was withdrawn.
    pub(crate) fn withdraw(&mut self, job: &Job) {
        self.withdrawn.push(job.id.clone());
        self.due_since.push((job.id.clone(), job.not_before));
    }
}

/// Whether anything has to be decided or completed for a database.
fn needs_attention(states: &[TierState], outlook: &Outlook) -> bool {
    let is_unknown = |tier: Tier| !states.iter().any(|state| state.tier == tier);
    outlook.tiers.iter().any(|tier| is_unknown(tier.tier))
        || states.iter().any(|state| {
            !state.unrecorded.is_empty()
                || outlook.is_new_to(state)
                || needs_look(state, outlook)
                || is_owed(state, outlook)
                || (state.outcome == SlotOutcome::Failed && state.failed_at.is_some())
        })
}

/// Whether a slot of the tier is undecided, or its state lies in the future.
fn is_owed(state: &TierState, outlook: &Outlook) -> bool {
    let Some(tier) = outlook.tier(state.tier) else {
        return false;
    };
    let newest = tier.ahead.last().copied().or(tier.latest);
    newest.is_some_and(|newest| newest > state.last_slot) || state.last_slot > outlook.horizon
}

/// Whether the job of a state must be read before anything is decided.
fn needs_look(state: &TierState, outlook: &Outlook) -> bool {
    let Some(job) = state.job.as_ref().filter(|_| state.is_open()) else {
        return false;
    };
    state.outcome == SlotOutcome::Claimed
        || is_owed(state, outlook)
        || outlook.now.duration_since(job.slot) > LOOK_AFTER
}

/// Whether a job has begun, or should have, and is not over.
pub(crate) fn is_under_way(job: &Job, now: Timestamp) -> bool {
    let waits = job.state == JobState::Pending && job.epoch == 0 && job.not_before > now;
    !job.is_terminal() && !waits
}

fn serves(job: &Job, tier: Tier) -> bool {
    match &job.work {
        Work::Backup(work) => work.tiers.contains(&tier),
        Work::Restore(_) | Work::Verify(_) => false,
    }
}

/// The job that `states` wait for in vain.
fn lost_job(id: &JobId, states: &[&TierState], now: Timestamp) -> Option<PlannedJob> {
    let slots = states
        .iter()
        .filter_map(|state| state.job.as_ref().map(|job| (state.tier, job.slot)));
    let mut tiers: Vec<(Tier, Timestamp)> = slots.collect();
    tiers.sort_unstable();
    let slot = tiers.iter().map(|(_, slot)| *slot).max()?;
    Some(PlannedJob {
        id: id.clone(),
        slot,
        tiers,
        not_before: slot.max(now),
        attempts: None,
        replaces: Vec::new(),
        reason: format!(
            "{}; booked late: it was decided and not booked",
            states.first()?.reason
        ),
    })
}

/// Adds the states that a look at jobs changed to those that the plan changed.
fn complete(decided: &mut Plan, states: &[TierState], stored: &States) {
    for state in states {
        let is_decided = decided.states.iter().any(|known| known.tier == state.tier);
        let before = stored.items.iter().map(|row| &row.value.state);
        let mut known = before.filter(|known| known.tier == state.tier);
        if !is_decided && !known.any(|known| known == state) {
            decided.states.push(state.clone());
        }
    }
}

fn job_of(subject: &Subject<'_>, planned: &PlannedJob, id: JobId, tiers: Vec<Tier>) -> Job {
    let owner = JobOwner {
        database_id: subject.database.id.clone(),
        database_label: subject.database.label.clone(),
        engine_type: subject.engine.engine_type,
    };
    let work = Work::Backup(BackupWork {
        tiers,
        slot: Some(planned.slot),
        needs_enabled: true,
        attempts: planned.attempts,
        reason: Some(planned.reason.clone()),
    });
    let now = subject.rules.outlook.now;
    let mut job = Job::new(id, owner, work, Trigger::Scheduler, now);
    job.not_before = planned.not_before;
    job
}
