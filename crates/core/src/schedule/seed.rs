//! The three policies that exist from the first start, as documented.

use jiff::Timestamp;

use crate::model::{
    BackupPolicy, DayOfMonth, DayOfWeek, HourlyInterval, InvalidPolicy, KeepCount, Month, TierRule,
    TierSchedule, Timing,
};

/// The policy of a database that names none.
pub const DEFAULT_POLICY: &str = "production-standard";

/// How many backups each tier of a seeded policy keeps; 0 means that the tier is off.
struct Keep {
    hourly: i64,
    daily: i64,
    weekly: i64,
    monthly: i64,
    yearly: i64,
}

/// The seeded policies.
pub fn system_policies(now: Timestamp) -> Result<Vec<BackupPolicy>, InvalidPolicy> {
    [
        (
            "production-critical",
            "Production Critical",
            "For systems where the loss of an hour hurts: all five tiers",
            Keep {
                hourly: 24,
                daily: 15,
                weekly: 8,
                monthly: 4,
                yearly: 2,
            },
        ),
        (
            DEFAULT_POLICY,
            "Production Standard",
            "For ordinary production systems",
            Keep {
                hourly: 12,
                daily: 7,
                weekly: 4,
                monthly: 2,
                yearly: 1,
            },
        ),
        (
            "development",
            "Development",
            "For systems that can be rebuilt",
            Keep {
                hourly: 0,
                daily: 7,
                weekly: 2,
                monthly: 0,
                yearly: 0,
            },
        ),
    ]
    .into_iter()
    .map(|(id, name, description, keep)| {
        Ok(BackupPolicy {
            id: id
                .parse()
                .map_err(|_| InvalidPolicy(format!("bad policy id {id}")))?,
            name: name
                .parse()
                .map_err(|_| InvalidPolicy(format!("bad policy name {name}")))?,
            description: Some(description.to_owned()),
            is_system: true,
            rules: rules(&keep)?,
            timing: Timing::default(),
            created_at: now,
            updated_at: now,
        })
    })
    .collect()
}

fn rules(keep: &Keep) -> Result<Vec<TierRule>, InvalidPolicy> {
    let first = DayOfMonth::new(1)?;
    let tiers = [
        (
            keep.hourly,
            TierSchedule::Hourly {
                every: HourlyInterval::new(1)?,
            },
        ),
        (
            keep.daily,
            TierSchedule::Daily {
                at: "02:00".parse()?,
            },
        ),
        (
            keep.weekly,
            TierSchedule::Weekly {
                day: DayOfWeek::new(0)?,
                at: "03:00".parse()?,
            },
        ),
        (
            keep.monthly,
            TierSchedule::Monthly {
                day: first,
                at: "04:00".parse()?,
            },
        ),
        (
            keep.yearly,
            TierSchedule::Yearly {
                month: Month::new(1)?,
                day: first,
                at: "05:00".parse()?,
            },
        ),
    ];
    tiers
        .into_iter()
        .filter(|(keep, _)| *keep > 0)
        .map(|(keep, schedule)| {
            Ok(TierRule {
                schedule,
                keep: KeepCount::new(keep)?,
            })
        })
        .collect()
}
