//! The naive account of a database's schedules: what its tiers wish for now, and wished for when the
//! planner looked last.

use std::collections::BTreeMap;

use dilux_core::model::{Blackout, PolicyZone, Tier};
use dilux_core::schedule::TierState;
use jiff::Timestamp;

use super::case::Case;
use super::naive::{self, Darkness, Wish, instant, minute};

/// How far jumps of the clock may lead, in minutes.
pub(super) const FORWARD: i64 = 4 * 24 * 60;
pub(super) const BACK: i64 = 3 * 24 * 60;

/// How long blackouts and jitter may put a start off, in minutes.
const PUT_OFF: i64 = 9 * 24 * 60;

/// Minutes that a case may last.
pub(super) fn length(case: &Case) -> i64 {
    let outages = if case.outages > 0 { 2 } else { 1 };
    case.period.as_mins() * i64::from(case.ticks + 1) * outages
}

/// A tier's schedule, and the slots that the naive clock showed of it.
#[derive(Debug, Clone)]
pub(super) struct Tenure {
    wish: Wish,
    zone: PolicyZone,
    blackouts: Vec<Blackout>,
    /// In minutes, ascending.
    slots: Vec<i64>,
}

impl Tenure {
    /// Whether both have the same slots.
    fn is_like(&self, other: &Self) -> bool {
        (&self.wish, &self.zone, &self.blackouts) == (&other.wish, &other.zone, &other.blackouts)
    }

    /// The first slot after an instant.
    pub(super) fn first_after(&self, at: Timestamp) -> Option<Timestamp> {
        let count = self.slots.partition_point(|slot| instant(*slot) <= at);
        self.slots.get(count).map(|slot| instant(*slot))
    }
}

/// The schedules of a database.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    pub(super) darkness: Darkness,
    /// What the darkness was walked for.
    darkened: Option<(PolicyZone, Vec<Blackout>)>,
    /// The enabled tiers.
    tenures: BTreeMap<Tier, Tenure>,
    /// The schedule of each tier with a state when the planner looked last; `None` while disabled.
    looked: BTreeMap<Tier, Option<Tenure>>,
}

impl Calendar {
    /// The tiers with a schedule, shortest first.
    pub(super) fn tiers(&self) -> impl Iterator<Item = Tier> {
        self.tenures.keys().copied()
    }

    pub(super) fn is_enabled(&self, tier: Tier) -> bool {
        self.tenures.contains_key(&tier)
    }

    /// The slots that the naive clock showed for a tier after one instant up to and with another.
    pub(super) fn slots(&self, tier: Tier, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let slots = self.all_slots(tier);
        let from = slots.partition_point(|slot| instant(*slot) <= after);
        let slots = slots[from..].iter().map(|slot| instant(*slot));
        slots.take_while(|slot| *slot <= until).collect()
    }

    /// The newest slot at or before an instant.
    pub(super) fn newest(&self, tier: Tier, at: Timestamp) -> Option<Timestamp> {
        let slots = self.all_slots(tier);
        let count = slots.partition_point(|slot| instant(*slot) <= at);
        count.checked_sub(1).map(|index| instant(slots[index]))
    }

    fn all_slots(&self, tier: Tier) -> &[i64] {
        let tenure = self.tenures.get(&tier);
        tenure.map_or(&[], |tenure| tenure.slots.as_slice())
    }

    /// The schedule that a tier with a state had when the planner looked last, if it has another
    /// one now: `Some(None)` when it was disabled.
    #[expect(
        clippy::option_option,
        reason = "to have been disabled is another thing than to have left nothing behind"
    )]
    pub(super) fn left_behind(&self, tier: Tier) -> Option<Option<&Tenure>> {
        let looked = self.looked.get(&tier)?;
        let is_same = match (looked, self.tenures.get(&tier)) {
            (Some(looked), Some(now)) => looked.is_like(now),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        (!is_same).then_some(looked.as_ref())
    }

    /// Notes under which schedules the planner looked.
    pub(super) fn look(&mut self, states: &[TierState]) {
        for tier in states.iter().map(|state| state.tier) {
            if self.left_behind(tier).is_some() || !self.looked.contains_key(&tier) {
                self.looked.insert(tier, self.tenures.get(&tier).cloned());
            }
        }
    }

    /// Walks through what the naive clock shows from `at` on, and before it as far as is asked for.
    pub(super) fn show(&mut self, case: &Case, at: Timestamp) {
        let start = minute(case.start);
        // A clock that jumps may lead behind the edit again.
        let (from, forward) = if case.jumps > 0 {
            (
                (minute(at) - FORWARD - BACK)
                    .max(start - BACK)
                    .min(minute(at)),
                FORWARD,
            )
        } else {
            (minute(at), 0)
        };
        let until = start + length(case) + forward + 2 * case.period.as_mins() + 24 * 60;
        let timing = &case.rules.policy.timing;
        let darkened = (timing.zone().clone(), timing.blackouts().to_vec());
        if self.darkened.as_ref() != Some(&darkened) {
            self.darkness = Darkness::walk(timing, (from, until + PUT_OFF));
            self.darkened = Some(darkened);
        }
        let mut before = std::mem::take(&mut self.tenures);
        for (tier, wish) in &case.rules.wishes {
            let mut tenure = Tenure {
                wish: wish.clone(),
                zone: timing.zone().clone(),
                blackouts: timing.blackouts().to_vec(),
                slots: Vec::new(),
            };
            tenure.slots = match before.remove(tier).filter(|known| known.is_like(&tenure)) {
                Some(known) => known.slots,
                None => naive::slots_since_the_last_two(timing, wish, (from, until)),
            };
            self.tenures.insert(*tier, tenure);
        }
    }
}
