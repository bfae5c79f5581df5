//! Schedules that were changed since their tier was last decided.

use jiff::{SignedDuration, Timestamp};

use super::{MissedSlots, Planner};
use crate::model::Tier;
use crate::schedule::ScheduleMark;

const LEFT_BEHIND: &str = "the schedule was changed before a backup was made for this slot, and \
                           for those that it may have had after it until the change";

impl Planner<'_> {
    /// Lets every tier whose schedule was changed go on under the new one.
    pub(super) fn follow_changes(&mut self) {
        let outlook = self.situation.outlook;
        let changed = self.states.iter().filter(|state| outlook.is_new_to(state));
        let tiers: Vec<Tier> = changed.map(|state| state.tier).collect();
        for tier in tiers {
            let kept = self.enter_new_schedule(tier);
            self.leave_old_schedule(tier, kept);
        }
    }

    /// When the schedule was changed, as far as that is past.
    fn changed_at(&self) -> Timestamp {
        self.situation.edited_at.min(self.now())
    }

    /// Of the new slots from before the change at most the newest is owed: it was never announced,
    /// so it is owed only when its period would stay without a backup. Gives that slot when it is
    /// owed, or when a job stands for it.
    fn enter_new_schedule(&mut self, tier: Tier) -> Option<Timestamp> {
        let slots = self.slots(tier)?;
        let newest = slots.latest(self.changed_at())?;
        let second = SignedDuration::from_secs(1);
        let before = slots.latest(newest.checked_sub(second).ok()?);
        let is_too_old = self.limit_passed(newest).is_some();
        let state = self.states.iter_mut().find(|state| state.tier == tier)?;
        if newest <= state.last_slot {
            return None;
        }
        let is_served = before.is_some() && state.satisfied_slot > before;
        let is_open = state.is_open();
        let why = if is_open {
            // From now on it stands for the new slot, which is tried again should it fail.
            if let Some(job) = &mut state.job {
                job.slot = newest;
            }
            "a backup was under way"
        } else if is_served {
            "its period had a backup"
        } else if is_too_old {
            "it was too old to be caught up"
        } else {
            state.last_slot = state.last_slot.max(before.unwrap_or(state.last_slot));
            return Some(newest);
        };
        state.last_slot = newest;
        state.reason =
            format!("the schedule was changed; nothing was owed for the slot {newest}: {why}");
        is_open.then_some(newest)
    }

    /// The old schedule is known no more, only its first undecided slot is. It is given up, unless
    /// it is `kept` under the new one.
    fn leave_old_schedule(&mut self, tier: Tier, kept: Option<Timestamp>) {
        let changed_at = self.changed_at();
        let outlook = self.situation.outlook.tier(tier);
        let mark = outlook.map_or_else(ScheduleMark::disabled, |tier| tier.mark.clone());
        let Some(state) = self.states.iter_mut().find(|state| state.tier == tier) else {
            return;
        };
        state.mark = Some(mark);
        let left = state.next_due.take();
        if let Some(slot) = left.filter(|slot| *slot <= changed_at && Some(*slot) != kept) {
            self.plan.missed.push(MissedSlots {
                tier,
                first: slot,
                last: slot,
                count: 1,
                reason: LEFT_BEHIND.to_owned(),
            });
        }
    }
}
