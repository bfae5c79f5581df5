//! What has to be booked and given up, told from the slots of the naive clock.

use std::collections::{BTreeMap, BTreeSet};

use dilux_core::model::Tier;
use dilux_core::schedule::{PlannedJob, SlotOutcome, TierState};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::owed::{Owed, is_too_old};
use crate::schedule_oracle::life::{Life, Look};

/// How long a failing database is left in peace after its first failure, and after later ones.
const PAUSES: [SignedDuration; 2] = [SignedDuration::from_mins(45), SignedDuration::from_mins(70)];

/// Longest time before a failed slot is tried again.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// Tiers, each with the slot that is served.
type Served = BTreeMap<Tier, Timestamp>;

/// The jobs to be booked: for each slot when it starts and what it serves.
type Jobs = BTreeMap<Timestamp, (Timestamp, Served)>;

/// The plan must book what the naive account says, and give up what it says.
pub(super) fn check(life: &Life, look: &Look<'_>, owed: &Owed) -> Result<(), String> {
    let mut decision = Decision {
        life,
        look,
        owed,
        jobs: Jobs::new(),
        given_up: BTreeSet::new(),
        served_now: BTreeSet::new(),
    };
    decision.decide_now();
    decision.decide_ahead();
    let mut found = Jobs::new();
    for job in &look.plan.jobs {
        if found
            .insert(job.slot, (job.not_before, served(job)))
            .is_some()
        {
            return Err(format!("two jobs for {}", job.slot));
        }
    }
    if found != decision.jobs {
        return Err(format!("the jobs have to be {:?}", decision.jobs));
    }
    for tier in life.calendar.tiers() {
        decision.check_newest(tier)?;
    }
    Ok(())
}

fn served(job: &PlannedJob) -> Served {
    job.tiers.iter().copied().collect()
}

/// What has to be decided.
struct Decision<'a> {
    life: &'a Life,
    look: &'a Look<'a>,
    owed: &'a Owed,
    jobs: Jobs,
    /// Newest slots that no job will serve.
    given_up: BTreeSet<Tier>,
    served_now: BTreeSet<Tier>,
}

impl Decision<'_> {
    /// One job serves every tier that is due, and those whose slot failed; unless all that are due
    /// are being served already, or the database is left in peace.
    fn decide_now(&mut self) {
        let (mut due, mut retries, mut later) = (Served::new(), Served::new(), Served::new());
        for tier in self.life.calendar.tiers() {
            let Some(newest) = self.undecided(tier) else {
                if let Some((slot, at)) = self.retry(tier) {
                    let into = if at <= self.look.now {
                        &mut retries
                    } else {
                        &mut later
                    };
                    into.insert(tier, slot);
                }
                continue;
            };
            if self.owed.state(tier).is_some() && is_too_old(self.life, self.look, newest) {
                self.given_up.insert(tier);
            } else {
                due.insert(tier, newest);
            }
        }
        let Some(newest) = due.values().chain(retries.values()).max().copied() else {
            return;
        };
        let start = if self.look.before.is_empty() {
            self.life.calendar.darkness.light(self.look.now)
        } else {
            self.start(newest, self.look.now)
        };
        if due
            .keys()
            .chain(retries.keys())
            .all(|tier| self.is_busy(*tier))
        {
            if start <= self.look.now {
                self.given_up.extend(due.keys());
            }
            return;
        }
        if self.is_left_in_peace(start) {
            return;
        }
        due.append(&mut retries);
        due.append(&mut later);
        // What falls due ahead and starts with it is served with it.
        let joins = |(slot, _): &(Timestamp, BTreeSet<Tier>)| self.start(*slot, *slot) == start;
        if let Some((slot, tiers)) = self.ahead().into_iter().find(joins) {
            due.extend(tiers.into_iter().map(|tier| (tier, slot)));
        }
        let is_past = |(_, slot): &(&Tier, &Timestamp)| **slot <= self.look.now;
        self.served_now = due.iter().filter(is_past).map(|(tier, _)| *tier).collect();
        if let Some(slot) = due.values().max() {
            self.jobs.insert(*slot, (start, due));
        }
    }

    /// The slots up to the horizon that are not decided, each with its tiers.
    fn ahead(&self) -> BTreeMap<Timestamp, BTreeSet<Tier>> {
        let (now, horizon) = (self.look.now, self.look.horizon);
        let mut slots: BTreeMap<Timestamp, BTreeSet<Tier>> = BTreeMap::new();
        for tier in self.life.calendar.tiers() {
            let last = self.owed.state(tier).map_or(now, |state| state.last_slot);
            for slot in self.life.calendar.slots(tier, last.max(now), horizon) {
                slots.entry(slot).or_default().insert(tier);
            }
        }
        slots
    }

    /// Each slot before the horizon has a job for its minute, for all its tiers together; unless
    /// each of them is being served, or the database is left in peace. Then its tiers wait.
    fn decide_ahead(&mut self) {
        let mut waiting = BTreeSet::new();
        let served = self.jobs.values().flat_map(|(_, served)| served);
        let is_ahead = |(_, slot): &(&Tier, &Timestamp)| **slot > self.look.now;
        let mut booked: BTreeSet<Tier> = served.filter(is_ahead).map(|(tier, _)| *tier).collect();
        for (slot, mut tiers) in self.ahead() {
            let is_joined = self.jobs.contains_key(&slot);
            tiers.retain(|tier| !waiting.contains(tier) && !is_joined);
            if tiers.is_empty() {
                continue;
            }
            let start = self.start(slot, slot);
            let is_held = |tier: &Tier| !booked.contains(tier) && self.is_being_served(*tier);
            if tiers.iter().all(is_held) || self.is_left_in_peace(start) {
                waiting.append(&mut tiers);
                continue;
            }
            booked.extend(&tiers);
            let served = tiers.iter().map(|tier| (*tier, slot)).collect();
            self.jobs.insert(slot, (start, served));
        }
    }

    /// The newest slot is given up when no job will serve it, or when a later one takes its place.
    fn check_newest(&self, tier: Tier) -> Result<(), String> {
        let Some(newest) = self.undecided(tier) else {
            return Ok(());
        };
        let served = self.jobs.values();
        let first = served.filter_map(|(_, served)| served.get(&tier)).min();
        let is_superseded =
            self.owed.state(tier).is_some() && first.is_some_and(|slot| *slot > newest);
        let wanted = self.given_up.contains(&tier) || is_superseded;
        let found = self
            .look
            .plan
            .missed
            .iter()
            .any(|range| range.tier == tier && super::covers(range, newest));
        if wanted == found {
            return Ok(());
        }
        let verb = if wanted { "has to be" } else { "must not be" };
        Err(format!("{tier} slot {newest} {verb} given up"))
    }

    /// The newest slot of a tier that is not decided.
    fn undecided(&self, tier: Tier) -> Option<Timestamp> {
        let newest = self.life.calendar.newest(tier, self.look.now)?;
        let last = self.owed.state(tier).map(|state| state.last_slot);
        (Some(newest) > last).then_some(newest)
    }

    /// The failed slot of a tier, and when it may be tried again.
    fn retry(&self, tier: Tier) -> Option<(Timestamp, Timestamp)> {
        let state = self
            .owed
            .state(tier)
            .filter(|_| self.owed.has_failed(tier))?;
        let slot = state.last_slot;
        if slot > self.look.now || is_too_old(self.life, self.look, slot) {
            return None;
        }
        let mut pause = PAUSES[0];
        for failures in 2..=state.failures.min(10) {
            pause = if failures == 2 { PAUSES[1] } else { pause * 2 };
        }
        Some((
            slot,
            state.failed_at?.min(self.look.now) + pause.min(LONGEST),
        ))
    }

    /// When a backup for `slot` starts that cannot start before `earliest`.
    fn start(&self, slot: Timestamp, earliest: Timestamp) -> Timestamp {
        let jitter = self.life.case.rules.policy.timing.jitter();
        let late = jitter.map_or(0, |minutes| {
            let hash = Sha256::digest(self.life.database.as_str().as_bytes());
            let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
            i64::from(number % (60 * minutes.get()))
        });
        let darkness = &self.life.calendar.darkness;
        let shifted = darkness.light(slot + SignedDuration::from_secs(late));
        darkness.light(shifted.max(earliest))
    }

    /// Whether the newest job of a tier has begun and is not over.
    fn is_busy(&self, tier: Tier) -> bool {
        let job = self.owed.state(tier).and_then(|state| state.job.as_ref());
        job.is_some_and(|job| self.look.active.contains(&job.id))
    }

    /// Whether a tier gets a backup now, or has one that has begun or will as soon as it may.
    fn is_being_served(&self, tier: Tier) -> bool {
        let waits = self.owed.state(tier).is_some_and(|state| {
            let job = state
                .job
                .as_ref()
                .filter(|_| state.outcome == SlotOutcome::Booked);
            job.is_some_and(|job| job.slot <= self.look.now)
        });
        waits || self.is_busy(tier) || self.served_now.contains(&tier)
    }

    /// Whether the newest news of the database is a failure, and `start` comes too soon after it or
    /// after the last job. News from the future was noted by a clock that was ahead.
    fn is_left_in_peace(&self, start: Timestamp) -> bool {
        let newest = |news: fn(&TierState) -> Option<Timestamp>| {
            let known = self.look.before.iter().filter_map(news);
            known.filter(|at| *at <= self.look.now).max()
        };
        let failed = newest(|state| state.failed_at);
        let failures = self.look.before.iter().map(|state| state.failures).max();
        let Some(failed) =
            failed.filter(|failed| newest(|state| state.satisfied_at) < Some(*failed))
        else {
            return false;
        };
        let Some(failures) = failures.filter(|failures| *failures > 0) else {
            return false;
        };
        let open = self
            .owed
            .states()
            .iter()
            .filter(|state| state.outcome == SlotOutcome::Booked);
        let slots = open.filter_map(|state| state.job.as_ref().map(|job| job.slot));
        let slots = slots.filter(|slot| *slot <= self.look.horizon);
        let last = slots
            .chain(self.jobs.keys().copied())
            .fold(failed, Timestamp::max);
        let pause = PAUSES[usize::from(failures > 1)];
        start < last + pause
    }
}
