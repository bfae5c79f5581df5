//! Jobs that nobody began before a newer slot fell due: one job for all that is due by then takes
//! their place, so that of the slots of an outage of the workers the newest is run, and no other.

use jiff::Timestamp;

use super::{MissedSlots, Planner, Situation, plan};
use crate::model::{Job, JobId, JobState, Tier, Work};
use crate::schedule::{SlotOutcome, TierState};

/// The jobs among `waiting` that are to be withdrawn: none was ever claimed, and the plan without
/// them holds a job that starts no later and serves all their tiers, one of them by a newer slot.
pub fn overtaken(situation: &Situation<'_>, waiting: &[&Job]) -> Vec<JobId> {
    let is_candidate = |job: &&&Job| {
        let is_untouched = job.state == JobState::Pending && job.epoch == 0;
        is_untouched && slot_of(job).is_some_and(|slot| slot <= situation.outlook.now)
    };
    let candidates: Vec<&Job> = waiting.iter().filter(is_candidate).copied().collect();
    let mut withdrawn: Vec<JobId> = candidates.iter().map(|job| job.id.clone()).collect();
    // Without one of them the others may be planned otherwise.
    while !withdrawn.is_empty() {
        let is_replaced = |id: &JobId| {
            let mut jobs = candidates.iter().filter(|job| job.id == *id);
            jobs.any(|job| is_replaced(situation, &withdrawn, job))
        };
        let kept: Vec<JobId> = withdrawn
            .iter()
            .filter(|id| is_replaced(id))
            .cloned()
            .collect();
        if kept.len() == withdrawn.len() {
            break;
        }
        withdrawn = kept;
    }
    withdrawn
}

fn slot_of(job: &Job) -> Option<Timestamp> {
    match &job.work {
        Work::Backup(work) => work.slot,
        Work::Restore(_) | Work::Verify(_) => None,
    }
}

/// Whether the plan without the `withdrawn` jobs does what `job` would do, no later than it.
fn is_replaced(situation: &Situation<'_>, withdrawn: &[JobId], job: &Job) -> bool {
    let waits = |state: &TierState| state.is_open() && state.is_served_by(job);
    let mut states = situation.states.to_vec();
    for state in &mut states {
        let is_withdrawn = |mine: &crate::schedule::SlotJob| withdrawn.contains(&mine.id);
        if state.is_open() && state.job.as_ref().is_some_and(is_withdrawn) {
            state.outcome = SlotOutcome::Missed;
        }
    }
    let active = situation.active.iter();
    let active: Vec<JobId> = active
        .filter(|id| !withdrawn.contains(id))
        .cloned()
        .collect();
    let decided = plan(&Situation {
        states: &states,
        active: &active,
        withdrawn,
        ..*situation
    });
    let start = job.not_before.max(situation.outlook.now);
    decided.jobs.iter().any(|planned| {
        let serves = |tier: Tier| planned.tiers.iter().any(|(known, _)| *known == tier);
        let mut tiers = situation.states.iter().filter(|state| waits(state));
        planned.not_before <= start
            && Some(planned.slot) > slot_of(job)
            && tiers.all(|state| serves(state.tier))
    })
}

impl Planner<'_> {
    /// Whether the job of a tier was withdrawn, and its slot is owed again.
    pub(super) fn is_withdrawn(&self, state: &TierState) -> bool {
        let job = state.job.as_ref();
        job.is_some_and(|job| self.situation.withdrawn.contains(&job.id))
    }

    /// The withdrawn jobs of these tiers.
    pub(super) fn replaced_by(&self, tiers: &[(Tier, Timestamp)]) -> Vec<JobId> {
        let states = tiers.iter().filter_map(|(tier, _)| self.state(*tier));
        let withdrawn = states.filter(|state| self.is_withdrawn(state));
        let mut ids: Vec<JobId> = withdrawn
            .filter_map(|state| state.job.as_ref().map(|job| job.id.clone()))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Records the slots of withdrawn jobs that no other job serves.
    pub(super) fn give_up_overtaken(&mut self) {
        let before = self.situation.states.iter();
        let withdrawn = before.filter(|state| self.is_withdrawn(state));
        let left = withdrawn.filter_map(|state| {
            let slot = state.job.as_ref()?.slot;
            let now = self.state(state.tier).and_then(|state| state.job.as_ref());
            let reason = match now.filter(|job| !self.situation.withdrawn.contains(&job.id)) {
                Some(job) if job.slot == slot => return None,
                Some(job) => format!(
                    "no worker had begun its backup when a newer slot fell due; served by the slot \
                     {}",
                    job.slot
                ),
                None => "no worker had begun its backup while it was owed".to_owned(),
            };
            Some(MissedSlots {
                tier: state.tier,
                first: slot,
                last: slot,
                count: 1,
                reason,
            })
        });
        let left: Vec<MissedSlots> = left.collect();
        self.plan.missed.extend(left);
    }
}
