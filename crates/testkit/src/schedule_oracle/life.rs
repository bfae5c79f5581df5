//! A database's life: ticks, jobs, outages, edits, jumps of the clock. After each tick the plan is
//! checked against the naive clock.

use std::collections::BTreeSet;

use dilux_core::model::{DatabaseId, JobId, Tier};
use dilux_core::schedule::{Outlook, Plan, PlannedJob, Situation, SlotOutcome, TierState};
use jiff::{SignedDuration, Timestamp};

use super::case::{Case, Rules, rules};
use super::naive::{Shown, Wish, instant, minute};
use super::{Planner, Tally, check};
use crate::seed::Seed;

/// How far jumps of the clock may lead, in minutes.
const FORWARD: i64 = 20 * 24 * 60;
const BACK: i64 = 3 * 24 * 60;

/// A job that the planner booked.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) id: JobId,
    pub(super) tiers: Vec<(Tier, Timestamp)>,
    pub(super) not_before: Timestamp,
    ends: Timestamp,
    fails: bool,
}

/// What is true of the database between two ticks.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) case: Case,
    pub(super) database: DatabaseId,
    pub(super) shown: Shown,
    pub(super) states: Vec<TierState>,
    pub(super) open: Vec<Running>,
    /// Every (tier, slot, era) that was booked and did not fail.
    pub(super) served: BTreeSet<(Tier, Timestamp, u32)>,
    pub(super) ids: BTreeSet<(JobId, Tier)>,
    pub(super) edited_at: Timestamp,
    /// Starts and attempts of the jobs since the last success.
    pub(super) attempts: Vec<(Timestamp, u32)>,
    pub(super) last_failure: Option<Timestamp>,
    pub(super) last_success: Option<Timestamp>,
    pub(super) has_jumped: bool,
}

/// One look of the planner.
pub(super) struct Look<'a> {
    pub(super) now: Timestamp,
    pub(super) horizon: Timestamp,
    pub(super) before: &'a [TierState],
    pub(super) active: &'a [JobId],
    pub(super) plan: &'a Plan,
}

/// Lives through a case.
pub(super) fn live(
    planner: Planner,
    case: Case,
    random: &mut Seed,
    tally: &mut Tally,
) -> Result<(), String> {
    let database = format!("db-{}", random.below(1000));
    let mut life = Life {
        shown: shown(&case, &case.rules, case.start),
        database: database.parse().map_err(|_| "bad id".to_owned())?,
        states: Vec::new(),
        open: Vec::new(),
        served: BTreeSet::new(),
        ids: BTreeSet::new(),
        edited_at: case.start,
        attempts: Vec::new(),
        last_failure: None,
        last_success: None,
        has_jumped: false,
        case,
    };
    let (mut clock, mut skew) = (life.case.start, SignedDuration::ZERO);
    for _ in 0..life.case.ticks {
        let mut step = life.case.period;
        if chance(random, life.case.outages) {
            let missed = 1 + random.below(20);
            step = SignedDuration::from_secs(step.as_secs() * i64::from(missed));
            tally.outages += 1;
        }
        clock += step;
        if minute(clock) > minute(life.case.start) + length(&life.case) {
            break;
        }
        if chance(random, life.case.jumps) {
            skew = jump(random);
            life.has_jumped = true;
            tally.jumps += 1;
        }
        let now = clock + skew;
        if chance(random, life.case.edits) {
            let back = i64::from(random.below(u32::try_from(step.as_mins()).unwrap_or(1)));
            life.edit(random, now - SignedDuration::from_mins(back));
            tally.edits += 1;
        }
        life.work(now);
        life.tick(planner, now, random, tally)?;
    }
    Ok(())
}

/// Minutes that a case may last.
fn length(case: &Case) -> i64 {
    case.period.as_mins() * i64::from(case.ticks) * 2
}

fn chance(random: &mut Seed, odds: u32) -> bool {
    odds > 0 && random.one_in(odds)
}

fn jump(random: &mut Seed) -> SignedDuration {
    let far =
        |random: &mut Seed, most: i64| i64::from(random.below(u32::try_from(most).unwrap_or(1)));
    SignedDuration::from_mins(match random.below(4) {
        0 => 0,
        1 => far(random, 120) - 60,
        2 => far(random, FORWARD),
        _ => -far(random, BACK),
    })
}

/// What the naive clock shows during a case, and before it as far as `oldest`.
fn shown(case: &Case, rules: &Rules, oldest: Timestamp) -> Shown {
    let (back, forward) = if case.jumps > 0 {
        (BACK, FORWARD)
    } else {
        (0, 0)
    };
    let start = minute(case.start);
    let range = (
        (start - back).min(minute(oldest)) - rules.reach(),
        start + length(case) + forward + 2 * case.period.as_mins() + 24 * 60,
    );
    let wishes: Vec<Wish> = rules.wishes.iter().map(|(_, wish)| wish.clone()).collect();
    Shown::walk(&case.zone, rules.policy.timing.blackouts(), &wishes, range)
}

impl Life {
    /// The slots that the naive clock showed for a tier, ascending.
    pub(super) fn slots(&self, tier: Tier) -> &[i64] {
        let wishes = self.case.rules.wishes.iter();
        let index = wishes
            .zip(&self.shown.slots)
            .find(|((known, _), _)| *known == tier);
        index.map_or(&[], |(_, slots)| slots.as_slice())
    }

    /// The newest slot at or before an instant.
    pub(super) fn newest(&self, tier: Tier, at: Timestamp) -> Option<Timestamp> {
        let slots = self.slots(tier);
        let count = slots.partition_point(|slot| instant(*slot) <= at);
        count.checked_sub(1).map(|index| instant(slots[index]))
    }

    fn edit(&mut self, random: &mut Seed, at: Timestamp) {
        self.case.rules = rules(random, &self.case.zone);
        let decided = self.states.iter().map(|state| state.last_slot);
        let oldest = decided.min().unwrap_or(self.case.start);
        self.shown = shown(&self.case, &self.case.rules, oldest);
        self.edited_at = at;
    }

    /// Ends the jobs whose time has come.
    fn work(&mut self, now: Timestamp) {
        let open = std::mem::take(&mut self.open);
        for job in open {
            if job.ends > now {
                self.open.push(job);
                continue;
            }
            let ended = job.ends.max(job.not_before).min(now);
            if job.fails {
                self.last_failure = self.last_failure.max(Some(ended));
            } else {
                self.last_success = self.last_success.max(Some(ended));
                self.attempts.clear();
            }
            for state in &mut self.states {
                if state.job.as_ref().is_some_and(|mine| mine.id == job.id) {
                    settle(state, job.fails, ended);
                    if job.fails {
                        let slot = state.job.as_ref().map_or(state.last_slot, |mine| mine.slot);
                        self.served.remove(&(state.tier, slot, state.era));
                    }
                }
            }
        }
    }

    fn tick(
        &mut self,
        planner: Planner,
        now: Timestamp,
        random: &mut Seed,
        tally: &mut Tally,
    ) -> Result<(), String> {
        tally.ticks += 1;
        let horizon = now + self.case.period;
        let policy = self.case.rules.policy.clone();
        let outlook = Outlook::new(&policy, now, horizon);
        let has_begun = |job: &&Running| job.not_before <= now;
        let active: Vec<JobId> = self
            .open
            .iter()
            .filter(has_begun)
            .map(|job| job.id.clone())
            .collect();
        let before = self.states.clone();
        let mut situation = Situation {
            database: &self.database,
            policy: &policy,
            outlook: &outlook,
            edited_at: self.edited_at,
            states: &before,
            active: &active,
        };
        let plan = planner(&situation);
        let mut after = before.clone();
        for state in &plan.states {
            after.retain(|known| known.tier != state.tier);
            after.push(state.clone());
        }
        let now_active: Vec<JobId> = plan
            .jobs
            .iter()
            .filter(|job| job.not_before <= now)
            .map(|job| job.id.clone())
            .chain(active.iter().cloned())
            .collect();
        situation.states = &after;
        situation.active = &now_active;
        let again = planner(&situation);
        if !again.jobs.is_empty() || !again.missed.is_empty() {
            return Err(format!(
                "at {now}: the same tick decides twice: {again:?} after {plan:?}"
            ));
        }
        let look = Look {
            now,
            horizon,
            before: &before,
            active: &active,
            plan: &plan,
        };
        self.states = after;
        check::tick(self, &look, tally).map_err(|what| {
            format!(
                "at {now}: {what}; edited at {}
wishes: {:?}
before: {before:?}
plan: {plan:?}",
                self.edited_at, self.case.rules.wishes
            )
        })?;
        self.start(&plan, random);
        check::budget(self)
    }

    /// The id of a job: that of the plan, or one of its own when it stands for other tiers already,
    /// as the scheduler has it.
    fn own_id(&mut self, job: &PlannedJob) -> JobId {
        let serves = |tier: &Tier| job.tiers.iter().any(|(known, _)| known == tier);
        if self
            .ids
            .iter()
            .all(|(id, tier)| *id != job.id || serves(tier))
        {
            return job.id.clone();
        }
        let own = JobId::derive(&self.database, &format!("{} {:?}", job.id, job.tiers));
        for state in self.states.iter_mut().filter(|state| serves(&state.tier)) {
            if let Some(mine) = state.job.as_mut().filter(|mine| mine.id == job.id) {
                mine.id = own.clone();
            }
        }
        own
    }

    fn start(&mut self, plan: &Plan, random: &mut Seed) {
        for job in &plan.jobs {
            let id = self.own_id(job);
            let run = i64::from(
                random.below(u32::try_from(self.case.longest.as_secs()).unwrap_or(0) + 1),
            );
            let fails = chance(random, self.case.failures);
            self.attempts
                .push((job.not_before, job.attempts.unwrap_or(4)));
            self.open.push(Running {
                id,
                tiers: job.tiers.clone(),
                not_before: job.not_before,
                ends: job.not_before + SignedDuration::from_secs(run),
                fails,
            });
        }
        for state in &mut self.states {
            if state.outcome == SlotOutcome::Claimed {
                state.outcome = SlotOutcome::Booked;
            }
            state.unrecorded.clear();
        }
    }
}

/// What the worker tells of a job's end, in plain words.
fn settle(state: &mut TierState, fails: bool, at: Timestamp) {
    if fails {
        state.outcome = SlotOutcome::Failed;
        state.failed_at = Some(at);
        state.failures += 1;
    } else {
        state.outcome = SlotOutcome::Completed;
        state.satisfied_slot = state
            .satisfied_slot
            .max(state.job.as_ref().map(|job| job.slot));
        state.satisfied_at = state.satisfied_at.max(Some(at));
        state.failed_at = None;
        state.failures = 0;
    }
}
