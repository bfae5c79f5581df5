//! The retention planner against a naive model, over random histories.
//!
//! A history is some backups of one database that live through some days: new ones come, data
//! rots, pins are set, the policy changes. After each day the plan is compared with the model and
//! carried out. Every case follows from its seed alone.

mod history;
mod model;

use dilux_core::model::BackupId;
use dilux_core::retention::{Candidate, KeepReason, Plan, Rules, Soundness, Standing, Verdict};
use jiff::Timestamp;

use crate::seed::Seed;
use history::History;

/// What is tested: `dilux_core::retention::plan`, or a faulty stand-in that proves that the oracle
/// can fail.
pub type Planner = fn(&[Candidate], &Rules, Timestamp) -> Plan;

/// What the cases had in them, to show that they were not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Histories.
    pub cases: u64,
    /// Plans made and compared.
    pub plans: u64,
    /// Verdicts compared.
    pub verdicts: u64,
    /// Backups that expired.
    pub expired: u64,
    /// Backups that were protected: pinned, held, unsound, or the newest good one.
    pub protected: u64,
}

/// A case in which planner and model disagree, or a law is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}: {what}")]
pub struct Disagreement {
    /// The seed that shows it again.
    pub seed: u64,
    /// What is wrong, with the input.
    pub what: String,
}

/// Runs the case of one seed.
pub fn run_case(planner: Planner, seed: u64, tally: &mut Tally) -> Result<(), Disagreement> {
    let mut random = Seed::new(seed);
    let mut history = History::new(&mut random);
    tally.cases += 1;
    for _ in 0..=random.below(3) {
        check_day(planner, &mut history, &mut random, tally)
            .map_err(|what| Disagreement { seed, what })?;
        history.live_on(&mut random);
    }
    Ok(())
}

fn check_day(
    planner: Planner,
    history: &mut History,
    random: &mut Seed,
    tally: &mut Tally,
) -> Result<(), String> {
    let (rules, now) = (history.rules.clone(), history.now);
    let before = history.backups.clone();
    let plan = planner(&before, &rules, now);
    let describe = |what: String| format!("{what}\nnow {now}\n{rules:#?}\n{before:#?}\n{plan:#?}");
    compare(&plan, &before, &rules, now).map_err(describe)?;
    obey_laws(&plan, &before, &rules).map_err(describe)?;
    let mut shuffled = before.clone();
    random.shuffle(&mut shuffled);
    if planner(&shuffled, &rules, now) != plan {
        return Err(describe("another order gives another plan".to_owned()));
    }
    let gone: Vec<BackupId> = plan.expired().map(|(one, _)| one.id.clone()).collect();
    history.backups.retain(|backup| !gone.contains(&backup.id));
    let again = planner(&history.backups, &rules, now);
    if again.expired().next().is_some() {
        return Err(describe(format!("planning again expires more: {again:#?}")));
    }
    tally.plans += 1;
    tally.verdicts += before.len() as u64;
    tally.expired += gone.len() as u64;
    tally.protected += before
        .iter()
        .filter(|one| is_protected(one, &before))
        .count() as u64;
    Ok(())
}

/// Verdict by verdict.
fn compare(plan: &Plan, before: &[Candidate], rules: &Rules, now: Timestamp) -> Result<(), String> {
    if plan.decisions.len() != before.len() {
        return Err("not one verdict for each backup".to_owned());
    }
    for backup in before {
        let mut verdicts = plan.decisions.iter().filter(|one| one.id == backup.id);
        let (Some(decision), None) = (verdicts.next(), verdicts.next()) else {
            return Err(format!("not one verdict on '{}'", backup.id));
        };
        let is_kept = matches!(decision.verdict, Verdict::Keep(_));
        let survives = model::survives(before, rules, now, backup);
        if is_kept != survives {
            return Err(format!(
                "'{}' should {}",
                backup.id,
                if survives { "stay" } else { "go" }
            ));
        }
    }
    Ok(())
}

/// What must hold whatever the model says.
fn obey_laws(plan: &Plan, before: &[Candidate], rules: &Rules) -> Result<(), String> {
    for (decision, _) in plan.expired() {
        let protected = before
            .iter()
            .any(|one| one.id == decision.id && is_protected(one, before));
        if protected {
            return Err(format!("'{}' is protected and may not go", decision.id));
        }
    }
    let sound = before.iter().filter(|one| one.is_sound()).count();
    let lost = plan.expired().count();
    let minimum = usize::try_from(rules.minimum).unwrap_or(usize::MAX);
    if sound - lost < sound.min(minimum.max(1)) {
        return Err(format!("{} of {sound} sound backups remain", sound - lost));
    }
    for decision in &plan.decisions {
        if let Verdict::Keep(reasons) = &decision.verdict {
            check_reasons(reasons, rules)?;
        }
    }
    Ok(())
}

fn check_reasons(reasons: &[KeepReason], rules: &Rules) -> Result<(), String> {
    if reasons.is_empty() {
        return Err("a backup is kept without a reason".to_owned());
    }
    let Standing::Registered(tiers) = &rules.standing else {
        return Ok(());
    };
    for reason in reasons {
        if let KeepReason::Tier { tier, place, keep } = reason {
            let is_true = tiers
                .iter()
                .any(|rule| rule.tier == *tier && rule.keep.get() == *keep && place <= keep);
            if !is_true {
                return Err(format!("the reason '{reason}' is not so"));
            }
        }
    }
    Ok(())
}

/// Pinned, held, unsound, or the newest verified backup; while none is verified, the newest sound.
fn is_protected(backup: &Candidate, all: &[Candidate]) -> bool {
    let has_verified = all.iter().any(|one| one.soundness == Soundness::Verified);
    let is_good = |one: &Candidate| match one.soundness {
        Soundness::Verified => true,
        Soundness::Unverified => !has_verified,
        Soundness::Unsound => false,
    };
    let is_newest_good = is_good(backup)
        && !all
            .iter()
            .any(|one| is_good(one) && model::is_newer(one, backup));
    backup.is_pinned || backup.is_held || !backup.is_sound() || is_newest_good
}
