//! The rules that hold after every tick: what was decided is what the naive account says, each slot
//! is accounted for once, and nothing is served twice.

mod decision;
mod owed;

use dilux_core::model::Tier;
use dilux_core::schedule::{MissedSlots, Slots, TierState};
use jiff::{SignedDuration, Timestamp};

use super::Tally;
use super::case::Case;
use super::life::{Life, Look};
use super::naive::{self, instant, minute};
use owed::Owed;

/// Attempts on a dead database within a day.
const BUDGET: u32 = 30;

/// The slots of a case's only tier against the naive clock, forwards and backwards.
pub(super) fn slots(case: &Case) -> Result<(), String> {
    let from = minute(case.start);
    let until = from + 72 * 60;
    let wishes = case.rules.wishes.iter().map(|(_, wish)| wish);
    let policy = &case.rules.policy;
    for (rule, wish) in policy.rules.iter().zip(wishes) {
        let expected = naive::slots(&policy.timing, wish, (from, until));
        let slots = Slots::new(&rule.schedule, &policy.timing);
        let expected: Vec<Timestamp> = expected.iter().map(|slot| instant(*slot)).collect();
        let found: Vec<Timestamp> = slots.between(instant(from - 1), instant(until)).collect();
        if found != expected {
            return Err(format!("{rule:?}: found {found:?}, expected {expected:?}"));
        }
        let mut newest = None;
        let mut rest = expected.iter().peekable();
        for at in (from..=until).step_by(5) {
            while let Some(slot) = rest.next_if(|slot| **slot <= instant(at)) {
                newest = Some(*slot);
            }
            if let Some(newest) = newest
                && slots.latest(instant(at)) != Some(newest)
            {
                return Err(format!(
                    "{rule:?}: latest at {} is {:?}, expected {newest}",
                    instant(at),
                    slots.latest(instant(at))
                ));
            }
        }
    }
    Ok(())
}

/// Everything that holds after a tick. Notes what was booked.
pub(super) fn tick(life: &mut Life, look: &Look<'_>, tally: &mut Tally) -> Result<(), String> {
    let owed = Owed::of(life, look);
    decision::check(life, look, &owed)?;
    for tier in Tier::ALL {
        match owed.state(tier) {
            Some(state) if life.calendar.is_enabled(tier) => accounted(life, look, &owed, state)?,
            Some(_) => disabled(look, &owed, tier)?,
            None => newly_enabled(look, tier)?,
        }
    }
    jobs(life, look, tally)?;
    let counts = look.plan.missed.iter().map(|missed| missed.count);
    tally.missed += counts.sum::<u64>();
    Ok(())
}

/// Every slot between the last decided one before and after the tick is booked or given up, once.
fn accounted(life: &Life, look: &Look<'_>, owed: &Owed, before: &TierState) -> Result<(), String> {
    let tier = before.tier;
    let after = state(life, tier)?;
    let (from, until) = (before.last_slot, after.last_slot);
    if until < from {
        return Err(format!("{tier} went back from {from} to {until}"));
    }
    if after.era != before.era {
        let (is, was) = (after.era, before.era);
        return Err(format!("{tier} is in era {is} instead of {was}"));
    }
    let due = life.calendar.slots(tier, from, until);
    let booked = booked(look, tier);
    let missed = missed(look, owed, tier)?;
    for slot in &due {
        let times = booked.iter().filter(|known| *known == slot).count()
            + missed.iter().filter(|range| covers(range, *slot)).count();
        if times != 1 {
            return Err(format!("{tier} slot {slot} is accounted for {times} times"));
        }
    }
    for slot in booked.iter().filter(|slot| !due.contains(slot)) {
        if !(*slot == from && owed.has_failed(tier)) {
            return Err(format!("{tier} slot {slot} is booked and was not owed"));
        }
    }
    for range in missed {
        let within = due.iter().filter(|slot| covers(range, **slot)).count();
        let ends = [range.first, range.last];
        if within as u64 != range.count || ends.iter().any(|end| !due.contains(end)) {
            return Err(format!("{tier}: {range:?} does not fit the slots {due:?}"));
        }
        if range.last > look.now {
            return Err(format!("{tier}: {range:?} is given up before its time"));
        }
    }
    Ok(())
}

/// A disabled tier gets nothing; what it owed before it was disabled is recorded.
fn disabled(look: &Look<'_>, owed: &Owed, tier: Tier) -> Result<(), String> {
    let (booked, missed) = (booked(look, tier), missed(look, owed, tier)?);
    if booked.is_empty() && missed.is_empty() {
        return Ok(());
    }
    Err(format!("{tier} is disabled, but {booked:?} and {missed:?}"))
}

/// A tier without a state owes nothing from before.
fn newly_enabled(look: &Look<'_>, tier: Tier) -> Result<(), String> {
    let mut missed = look.plan.missed.iter();
    match missed.find(|range| range.tier == tier) {
        Some(range) => Err(format!("{tier} is new, but {range:?}")),
        None => Ok(()),
    }
}

/// The slots of a tier that were given up, but for the one that an old schedule left behind.
fn missed<'a>(look: &Look<'a>, owed: &Owed, tier: Tier) -> Result<Vec<&'a MissedSlots>, String> {
    let all = look.plan.missed.iter().filter(|range| range.tier == tier);
    let mut missed: Vec<&MissedSlots> = all.collect();
    if let Some(range) = missed.iter().find(|range| range.reason.is_empty()) {
        return Err(format!("{tier}: {range:?} has no reason"));
    }
    if let Some(left) = owed.left_behind(tier) {
        let is_left =
            |range: &&MissedSlots| (range.first, range.last, range.count) == (left, left, 1);
        let Some(index) = missed.iter().position(is_left) else {
            return Err(format!(
                "{tier} slot {left} of the old schedule is silently left out"
            ));
        };
        missed.remove(index);
    }
    Ok(missed)
}

fn covers(range: &MissedSlots, slot: Timestamp) -> bool {
    range.first <= slot && slot <= range.last
}

/// No slot and no job is served twice, and no job starts before its slot or in a blackout.
fn jobs(life: &mut Life, look: &Look<'_>, tally: &mut Tally) -> Result<(), String> {
    for job in &look.plan.jobs {
        if job.not_before < job.slot
            || life.calendar.darkness.light(job.not_before) != job.not_before
        {
            return Err(format!("{job:?} starts before its slot or in a blackout"));
        }
        for (tier, slot) in &job.tiers {
            if !life.ids.insert((job.id.clone(), *tier)) {
                return Err(format!("the job {} is booked twice for {tier}", job.id));
            }
            let era = state(life, *tier)?.era;
            if !life.served.insert((*tier, *slot, era)) {
                return Err(format!("{tier} slot {slot} is booked twice"));
            }
            let before = look.before.iter().find(|state| state.tier == *tier);
            tally.retried += u64::from(before.is_some_and(|before| before.last_slot == *slot));
            tally.booked += 1;
        }
    }
    Ok(())
}

/// A dead database sees at most thirty attempts within a day.
pub(super) fn budget(life: &Life) -> Result<(), String> {
    if life.has_jumped
        || life.case.period > SignedDuration::from_mins(15)
        || life.case.failures != 1
    {
        return Ok(());
    }
    for (end, _) in &life.attempts {
        let within = life.attempts.iter().filter(|(at, _)| {
            at <= end && end.duration_since(*at) < SignedDuration::from_hours(24)
        });
        let sum: u32 = within.map(|(_, attempts)| attempts).sum();
        if sum > BUDGET {
            return Err(format!(
                "{sum} attempts within the day before {end}: {:?}",
                life.attempts
            ));
        }
    }
    Ok(())
}

fn booked(look: &Look<'_>, tier: Tier) -> Vec<Timestamp> {
    let tiers = look.plan.jobs.iter().flat_map(|job| job.tiers.iter());
    tiers
        .filter(|(known, _)| *known == tier)
        .map(|(_, slot)| *slot)
        .collect()
}

fn state(life: &Life, tier: Tier) -> Result<&TierState, String> {
    let found = life.states.iter().find(|state| state.tier == tier);
    found.ok_or_else(|| format!("{tier} has no state"))
}
