//! Backup policies: five GFS tiers, each a schedule and a retention.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Label, PolicyId};

/// Why a policy was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPolicy(pub String);

/// GFS class of a scheduled backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Every one to twelve hours.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every year.
    Yearly,
}

impl Tier {
    /// Every tier, shortest first.
    pub const ALL: [Self; 5] = [
        Self::Hourly,
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Yearly,
    ];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

impl FromStr for Tier {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or_else(|| {
                InvalidPolicy("must be one of hourly, daily, weekly, monthly, yearly".to_owned())
            })
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Compression of a backup's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip, several members: any `gunzip` reads it.
    #[default]
    Gzip,
    /// Zstandard, several frames: any `zstd -d` reads it.
    Zstd,
    /// Stored as dumped.
    None,
}

impl Compression {
    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::None => "none",
        }
    }

    /// The file format of a compressed SQL dump: `sql.gz`.
    pub fn sql_format(self) -> &'static str {
        match self {
            Self::Gzip => "sql.gz",
            Self::Zstd => "sql.zst",
            Self::None => "sql",
        }
    }
}

impl FromStr for Compression {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        [Self::Gzip, Self::Zstd, Self::None]
            .into_iter()
            .find(|compression| compression.as_str() == text)
            .ok_or_else(|| InvalidPolicy("must be one of gzip, zstd, none".to_owned()))
    }
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $range:expr, $message:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $name {
            /// Parses the number.
            pub fn new(number: i64) -> Result<Self, InvalidPolicy> {
                u32::try_from(number)
                    .ok()
                    .filter(|number| $range.contains(number))
                    .map(Self)
                    .ok_or_else(|| InvalidPolicy($message.to_owned()))
            }

            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }
        }
    };
}

bounded!(
    /// Hours between two hourly slots, counted from midnight.
    HourlyInterval, (1..=12), "must be between 1 and 12"
);
bounded!(
    /// Day of the week: 0 = Sunday … 6 = Saturday, as documented.
    DayOfWeek, (0..=6), "must be between 0 (Sunday) and 6 (Saturday)"
);
bounded!(
    /// Day of the month. 29–31 mean the last day in shorter months.
    DayOfMonth, (1..=31), "must be between 1 and 31"
);
bounded!(
    /// Month of the year.
    Month, (1..=12), "must be between 1 and 12"
);
bounded!(
    /// How many backups of a tier are kept; at least one, or the tier would protect nothing.
    KeepCount, (1..=100_000), "must be at least 1 for an enabled tier"
);

/// Time of day to the minute, `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeOfDay {
    hour: i8,
    minute: i8,
}

impl TimeOfDay {
    /// Hour 0–23.
    pub fn hour(self) -> i8 {
        self.hour
    }

    /// Minute 0–59.
    pub fn minute(self) -> i8 {
        self.minute
    }
}

impl FromStr for TimeOfDay {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        let parse = || {
            let (hour, minute) = text.split_once(':')?;
            let is_two_digits =
                |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            if !is_two_digits(hour) || !is_two_digits(minute) {
                return None;
            }
            let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(Self { hour, minute })
        };
        parse().ok_or_else(|| InvalidPolicy("must be a time of day between 00:00 and 23:59".into()))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// When a tier owes a backup. The variant also says which tier it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierSchedule {
    /// Every so many hours, counted from midnight.
    Hourly {
        /// Hours.
        every: HourlyInterval,
    },
    /// Every day.
    Daily {
        /// Time.
        at: TimeOfDay,
    },
    /// Every week.
    Weekly {
        /// Day.
        day: DayOfWeek,
        /// Time.
        at: TimeOfDay,
    },
    /// Every month.
    Monthly {
        /// Day.
        day: DayOfMonth,
        /// Time.
        at: TimeOfDay,
    },
    /// Every year.
    Yearly {
        /// Month.
        month: Month,
        /// Day.
        day: DayOfMonth,
        /// Time.
        at: TimeOfDay,
    },
}

impl TierSchedule {
    /// The tier that this schedule is for.
    pub fn tier(self) -> Tier {
        match self {
            Self::Hourly { .. } => Tier::Hourly,
            Self::Daily { .. } => Tier::Daily,
            Self::Weekly { .. } => Tier::Weekly,
            Self::Monthly { .. } => Tier::Monthly,
            Self::Yearly { .. } => Tier::Yearly,
        }
    }
}

/// An enabled tier: when it owes a backup and how many it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierRule {
    /// When.
    pub schedule: TierSchedule,
    /// How many.
    pub keep: KeepCount,
}

/// A backup policy. A disabled tier is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPolicy {
    /// Id.
    pub id: PolicyId,
    /// Label.
    pub name: Label,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it came with the product; it may be edited, never deleted.
    pub is_system: bool,
    /// Enabled tiers, at most one rule each, shortest first.
    pub rules: Vec<TierRule>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

impl BackupPolicy {
    /// The rule of a tier, when it is enabled.
    pub fn rule(&self, tier: Tier) -> Option<&TierRule> {
        self.rules.iter().find(|rule| rule.schedule.tier() == tier)
    }

    /// `24h/15d/8w/4m/2y`; `No retention` when no tier is enabled.
    pub fn summary(&self) -> String {
        let parts: Vec<String> = self
            .rules
            .iter()
            .map(|rule| {
                let letter = match rule.schedule.tier() {
                    Tier::Hourly => 'h',
                    Tier::Daily => 'd',
                    Tier::Weekly => 'w',
                    Tier::Monthly => 'm',
                    Tier::Yearly => 'y',
                };
                format!("{}{letter}", rule.keep.get())
            })
            .collect();
        if parts.is_empty() {
            "No retention".to_owned()
        } else {
            parts.join("/")
        }
    }
}
