//! The planner. Same input in any order, same plan; planning again what a plan keeps expires
//! nothing more.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::{Candidate, ExpireReason, KeepReason, Rules, Soundness, Standing, TierKeep};
use crate::model::{BackupId, Tier};

/// What is to become of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stays, for each of these reasons; never without one.
    Keep(Vec<KeepReason>),
    /// It may go.
    Expire(ExpireReason),
}

/// The verdict on one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which backup.
    pub id: BackupId,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What is to become of it.
    pub verdict: Verdict,
}

/// A verdict on every backup of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Newest first.
    pub decisions: Vec<Decision>,
}

impl Plan {
    /// The backups that may go, newest first.
    pub fn expired(&self) -> impl Iterator<Item = (&Decision, &ExpireReason)> {
        self.decisions
            .iter()
            .filter_map(|decision| match &decision.verdict {
                Verdict::Keep(_) => None,
                Verdict::Expire(reason) => Some((decision, reason)),
            })
    }
}

/// A candidate with what keeps it so far.
struct Judged<'a> {
    candidate: &'a Candidate,
    keeps: Vec<KeepReason>,
    /// The slot for which a newer one takes the place in a tier.
    doubled: Option<Timestamp>,
}

impl Judged<'_> {
    fn keep(&mut self, reason: KeepReason) {
        self.keeps.push(reason);
    }
}

/// Decides at `now` which of `candidates`, all of one database, are kept.
pub fn plan(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    let mut newest_first: Vec<Judged<'_>> = candidates
        .iter()
        .map(|candidate| Judged {
            candidate,
            keeps: Vec::new(),
            doubled: None,
        })
        .collect();
    newest_first.sort_by_key(|judged| Reverse((judged.candidate.taken_at, &judged.candidate.id)));
    keep_protected(&mut newest_first);
    match &rules.standing {
        Standing::Registered(tiers) => {
            keep_tiers(&mut newest_first, tiers);
            keep_young_outside(&mut newest_first, tiers, rules, now);
        }
        Standing::Unregistered { grace_until } => {
            keep_for_grace(&mut newest_first, *grace_until, now);
        }
    }
    keep_newest(&mut newest_first);
    keep_minimum(&mut newest_first, rules.minimum);
    let decisions = newest_first
        .into_iter()
        .map(|judged| decide(judged, rules))
        .collect();
    Plan { decisions }
}

fn keep_protected(newest_first: &mut [Judged<'_>]) {
    for judged in newest_first {
        if judged.candidate.is_pinned {
            judged.keep(KeepReason::Pinned);
        }
        if judged.candidate.is_held {
            judged.keep(KeepReason::Held);
        }
        if !judged.candidate.is_sound() {
            judged.keep(KeepReason::Unsound);
        }
    }
}

fn keep_tiers(newest_first: &mut [Judged<'_>], tiers: &[TierKeep]) {
    for TierKeep { tier, keep } in tiers {
        let of_tier = newest_first.iter_mut().filter(|judged| {
            judged.candidate.is_counted() && judged.candidate.tiers.contains(tier)
        });
        let mut slots: Vec<Timestamp> = Vec::new();
        let mut places = (1..=keep.get()).peekable();
        for judged in of_tier {
            if places.peek().is_none() {
                break;
            }
            if let Some(slot) = judged.candidate.slot {
                if slots.contains(&slot) {
                    judged.doubled = Some(slot);
                    continue;
                }
                slots.push(slot);
            }
            if let Some(place) = places.next() {
                judged.keep(KeepReason::Tier {
                    tier: *tier,
                    place,
                    keep: keep.get(),
                });
            }
        }
    }
}

fn keep_young_outside(
    newest_first: &mut [Judged<'_>],
    tiers: &[TierKeep],
    rules: &Rules,
    now: Timestamp,
) {
    for judged in newest_first {
        let candidate = judged.candidate;
        let until = rules.outside_until(candidate.taken_at);
        if candidate.is_counted() && enabled(candidate, tiers).next().is_none() && now < until {
            let is_manual = candidate.tiers.is_empty();
            judged.keep(KeepReason::Outside { is_manual, until });
        }
    }
}

fn keep_for_grace(newest_first: &mut [Judged<'_>], grace_until: Timestamp, now: Timestamp) {
    if now >= grace_until {
        return;
    }
    for judged in newest_first {
        if judged.candidate.is_counted() {
            judged.keep(KeepReason::Unregistered { until: grace_until });
        }
    }
}

fn keep_newest(newest_first: &mut [Judged<'_>]) {
    let verified = newest_first
        .iter()
        .position(|judged| judged.candidate.soundness == Soundness::Verified);
    let sound = || {
        newest_first
            .iter()
            .position(|judged| judged.candidate.is_sound())
    };
    let (newest, reason) = match verified {
        Some(place) => (Some(place), KeepReason::NewestVerified),
        None => (sound(), KeepReason::NewestCommitted),
    };
    if let Some(judged) = newest.and_then(|place| newest_first.get_mut(place)) {
        judged.keep(reason);
    }
}

fn keep_minimum(newest_first: &mut [Judged<'_>], minimum: u32) {
    let is_sound = |judged: &&mut Judged<'_>| judged.candidate.is_sound();
    let (kept, free): (Vec<_>, Vec<_>) = newest_first
        .iter_mut()
        .filter(is_sound)
        .partition(|judged| !judged.keeps.is_empty());
    let wanted = usize::try_from(minimum).unwrap_or(usize::MAX);
    for judged in free.into_iter().take(wanted.saturating_sub(kept.len())) {
        judged.keep(KeepReason::Minimum { minimum });
    }
}

fn decide(judged: Judged<'_>, rules: &Rules) -> Decision {
    let candidate = judged.candidate;
    let verdict = if judged.keeps.is_empty() {
        let doubled = judged.doubled.map(|slot| ExpireReason::SameSlot { slot });
        Verdict::Expire(doubled.unwrap_or_else(|| why_not(candidate, rules)))
    } else {
        Verdict::Keep(judged.keeps)
    };
    Decision {
        id: candidate.id.clone(),
        taken_at: candidate.taken_at,
        verdict,
    }
}

fn why_not(candidate: &Candidate, rules: &Rules) -> ExpireReason {
    let tiers = match &rules.standing {
        Standing::Unregistered { grace_until } => {
            return ExpireReason::Unregistered {
                since: *grace_until,
            };
        }
        Standing::Registered(tiers) => enabled(candidate, tiers),
    };
    let tiers: Vec<(Tier, u32)> = tiers.collect();
    if tiers.is_empty() {
        ExpireReason::Outside {
            is_manual: candidate.tiers.is_empty(),
            days: rules.outside_days,
        }
    } else {
        ExpireReason::Outranked { tiers }
    }
}

/// The enabled tiers that a backup serves, with their places.
fn enabled<'a>(
    candidate: &'a Candidate,
    tiers: &'a [TierKeep],
) -> impl Iterator<Item = (Tier, u32)> + 'a {
    tiers
        .iter()
        .filter(|rule| candidate.tiers.contains(&rule.tier))
        .map(|rule| (rule.tier, rule.keep.get()))
}

#[cfg(test)]
mod tests;
