//! A database's life: ticks, jobs, outages, edits, jumps of the clock. After each tick the plan is
//! checked against the naive clock.

use std::collections::BTreeSet;

use dilux_core::model::{DatabaseId, JobId, Tier};
use dilux_core::schedule::{Outlook, Plan, PlannedJob, Situation, SlotOutcome, TierState};
use jiff::{SignedDuration, Timestamp};

use super::calendar::{BACK, Calendar, FORWARD, length};
use super::case::{Case, edited};
use super::naive::minute;
use super::{Planner, Tally, check};
use crate::seed::Seed;

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completes,
    Fails,
    IsCancelled,
}

/// A job that the planner booked.
#[derive(Debug, Clone)]
struct Running {
    id: JobId,
    not_before: Timestamp,
    ends: Timestamp,
    end: End,
}

/// What is true of the database between two ticks.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) case: Case,
    pub(super) database: DatabaseId,
    pub(super) calendar: Calendar,
    pub(super) states: Vec<TierState>,
    open: Vec<Running>,
    /// Every (tier, slot, era) that was booked and did not fail.
    pub(super) served: BTreeSet<(Tier, Timestamp, u32)>,
    pub(super) ids: BTreeSet<(JobId, Tier)>,
    pub(super) edited_at: Timestamp,
    /// Starts and attempts of the jobs since the last success.
    pub(super) attempts: Vec<(Timestamp, u32)>,
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
        calendar: Calendar::default(),
        database: database.parse().map_err(|_| "bad id".to_owned())?,
        states: Vec::new(),
        open: Vec::new(),
        served: BTreeSet::new(),
        ids: BTreeSet::new(),
        edited_at: case.start,
        attempts: Vec::new(),
        has_jumped: false,
        case,
    };
    life.calendar.show(&life.case, life.case.start);
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
        if random.one_in(4) {
            // Another scheduler looks right after the first.
            life.tick(planner, now, random, tally)?;
        }
    }
    Ok(())
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

impl Life {
    fn edit(&mut self, random: &mut Seed, at: Timestamp) {
        self.case.rules = edited(random, &self.case.rules);
        self.calendar.show(&self.case, at);
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
            if job.end == End::Completes {
                self.attempts.clear();
            }
            for state in &mut self.states {
                if state.job.as_ref().is_some_and(|mine| mine.id == job.id) {
                    settle(state, job.end, ended);
                    if job.end == End::Fails {
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
        let situation = Situation {
            database: &self.database,
            policy: &policy,
            outlook: &outlook,
            edited_at: self.edited_at,
            states: &before,
            active: &active,
            withdrawn: &[],
        };
        let plan = planner(&situation);
        let mut after = before.clone();
        for state in &plan.states {
            after.retain(|known| known.tier != state.tier);
            after.push(state.clone());
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
        self.calendar.look(&self.states);
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
            let end = if chance(random, self.case.failures) {
                End::Fails
            } else if chance(random, self.case.cancels) {
                End::IsCancelled
            } else {
                End::Completes
            };
            self.attempts
                .push((job.not_before, job.attempts.unwrap_or(4)));
            self.open.push(Running {
                id,
                not_before: job.not_before,
                ends: job.not_before + SignedDuration::from_secs(run),
                end,
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
fn settle(state: &mut TierState, end: End, at: Timestamp) {
    match end {
        End::Fails => {
            state.outcome = SlotOutcome::Failed;
            state.failed_at = Some(at);
            state.failures += 1;
        }
        End::Completes => {
            state.outcome = SlotOutcome::Completed;
            let slot = state.job.as_ref().map(|job| job.slot);
            state.satisfied_slot = state.satisfied_slot.max(slot);
            state.satisfied_at = state.satisfied_at.max(Some(at));
            state.failed_at = None;
            state.failures = 0;
        }
        End::IsCancelled => state.outcome = SlotOutcome::Cancelled,
    }
}
