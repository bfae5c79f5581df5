//! Jobs that nobody began before a newer slot overtook theirs: they are withdrawn before the plan
//! that takes their place is claimed. A job that was never claimed and is missed, is known by that
//! as withdrawn; so a tick that died in between is completed by the next one.

use dilux_core::model::{Job, JobState};
use dilux_core::repository::Versioned;
use dilux_core::schedule::{PlannedJob, Situation, TierState, overtaken};
use dilux_core::storage::{StorageErrorKind, StorageResult};
use jiff::Timestamp;

use crate::Scheduler;
use crate::plan::{Look, Subject, is_under_way};

const OVERTAKEN: &str = "no worker had begun it when a newer slot fell due; a job for that slot \
                         takes its place";

impl Scheduler {
    /// Books the jobs that were decided and never booked, before a plan takes them off the states:
    /// a scheduler that dies after that would leave nothing that knows of them. Gives their number.
    pub(crate) async fn book_lost(
        &self,
        subject: &Subject<'_>,
        look: &mut Look,
    ) -> StorageResult<usize> {
        let mut count = 0;
        for lost in &look.lost {
            let booked = self.book(subject, lost).await?;
            count += booked.iter().filter(|(_, _, is_new)| *is_new).count();
            let found = self.installation.repositories.jobs.get(&lost.id).await?;
            let waits =
                |job: &Versioned<Job>| job.value.state == JobState::Pending && job.value.epoch == 0;
            look.waiting.extend(found.filter(waits));
        }
        Ok(count)
    }

    /// Withdraws the waiting jobs that are overtaken.
    pub(crate) async fn withdraw_overtaken(
        &self,
        subject: &Subject<'_>,
        states: &mut [TierState],
        look: &mut Look,
    ) -> StorageResult<()> {
        if look.waiting.is_empty() {
            return Ok(());
        }
        let waiting: Vec<&Job> = look.waiting.iter().map(|job| &job.value).collect();
        let ids = overtaken(&situation(subject, states, look), &waiting);
        for job in std::mem::take(&mut look.waiting) {
            if ids.contains(&job.value.id) {
                self.withdraw(subject, job, states, look).await?;
            }
        }
        Ok(())
    }

    /// Withdraws a job unless a worker was faster.
    async fn withdraw(
        &self,
        subject: &Subject<'_>,
        job: Versioned<Job>,
        states: &mut [TierState],
        look: &mut Look,
    ) -> StorageResult<()> {
        let (id, now) = (job.value.id.clone(), subject.rules.outlook.now);
        let Ok(missed) = job.value.miss(now, OVERTAKEN.to_owned()) else {
            return Ok(());
        };
        let jobs = &self.installation.repositories.jobs;
        let stands = match jobs.update(missed, &job.version).await {
            Ok(written) => Some(written.value),
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => {
                jobs.get(&id).await?.map(|job| job.value)
            }
            Err(error) => return Err(error),
        };
        let Some(stands) = stands else { return Ok(()) };
        for state in states.iter_mut() {
            state.settle(&stands);
        }
        look.active.retain(|known| *known != id);
        look.lost.retain(|lost| lost.id != id);
        if is_withdrawn(&stands) {
            tracing::warn!(
                database.id = %subject.database.id, database = %subject.database.label,
                job.id = %id, "backup is withdrawn: {OVERTAKEN}"
            );
            look.withdraw(&stands);
        } else if is_under_way(&stands, now) {
            look.active.push(id);
        }
        Ok(())
    }
}

/// What a decision about `states` rests on.
pub(crate) fn situation<'a>(
    subject: &'a Subject<'_>,
    states: &'a [TierState],
    look: &'a Look,
) -> Situation<'a> {
    Situation {
        database: &subject.database.id,
        policy: subject.rules.policy,
        outlook: &subject.rules.outlook,
        edited_at: subject.edited_at,
        states,
        active: &look.active,
        withdrawn: &look.withdrawn,
    }
}

/// Whether a job was withdrawn: workers only give up what they have claimed.
pub(crate) fn is_withdrawn(job: &Job) -> bool {
    matches!(job.state, JobState::Missed { .. }) && job.epoch == 0
}

/// Gives a job that may start at once the place in the line of those that it replaces.
pub(crate) fn keep_place(planned: &mut PlannedJob, look: &Look, now: Timestamp) {
    let replaced = look
        .due_since
        .iter()
        .filter(|(id, _)| planned.replaces.contains(id));
    if let Some(since) = replaced.map(|(_, since)| *since).min()
        && planned.not_before <= now
    {
        planned.not_before = planned.not_before.min(since);
    }
}
