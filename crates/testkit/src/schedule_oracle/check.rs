//! The rules that hold after every tick.

use dilux_core::model::Tier;
use dilux_core::schedule::{SlotOutcome, Slots, TierState};
use jiff::{SignedDuration, Timestamp};

use super::Tally;
use super::case::Case;
use super::life::{Life, Look};
use super::naive::{Shown, Wish, instant, minute};

/// Attempts on a dead database within a day.
const BUDGET: u32 = 30;

/// Nothing is tried again sooner after a failed job.
const SHORTEST_PAUSE: SignedDuration = SignedDuration::from_mins(45);

/// A failing database is left in peace for at most so long.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(70);

/// The slots of a case's only tier against the naive clock, forwards and backwards.
pub(super) fn slots(case: &Case) -> Result<(), String> {
    let from = minute(case.start);
    let until = from + 72 * 60;
    let wishes: Vec<Wish> = case
        .rules
        .wishes
        .iter()
        .map(|(_, wish)| wish.clone())
        .collect();
    let policy = &case.rules.policy;
    let shown = Shown::walk(
        &case.zone,
        policy.timing.blackouts(),
        &wishes,
        (from, until),
    );
    for (rule, expected) in policy.rules.iter().zip(&shown.slots) {
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
    let tiers: Vec<Tier> = life
        .case
        .rules
        .wishes
        .iter()
        .map(|(tier, _)| *tier)
        .collect();
    if look.before.is_empty() {
        first_backup(life, look)?;
    }
    for tier in tiers {
        match look.before.iter().find(|state| state.tier == tier) {
            None => newly_enabled(life, look, tier)?,
            Some(before)
                if before.last_slot.duration_since(look.horizon)
                    > SignedDuration::from_hours(1) =>
            {
                clock_went_back(life, look, before)?;
            }
            Some(before) => {
                accounted(life, look, before)?;
                not_late(life, look, before)?;
            }
        }
    }
    jobs(life, look, tally)?;
    tally.missed += look
        .plan
        .missed
        .iter()
        .map(|missed| missed.count)
        .sum::<u64>();
    Ok(())
}

/// A new database gets one backup for all its tiers.
fn first_backup(life: &Life, look: &Look<'_>) -> Result<(), String> {
    let due: Vec<Tier> = life
        .case
        .rules
        .wishes
        .iter()
        .map(|(tier, _)| *tier)
        .filter(|tier| life.newest(*tier, look.now).is_some())
        .collect();
    let now: Vec<_> = look
        .plan
        .jobs
        .iter()
        .filter(|job| job.slot <= look.now)
        .collect();
    let served: Vec<Tier> = now
        .iter()
        .flat_map(|job| job.tiers.iter().map(|(tier, _)| *tier))
        .collect();
    if now.len() > 1 || served != due {
        return Err(format!(
            "a new database owes one backup for {due:?}, got {now:?}"
        ));
    }
    Ok(())
}

/// A tier without a state is served by its newest slot, unless the database is left in peace or
/// another of its backups is under way.
fn newly_enabled(life: &Life, look: &Look<'_>, tier: Tier) -> Result<(), String> {
    let Some(newest) = life.newest(tier, look.now) else {
        return Ok(());
    };
    let booked = booked(look, tier);
    if booked.first() != Some(&newest) && !is_left_in_peace(life, look) {
        return Err(format!(
            "{tier} is new and gets {booked:?} instead of {newest}"
        ));
    }
    Ok(())
}

/// A state from the future is taken back to the present, and nothing is booked for it.
fn clock_went_back(life: &Life, look: &Look<'_>, before: &TierState) -> Result<(), String> {
    let tier = before.tier;
    let Some(newest) = life.newest(tier, look.now) else {
        return Ok(());
    };
    let after = state(life, tier)?;
    let ahead = life.newest(tier, look.horizon);
    if after.last_slot < newest || Some(after.last_slot) > ahead || after.era != before.era + 1 {
        return Err(format!(
            "{tier} stays at {} although it is {}",
            after.last_slot, look.now
        ));
    }
    if booked(look, tier).iter().any(|slot| *slot <= look.now) {
        return Err(format!("{tier} is booked again after the clock went back"));
    }
    Ok(())
}

/// Every slot between the last decided one before and after the tick is booked or given up, once.
fn accounted(life: &Life, look: &Look<'_>, before: &TierState) -> Result<(), String> {
    let tier = before.tier;
    let after = state(life, tier)?;
    let (from, until) = (before.last_slot, after.last_slot);
    if until < from {
        return Err(format!("{tier} went back from {from} to {until}"));
    }
    let slots = life.slots(tier).iter().map(|slot| instant(*slot));
    let due: Vec<Timestamp> = slots
        .filter(|slot| *slot > from && *slot <= until)
        .collect();
    let booked = booked(look, tier);
    let missed: Vec<_> = look
        .plan
        .missed
        .iter()
        .filter(|missed| missed.tier == tier)
        .collect();
    for slot in &due {
        let times = booked.iter().filter(|known| *known == slot).count()
            + missed
                .iter()
                .filter(|range| range.first <= *slot && *slot <= range.last)
                .count();
        if times != 1 {
            return Err(format!("{tier} slot {slot} is accounted for {times} times"));
        }
    }
    for slot in booked.iter().filter(|slot| !due.contains(slot)) {
        let failed = before
            .failed_at
            .filter(|_| before.outcome == SlotOutcome::Failed);
        let is_retry = *slot == from && failed.is_some();
        if !is_retry {
            return Err(format!("{tier} slot {slot} is booked and was not owed"));
        }
    }
    for range in missed {
        let within = due
            .iter()
            .filter(|slot| range.first <= **slot && **slot <= range.last)
            .count();
        if within as u64 != range.count || !due.contains(&range.first) || !due.contains(&range.last)
        {
            return Err(format!("{tier}: {range:?} does not fit the slots {due:?}"));
        }
        if range.reason.is_empty() {
            return Err(format!("{tier}: {range:?} has no reason"));
        }
        covered_rightly(life, before, range.last, &range.reason)?;
    }
    Ok(())
}

/// "Served the same period" is only said of a slot before an edit, with a decided slot after the
/// slot before it.
fn covered_rightly(
    life: &Life,
    before: &TierState,
    slot: Timestamp,
    reason: &str,
) -> Result<(), String> {
    if !reason.contains("the schedule was changed") {
        return Ok(());
    }
    let previous = life.newest(before.tier, slot - SignedDuration::from_mins(1));
    let open = before
        .job
        .as_ref()
        .filter(|_| before.outcome == SlotOutcome::Booked);
    let served = before.satisfied_slot.max(open.map(|job| job.slot));
    if slot > life.edited_at || previous.is_none() || served <= previous {
        return Err(format!(
            "{} slot {slot} was given up as covered, and is not",
            before.tier
        ));
    }
    Ok(())
}

/// A slot that is not decided after its tick has a reason to wait.
fn not_late(life: &Life, look: &Look<'_>, before: &TierState) -> Result<(), String> {
    let tier = before.tier;
    let after = state(life, tier)?;
    let is_busy = is_active(look, before);
    let waits_for_jitter = life.case.rules.policy.timing.jitter().is_some() && is_busy;
    if let Some(newest) = life.newest(tier, look.now)
        && after.last_slot < newest
        && !is_left_in_peace(life, look)
        && !waits_for_jitter
    {
        return Err(format!("{tier} slot {newest} is silently left out"));
    }
    let is_open = before.outcome == SlotOutcome::Booked;
    let waits = is_open && before.job.as_ref().is_some_and(|job| job.slot <= look.now);
    let starts_now = look
        .plan
        .jobs
        .iter()
        .any(|job| job.slot <= look.now && job.tiers.iter().any(|(known, _)| *known == tier));
    if let Some(ahead) = life.newest(tier, look.horizon)
        && after.last_slot < ahead
        && !is_left_in_peace(life, look)
        && !is_busy
        && !waits
        && !starts_now
    {
        return Err(format!("{tier} slot {ahead} is not booked ahead"));
    }
    Ok(())
}

/// Whether the database's newest news is a failure, not long ago. News from the
/// future was noted by a clock that was ahead, and says nothing.
fn is_left_in_peace(life: &Life, look: &Look<'_>) -> bool {
    let past = |news: fn(&TierState) -> Option<Timestamp>| {
        let known = look.before.iter().filter_map(news);
        known.filter(|at| *at <= look.now).max()
    };
    let failed = past(|state| state.failed_at);
    let succeeded = past(|state| state.satisfied_at);
    let Some(failed) = failed.filter(|failed| succeeded.is_none_or(|ok| ok < *failed)) else {
        return false;
    };
    let booked = life
        .open
        .iter()
        .flat_map(|job| job.tiers.iter().map(|(_, slot)| *slot));
    let planned = look.plan.jobs.iter().map(|job| job.slot);
    let last = booked
        .chain(planned)
        .chain([failed])
        .max()
        .unwrap_or(failed);
    look.now < last + LONGEST_PAUSE
}

fn is_active(look: &Look<'_>, state: &TierState) -> bool {
    let job = state.job.as_ref();
    job.is_some_and(|job| look.active.contains(&job.id))
}

/// What holds of each job.
fn jobs(life: &mut Life, look: &Look<'_>, tally: &mut Tally) -> Result<(), String> {
    for job in &look.plan.jobs {
        for (tier, _) in &job.tiers {
            if !life.ids.insert((job.id.clone(), *tier)) {
                return Err(format!("the job {} is booked twice for {tier}", job.id));
            }
        }
        if job.not_before < look.now.min(job.slot) || job.not_before < job.slot {
            return Err(format!("{job:?} starts too early"));
        }
        if life.shown.is_dark(minute(job.not_before)) == Some(true) {
            return Err(format!("{job:?} starts in a blackout"));
        }
        let is_busy = |tier: Tier| {
            let before = look.before.iter().find(|state| state.tier == tier);
            before.is_some_and(|before| is_active(look, before))
        };
        if job.tiers.iter().all(|(tier, _)| is_busy(*tier)) {
            return Err(format!("{job:?} is booked while the last one is under way"));
        }
        for (tier, slot) in &job.tiers {
            let before = look.before.iter().find(|state| state.tier == *tier);
            let era = state(life, *tier)?.era;
            if !life.served.insert((*tier, *slot, era)) {
                return Err(format!("{tier} slot {slot} is booked twice"));
            }
            let failed = before
                .filter(|before| before.last_slot == *slot)
                .and_then(|b| b.failed_at);
            if let Some(failed) = failed {
                tally.retried += 1;
                if job.not_before < failed + SHORTEST_PAUSE && life.last_success < Some(failed) {
                    return Err(format!(
                        "{job:?} comes too soon after the failure at {failed}"
                    ));
                }
            }
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
