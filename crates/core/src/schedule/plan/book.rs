//! Jobs for what is owed: one for everything that is due now, one for each instant ahead.

use jiff::Timestamp;

use super::judge::{Verdict, superseded};
use super::{PlannedJob, Planner, planned};
use crate::model::{JobId, Tier};
use crate::schedule::{TierOutlook, opened, pause};

impl Planner<'_> {
    /// Books one job for all tiers that are due.
    pub(super) fn decide_now(&mut self) {
        let verdicts = self.judge();
        let is_wanted = |verdict: Verdict| matches!(verdict, Verdict::Due | Verdict::Retry);
        let wanted = verdicts
            .iter()
            .filter(|(_, _, verdict)| is_wanted(*verdict));
        let Some(newest) = wanted.clone().map(|(_, slot, _)| *slot).max() else {
            return;
        };
        let is_new = self.states.is_empty();
        let start = if is_new {
            opened(&self.situation.policy.timing, self.now())
        } else {
            opened(
                &self.situation.policy.timing,
                self.start_of(newest).max(self.now()),
            )
        };
        if wanted.clone().all(|(tier, _, _)| self.is_busy(*tier)) {
            if start <= self.now() {
                self.skip_busy(&verdicts);
            }
            return;
        }
        if self.must_wait(start) {
            return;
        }
        let due = verdicts.iter().map(|(tier, slot, _)| (*tier, *slot));
        let tiers = self.joined(due.collect(), start);
        let mut retried = verdicts
            .iter()
            .filter(|(_, _, verdict)| *verdict != Verdict::Due);
        let slot = tiers.iter().map(|(_, slot)| *slot).max().unwrap_or(newest);
        let retry = retried
            .find(|(_, retried, _)| *retried == slot)
            .and_then(|(tier, _, _)| self.state(*tier))
            .map(|state| state.failures);
        let reason = self.reason(is_new, &tiers, retry, start);
        let is_past = |(_, slot): &&(Tier, Timestamp)| *slot <= self.now();
        self.booked_now = tiers
            .iter()
            .filter(is_past)
            .map(|(tier, _)| *tier)
            .collect();
        let job = self.job(slot, tiers, (start, reason));
        self.book(job);
    }

    /// What a job that starts at `start` serves: `due`, and the slot ahead that starts with it, when
    /// both wait for the end of the same blackout.
    fn joined(&self, due: Vec<(Tier, Timestamp)>, start: Timestamp) -> Vec<(Tier, Timestamp)> {
        let outlook = self.situation.outlook;
        let ahead = outlook.tiers.iter().flat_map(|tier| self.ahead(tier));
        let Some(slot) = ahead.filter(|slot| self.start_of(*slot) == start).min() else {
            return due;
        };
        let joins = |tier: Tier| {
            let tier = outlook.tier(tier);
            tier.is_some_and(|tier| self.ahead(tier).any(|known| known == slot))
        };
        let mut served: Vec<(Tier, Timestamp)> = Vec::new();
        for tier in Tier::ALL {
            let known = due.iter().find(|(known, _)| *known == tier);
            if joins(tier) {
                served.push((tier, slot));
            } else {
                served.extend(known);
            }
        }
        served
    }

    /// The undecided slots of a tier between now and the horizon.
    fn ahead<'b>(&self, tier: &'b TierOutlook) -> impl Iterator<Item = Timestamp> + use<'b> {
        let last = self.state(tier.tier).map(|state| state.last_slot);
        let slots = tier.ahead.iter().copied();
        slots.filter(move |slot| Some(*slot) > last)
    }

    /// Books the slots before the horizon, each for its minute.
    pub(super) fn decide_ahead(&mut self) {
        let outlook = self.situation.outlook;
        let mut slots: Vec<Timestamp> = outlook
            .tiers
            .iter()
            .flat_map(|tier| tier.ahead.iter().copied())
            .collect();
        slots.sort_unstable();
        slots.dedup();
        let mut deferred: Vec<Tier> = Vec::new();
        for slot in slots {
            let tiers: Vec<(Tier, Timestamp)> = outlook
                .tiers
                .iter()
                .filter(|tier| tier.ahead.contains(&slot) && !deferred.contains(&tier.tier))
                .filter(|tier| {
                    let state = self.state(tier.tier);
                    state.is_none_or(|state| state.last_slot < slot)
                })
                .map(|tier| (tier.tier, slot))
                .collect();
            // A tier whose job is under way, or waits for a blackout's end, is decided at its slot,
            // when that may be over.
            let is_undecided = |tier: &Tier| {
                let now = self.now();
                let waits = self.state(*tier).is_some_and(|state| {
                    let job = state.job.as_ref();
                    state.is_open() && job.is_some_and(|job| job.slot <= now)
                });
                waits || self.is_busy(*tier) || self.booked_now.contains(tier)
            };
            let start = self.start_of(slot);
            if tiers.iter().all(|(tier, _)| is_undecided(tier)) || self.must_wait(start) {
                deferred.extend(tiers.iter().map(|(tier, _)| *tier));
                continue;
            }
            self.booked_now
                .retain(|known| !tiers.iter().any(|(tier, _)| tier == known));
            let reason = self.reason(false, &tiers, None, slot);
            let job = self.job(slot, tiers, (start, reason));
            self.book(job);
        }
    }

    /// Whether a failing database is left in peace until after `start`.
    fn must_wait(&self, start: Timestamp) -> bool {
        self.failing.is_some_and(|failing| {
            start < failing.until(&self.states, self.situation.outlook.horizon)
        })
    }

    /// Gives up due slots whose tier still waits for the backup of an earlier slot.
    fn skip_busy(&mut self, verdicts: &[(Tier, Timestamp, Verdict)]) {
        for (tier, slot, verdict) in verdicts {
            let served = self.state(*tier).and_then(|state| state.job.clone());
            if *verdict == Verdict::Due
                && let Some(job) = served
            {
                let reason = format!(
                    "the backup for the slot {} had not ended yet (job {})",
                    job.slot, job.id
                );
                self.miss_until(*tier, *slot, &reason);
            }
        }
    }

    fn reason(
        &self,
        is_new: bool,
        tiers: &[(Tier, Timestamp)],
        retry: Option<u32>,
        start: Timestamp,
    ) -> String {
        if is_new {
            return "first backup of a new database; serves all its tiers".to_owned();
        }
        let names: Vec<String> = tiers
            .iter()
            .map(|(tier, slot)| match self.state(*tier) {
                None => format!("{tier} (its first)"),
                Some(_) => format!("{tier} slot {slot}"),
            })
            .collect();
        let due = format!("due: {}", names.join(", "));
        let oldest = tiers.iter().map(|(_, slot)| *slot).min();
        let late = oldest.map_or(0, |slot| start.duration_since(slot).as_mins());
        match retry {
            Some(failures) => format!("{due}; tried again after {failures} failed jobs"),
            None if late > 0 => format!("{due}; late by {} h {} min", late / 60, late % 60),
            None => due,
        }
    }

    fn job(
        &self,
        slot: Timestamp,
        tiers: Vec<(Tier, Timestamp)>,
        (not_before, reason): (Timestamp, String),
    ) -> PlannedJob {
        // The slot alone would not do: under a changed schedule a tier may owe an instant whose job
        // served it for another slot; and each tier counts its failures and set-back clocks itself.
        let owed = tiers.iter().map(|(tier, slot)| {
            let state = self.state(*tier);
            let (era, failures) = state.map_or((0, 0), |state| (state.era, state.failures));
            format!("{tier} {slot} {era} {failures}")
        });
        let key = format!("slot|{}", owed.collect::<Vec<_>>().join("|"));
        PlannedJob {
            id: JobId::derive(self.situation.database, &key),
            slot,
            not_before,
            attempts: pause::attempts(&self.states, not_before, self.failing.is_some()),
            reason,
            replaces: self.replaced_by(&tiers),
            tiers,
        }
    }

    fn book(&mut self, job: PlannedJob) {
        for (tier, slot) in &job.tiers {
            self.miss_before(*tier, *slot, &superseded(*slot));
            let state = planned(self.state(*tier), *tier, &job, *slot);
            self.states.retain(|known| known.tier != *tier);
            self.states.push(state);
        }
        self.plan.jobs.push(job);
    }
}
