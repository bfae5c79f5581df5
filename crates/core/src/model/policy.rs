//! Backup policies: five GFS tiers, each a schedule and a retention, in one time zone.

mod compression;
mod cron;
mod number;
mod time_of_day;
mod timing;
mod zone;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use compression::Compression;
pub use cron::CronExpression;
pub use number::{
    CatchUpHours, DayOfMonth, DayOfWeek, HourlyInterval, JitterMinutes, KeepCount, Month,
};
pub use time_of_day::TimeOfDay;
pub use timing::{Blackout, Timing};
pub use zone::PolicyZone;

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

/// When a tier owes a backup. The variant also says which tier it is.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Whenever a cron expression says so, in place of the tier's own fields.
    Cron {
        /// The tier.
        tier: Tier,
        /// When.
        expression: CronExpression,
    },
}

impl TierSchedule {
    /// The tier that this schedule is for.
    pub fn tier(&self) -> Tier {
        match self {
            Self::Hourly { .. } => Tier::Hourly,
            Self::Daily { .. } => Tier::Daily,
            Self::Weekly { .. } => Tier::Weekly,
            Self::Monthly { .. } => Tier::Monthly,
            Self::Yearly { .. } => Tier::Yearly,
            Self::Cron { tier, .. } => *tier,
        }
    }
}

/// An enabled tier: when it owes a backup and how many it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Time zone, blackouts, jitter and catch-up, for all tiers.
    pub timing: Timing,
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
