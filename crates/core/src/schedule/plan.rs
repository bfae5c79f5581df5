//! The planner: what a policy owes a database now, what it owes before the next tick, and which
//! slots nobody serves any more. Each decision carries its reason.

mod book;
mod change;
mod judge;
mod overtake;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use overtake::overtaken;

use super::pause::Failing;
use super::{Outlook, SlotJob, SlotOutcome, Slots, TierOutlook, TierState};
use crate::model::{BackupPolicy, DatabaseId, JobId, Tier};

/// Everything that a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The database.
    pub database: &'a DatabaseId,
    /// Its policy.
    pub policy: &'a BackupPolicy,
    /// What the clock says of that policy.
    pub outlook: &'a Outlook,
    /// When policy or database were last changed: slots of a new schedule before that were never
    /// owed.
    pub edited_at: Timestamp,
    /// What is known of its tiers.
    pub states: &'a [TierState],
    /// Jobs of these states that have begun, or should have, and are not over.
    pub active: &'a [JobId],
    /// Jobs of these states that were withdrawn before anybody began them, since a newer slot had
    /// overtaken theirs.
    pub withdrawn: &'a [JobId],
}

/// A job to book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    /// Its id: a hash of what is owed.
    pub id: JobId,
    /// The newest of the slots that it serves.
    pub slot: Timestamp,
    /// The tiers that it serves, shortest first, each with its slot.
    pub tiers: Vec<(Tier, Timestamp)>,
    /// When it may start.
    pub not_before: Timestamp,
    /// How many attempts it may make; `None` leaves it to the setting.
    pub attempts: Option<u32>,
    /// Why, for people.
    pub reason: String,
    /// The withdrawn jobs that it takes the place of.
    pub replaces: Vec<JobId>,
}

/// Slots of a tier that no job serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedSlots {
    /// Tier.
    pub tier: Tier,
    /// The oldest.
    pub first: Timestamp,
    /// The newest.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
    /// Why, for people.
    pub reason: String,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Jobs to book.
    pub jobs: Vec<PlannedJob>,
    /// Slots that are given up.
    pub missed: Vec<MissedSlots>,
    /// The states that changed, as they are to be written.
    pub states: Vec<TierState>,
}

/// Decides.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let mut planner = Planner {
        situation,
        failing: Failing::of(situation.states, situation.outlook.now),
        states: situation.states.to_vec(),
        booked_now: Vec::new(),
        plan: Plan::default(),
    };
    planner.follow_changes();
    planner.decide_now();
    planner.decide_ahead();
    planner.give_up_overtaken();
    planner.finish()
}

/// A decision in the making.
struct Planner<'a> {
    situation: &'a Situation<'a>,
    failing: Option<Failing>,
    states: Vec<TierState>,
    booked_now: Vec<Tier>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn now(&self) -> Timestamp {
        self.situation.outlook.now
    }

    fn state(&self, tier: Tier) -> Option<&TierState> {
        self.states.iter().find(|state| state.tier == tier)
    }

    fn slots(&self, tier: Tier) -> Option<Slots<'a>> {
        let policy = self.situation.policy;
        let rule = policy.rule(tier)?;
        Some(Slots::new(&rule.schedule, &policy.timing))
    }

    /// Whether the newest job of a tier has begun and is not over.
    fn is_busy(&self, tier: Tier) -> bool {
        let job = self.state(tier).and_then(|state| state.job.as_ref());
        job.is_some_and(|job| self.situation.active.contains(&job.id))
    }

    /// The first instant at which a backup for `slot` may start.
    fn start_of(&self, slot: Timestamp) -> Timestamp {
        let timing = &self.situation.policy.timing;
        let shifted = match timing.jitter() {
            Some(minutes) => slot
                .saturating_add(super::slot::jitter(self.situation.database, minutes))
                .unwrap_or(slot),
            None => slot,
        };
        super::opened(timing, shifted)
    }

    /// Records the slots of a tier after the last decided one and before `until` as missed.
    fn miss_before(&mut self, tier: Tier, until: Timestamp, reason: &str) {
        let Some(last) = self.state(tier).map(|state| state.last_slot) else {
            return;
        };
        let is_next =
            self.situation.outlook.tier(tier).is_some_and(|outlook| {
                outlook.latest == Some(until) && outlook.previous <= Some(last)
            });
        if is_next {
            return;
        }
        let Some(slots) = self.slots(tier) else {
            return;
        };
        let mut missed: Option<MissedSlots> = None;
        for slot in slots.between(last, until).take_while(|slot| *slot < until) {
            let so_far = missed.get_or_insert_with(|| MissedSlots {
                tier,
                first: slot,
                last: slot,
                count: 0,
                reason: reason.to_owned(),
            });
            so_far.last = slot;
            so_far.count += 1;
        }
        self.plan.missed.extend(missed);
    }

    /// Records `slot` and all undecided ones before it as missed.
    fn miss_until(&mut self, tier: Tier, slot: Timestamp, reason: &str) {
        self.miss_before(tier, slot, reason);
        let joins = |missed: &&mut MissedSlots| missed.tier == tier && missed.reason == reason;
        match self.plan.missed.last_mut().filter(joins) {
            Some(missed) => {
                missed.last = slot;
                missed.count += 1;
            }
            None => self.plan.missed.push(MissedSlots {
                tier,
                first: slot,
                last: slot,
                count: 1,
                reason: reason.to_owned(),
            }),
        }
        if let Some(state) = self.states.iter_mut().find(|state| state.tier == tier) {
            state.last_slot = slot;
            reason.clone_into(&mut state.reason);
        }
    }

    fn finish(mut self) -> Plan {
        for state in &mut self.states {
            let missed = self.plan.missed.iter();
            let mine = missed.filter(|missed| missed.tier == state.tier);
            state.unrecorded.extend(mine.cloned());
        }
        let known = self.situation.states;
        let is_changed = |state: &TierState| {
            let before = known.iter().find(|before| before.tier == state.tier);
            before.is_none_or(|before| before != state)
        };
        let mut changed = std::mem::take(&mut self.states);
        changed.retain(is_changed);
        for state in &mut changed {
            if let Some(outlook) = self.situation.outlook.tier(state.tier) {
                state.mark = Some(outlook.mark.clone());
                state.next_due = self.first_undecided(outlook, state.last_slot);
            }
        }
        self.plan.states = changed;
        self.plan
    }

    /// The first slot of a tier after `last`.
    fn first_undecided(&self, outlook: &TierOutlook, last: Timestamp) -> Option<Timestamp> {
        if outlook.latest > Some(last) || last > self.situation.outlook.horizon {
            return self.slots(outlook.tier)?.after(last);
        }
        let ahead = outlook.ahead.iter().copied();
        ahead.chain(outlook.next).find(|slot| *slot > last)
    }
}

/// The state of a tier after a job was planned for it.
fn planned(before: Option<&TierState>, tier: Tier, job: &PlannedJob, slot: Timestamp) -> TierState {
    let mut state = before
        .cloned()
        .unwrap_or_else(|| TierState::decided_until(tier, slot));
    let late = job.not_before.duration_since(slot).as_secs();
    state.last_slot = slot;
    state.job = Some(SlotJob {
        id: job.id.clone(),
        slot,
    });
    state.outcome = SlotOutcome::Claimed;
    state.reason.clone_from(&job.reason);
    state.late_seconds = u64::try_from(late).unwrap_or(0);
    state
}
