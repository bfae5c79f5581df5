//! What retention of one database goes by.

use jiff::{SignedDuration, Timestamp};

use crate::model::{BackupPolicy, KeepCount, Tier};

/// How many backups of a tier are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierKeep {
    /// Tier.
    pub tier: Tier,
    /// How many.
    pub keep: KeepCount,
}

/// Whether the database still has a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is registered; these are the enabled tiers of its policy, at most one entry each.
    Registered(Vec<TierKeep>),
    /// It is registered no more, so no policy speaks for it.
    Unregistered {
        /// Until then nothing of it expires.
        grace_until: Timestamp,
    },
}

/// The rules for one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether it has a policy, and which tiers that enables.
    pub standing: Standing,
    /// Days that backups outside every enabled tier are kept: manual ones, and those of tiers that
    /// were disabled since.
    pub outside_days: u32,
    /// Sound backups that always remain, where there are so many.
    pub minimum: u32,
}

impl Standing {
    /// A registered database that follows `policy`.
    pub fn of(policy: &BackupPolicy) -> Self {
        let keeps = policy.rules.iter().map(|rule| TierKeep {
            tier: rule.schedule.tier(),
            keep: rule.keep,
        });
        Self::Registered(keeps.collect())
    }
}

impl Rules {
    /// Until when a backup outside every tier is kept.
    pub(super) fn outside_until(&self, taken_at: Timestamp) -> Timestamp {
        let days = SignedDuration::from_hours(24 * i64::from(self.outside_days));
        taken_at.saturating_add(days).unwrap_or(Timestamp::MAX)
    }
}
