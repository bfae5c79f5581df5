//! Random histories, small and crowded, so that ties, full tiers and edges are common.

use dilux_core::model::{KeepCount, Tier};
use dilux_core::retention::{Candidate, Rules, Soundness, Standing, TierKeep};
use jiff::{SignedDuration, Timestamp};

use crate::seed::Seed;

/// A database's backups on some day.
#[derive(Debug)]
pub(super) struct History {
    pub(super) backups: Vec<Candidate>,
    pub(super) rules: Rules,
    pub(super) now: Timestamp,
    names: Vec<u32>,
}

/// Half days: few instants, so that many backups share one and many fall on a limit.
fn half_days(count: u32) -> SignedDuration {
    SignedDuration::from_hours(12 * i64::from(count))
}

fn rules(random: &mut Seed, now: Timestamp) -> Rules {
    let standing = if random.one_in(6) {
        let grace_until = match random.below(3) {
            0 => now - half_days(random.below(60)),
            1 => now,
            _ => now + half_days(random.below(60)),
        };
        Standing::Unregistered { grace_until }
    } else {
        let mut tiers = Vec::new();
        for tier in Tier::ALL {
            let keep = if random.one_in(12) { 40 } else { 5 };
            if random.below(5) < 3
                && let Ok(keep) = KeepCount::new(i64::from(random.below(keep) + 1))
            {
                tiers.push(TierKeep { tier, keep });
            }
        }
        Standing::Registered(tiers)
    };
    let longest = if random.one_in(4) { 365 } else { 20 };
    Rules {
        standing,
        outside_days: random.below(longest) + 1,
        minimum: random.below(5),
    }
}

impl History {
    pub(super) fn new(random: &mut Seed) -> Self {
        let now = Timestamp::UNIX_EPOCH + half_days(40_000 + random.below(1000));
        let mut names: Vec<u32> = (10..100).collect();
        random.shuffle(&mut names);
        let mut history = Self {
            backups: Vec::new(),
            rules: rules(random, now),
            now,
            names,
        };
        let most = if random.one_in(8) { 40 } else { 14 };
        for _ in 0..random.below(most) {
            let taken_at = now - half_days(random.below(50));
            history.add(random, taken_at);
        }
        // A clock that was wrong once.
        if random.one_in(20) {
            history.add(random, now + half_days(3));
        }
        history
    }

    fn add(&mut self, random: &mut Seed, taken_at: Timestamp) {
        let Some(number) = self.names.pop() else {
            return;
        };
        let Ok(id) = format!("backup-{number}").parse() else {
            return;
        };
        // Some made twice for one slot, and some for none.
        let early = half_days(random.below(3));
        let slot = (!random.one_in(3)).then(|| taken_at - early);
        let tiers = Tier::ALL.into_iter().filter(|_| random.one_in(3)).collect();
        let soundness = match random.below(8) {
            0 => Soundness::Unsound,
            1 | 2 => Soundness::Verified,
            _ => Soundness::Unverified,
        };
        self.backups.push(Candidate {
            id,
            taken_at,
            tiers,
            slot,
            soundness,
            is_pinned: random.one_in(12),
            is_held: random.one_in(20),
        });
    }

    /// Some days pass: backups come, data rots, people pin and unpin, and edit the policy.
    pub(super) fn live_on(&mut self, random: &mut Seed) {
        self.now += half_days(random.below(8));
        for _ in 0..random.below(5) {
            let taken_at = self.now - half_days(random.below(4));
            self.add(random, taken_at);
        }
        for backup in &mut self.backups {
            match random.below(16) {
                0 => backup.soundness = Soundness::Unsound,
                1 => backup.soundness = Soundness::Verified,
                2 => backup.is_pinned = !backup.is_pinned,
                3 => backup.is_held = false,
                _ => {}
            }
        }
        if random.one_in(3) {
            self.rules = rules(random, self.now);
        }
    }
}
