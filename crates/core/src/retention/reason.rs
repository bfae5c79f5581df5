//! Why a backup is kept, or may go. A value for programs, a sentence for people.

use std::fmt;

use jiff::Timestamp;

use crate::model::{Tier, Tombstone};

/// Why a backup is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    /// Somebody pinned it.
    Pinned,
    /// It is held.
    Held,
    /// Its data is gone, truncated or failed verification: kept for people to look at, and counted
    /// nowhere.
    Unsound,
    /// It is among the newest of a tier.
    Tier {
        /// Tier.
        tier: Tier,
        /// Its place, from 1.
        place: u32,
        /// Places.
        keep: u32,
    },
    /// It is in no enabled tier, and young.
    Outside {
        /// Whether it was asked for by hand; else its tiers were disabled.
        is_manual: bool,
        /// Until when.
        until: Timestamp,
    },
    /// Its database is registered no more, since a short while.
    Unregistered {
        /// Until when.
        until: Timestamp,
    },
    /// It is the newest verified backup of its database.
    NewestVerified,
    /// It is the newest backup of its database, of which none is verified.
    NewestCommitted,
    /// Without it fewer sound backups would remain than must.
    Minimum {
        /// How many must.
        minimum: u32,
    },
}

impl KeepReason {
    /// The name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Held => "held",
            Self::Unsound => "unsound",
            Self::Tier { .. } => "tier",
            Self::Outside {
                is_manual: true, ..
            } => "manual",
            Self::Outside {
                is_manual: false, ..
            } => "tier_disabled",
            Self::Unregistered { .. } => "database_unregistered",
            Self::NewestVerified => "newest_verified",
            Self::NewestCommitted => "newest_committed",
            Self::Minimum { .. } => "minimum_redundancy",
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned => formatter.write_str("it is pinned"),
            Self::Held => formatter.write_str("it is held"),
            Self::Unsound => formatter.write_str(
                "its data is missing, truncated or failed verification; it counts as no backup, \
                 and stays for people to look at",
            ),
            Self::Tier { tier, place, keep } => {
                write!(
                    formatter,
                    "it is number {place} of {keep} kept {tier} backups"
                )
            }
            Self::Outside {
                is_manual: true,
                until,
            } => write!(formatter, "it was made by hand and is kept until {until}"),
            Self::Outside {
                is_manual: false,
                until,
            } => write!(
                formatter,
                "its tiers are disabled in the policy, and it is kept until {until}"
            ),
            Self::Unregistered { until } => write!(
                formatter,
                "its database is registered no more, and its backups stay until {until}"
            ),
            Self::NewestVerified => {
                formatter.write_str("it is the newest verified backup of its database")
            }
            Self::NewestCommitted => formatter
                .write_str("it is the newest backup of its database, of which none is verified"),
            Self::Minimum { minimum } => write!(
                formatter,
                "at least {minimum} sound backups of a database remain"
            ),
        }
    }
}

/// Why a backup may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpireReason {
    /// Each of its enabled tiers is full of newer ones.
    Outranked {
        /// Those tiers with their places.
        tiers: Vec<(Tier, u32)>,
    },
    /// A newer backup of the same slot is kept: the late end of an attempt that had been given up.
    SameSlot {
        /// The slot.
        slot: Timestamp,
    },
    /// It is in no enabled tier, and old.
    Outside {
        /// Whether it was asked for by hand; else its tiers were disabled.
        is_manual: bool,
        /// For how many days it was kept.
        days: u32,
    },
    /// Its database is registered no more, since long.
    Unregistered {
        /// When the grace ended.
        since: Timestamp,
    },
    /// A person asked for it.
    Requested {
        /// Who, a sentence.
        sentence: String,
    },
}

impl ExpireReason {
    /// The name on the wire and in rows.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Outranked { .. } => "tier_full",
            Self::SameSlot { .. } => "same_slot",
            Self::Outside {
                is_manual: true, ..
            } => "manual_too_old",
            Self::Outside {
                is_manual: false, ..
            } => "tier_disabled",
            Self::Unregistered { .. } => "database_unregistered",
            Self::Requested { .. } => Tombstone::REQUESTED,
        }
    }
}

impl fmt::Display for ExpireReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outranked { tiers } => {
                let tiers: Vec<String> = tiers
                    .iter()
                    .map(|(tier, keep)| format!("{keep} newer {tier}"))
                    .collect();
                write!(formatter, "{} backups are kept", tiers.join(" and "))
            }
            Self::SameSlot { slot } => {
                write!(
                    formatter,
                    "a newer backup of the same slot ({slot}) is kept"
                )
            }
            Self::Outside {
                is_manual: true,
                days,
            } => write!(
                formatter,
                "it was made by hand more than {days} days ago and is not pinned"
            ),
            Self::Outside {
                is_manual: false,
                days,
            } => write!(
                formatter,
                "its tiers are disabled in the policy, and it is older than {days} days"
            ),
            Self::Unregistered { since } => write!(
                formatter,
                "its database is registered no more, and the time to think it over ended {since}"
            ),
            Self::Requested { sentence } => formatter.write_str(sentence),
        }
    }
}
