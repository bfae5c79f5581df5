//! The naive model: the rules of `docs/retention.md`, backup by backup, by counting. It sorts
//! nothing and remembers nothing, so that it has nothing in common with the planner.

use dilux_core::model::Tier;
use dilux_core::retention::{Candidate, Rules, Soundness, Standing};
use jiff::{SignedDuration, Timestamp};

/// Whether `one` is newer than `other`; the id decides between equal times.
pub(super) fn is_newer(one: &Candidate, other: &Candidate) -> bool {
    one.taken_at > other.taken_at
        || (one.taken_at == other.taken_at && one.id.as_str() > other.id.as_str())
}

/// Whether `backup` stays.
pub(super) fn survives(
    all: &[Candidate],
    rules: &Rules,
    now: Timestamp,
    backup: &Candidate,
) -> bool {
    if is_wanted(all, rules, now, backup) {
        return true;
    }
    // Not wanted for itself: it stays when the wanted ones and the newer unwanted ones are too few.
    let wanted = count(all, |x| x.is_sound() && is_wanted(all, rules, now, x));
    let ahead = count(all, |x| {
        x.is_sound() && !is_wanted(all, rules, now, x) && is_newer(x, backup)
    });
    wanted + ahead < u64::from(rules.minimum)
}

/// Whether anything but the minimum keeps `backup`.
fn is_wanted(all: &[Candidate], rules: &Rules, now: Timestamp, backup: &Candidate) -> bool {
    if backup.is_pinned || backup.is_held || backup.soundness == Soundness::Unsound {
        return true;
    }
    let newer_verified = count(all, |x| {
        x.soundness == Soundness::Verified && is_newer(x, backup)
    });
    let verified = count(all, |x| x.soundness == Soundness::Verified);
    let newer_sound = count(all, |x| x.is_sound() && is_newer(x, backup));
    let is_last_good = if verified > 0 {
        backup.soundness == Soundness::Verified && newer_verified == 0
    } else {
        newer_sound == 0
    };
    if is_last_good {
        return true;
    }
    match &rules.standing {
        Standing::Unregistered { grace_until } => now < *grace_until,
        Standing::Registered(tiers) => {
            let mut is_in_a_tier = false;
            for rule in tiers {
                if !backup.tiers.contains(&rule.tier) {
                    continue;
                }
                is_in_a_tier = true;
                let newer_in_tier = count(all, |x| {
                    takes_place(x, rule.tier)
                        && !is_doubled(all, x, rule.tier)
                        && is_newer(x, backup)
                });
                if newer_in_tier < u64::from(rule.keep.get()) && !is_doubled(all, backup, rule.tier)
                {
                    return true;
                }
            }
            let age = now.duration_since(backup.taken_at);
            !is_in_a_tier && age < SignedDuration::from_hours(24 * i64::from(rules.outside_days))
        }
    }
}

/// Whether a backup counts in a tier, unless another one of its slot does.
fn takes_place(backup: &Candidate, tier: Tier) -> bool {
    !backup.is_pinned && !backup.is_held && backup.is_sound() && backup.tiers.contains(&tier)
}

/// Whether a newer backup of the same slot counts in the tier instead.
fn is_doubled(all: &[Candidate], backup: &Candidate, tier: Tier) -> bool {
    let mut others = all.iter();
    backup.slot.is_some()
        && others.any(|x| takes_place(x, tier) && x.slot == backup.slot && is_newer(x, backup))
}

fn count(all: &[Candidate], which: impl Fn(&Candidate) -> bool) -> u64 {
    all.iter().filter(|x| which(x)).count() as u64
}
