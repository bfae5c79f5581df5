//! Row mapping of policies: table `backuppolicies`, partition `backup_policy`, tiers flattened to
//! `<tier>_<field>` as documented. The properties beyond those, such as `time_zone` and
//! `<tier>_cron`, are absent where they have nothing to say.

use serde::{Deserialize, Serialize};

use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{
    BackupPolicy, Blackout, CatchUpHours, CronExpression, DayOfMonth, DayOfWeek, HourlyInterval,
    InvalidPolicy, JitterMinutes, KeepCount, Month, PolicyZone, Tier, TierRule, TierSchedule,
    TimeOfDay, Timing,
};

/// A blackout as its row holds it.
#[derive(Debug, Serialize, Deserialize)]
struct BlackoutRow {
    #[serde(default)]
    days: Vec<i64>,
    from: String,
    until: String,
}

impl Row for BackupPolicy {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("name", self.name.as_str());
        row.optional_text("description", self.description.as_deref());
        row.flag("is_system", self.is_system);
        for tier in Tier::ALL {
            match self.rule(tier) {
                None => row.flag(&format!("{tier}_enabled"), false),
                Some(rule) => write_rule(row, tier, rule),
            }
        }
        write_timing(row, &self.timing);
        row.instant("created_at", self.created_at);
        row.instant("updated_at", self.updated_at);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let mut rules = Vec::new();
        for tier in Tier::ALL {
            if row.flag(&format!("{tier}_enabled"), false)? {
                rules.push(read_rule(row, tier)?);
            }
        }
        Ok(Self {
            id: row.key_parsed()?,
            name: row.parsed("name")?,
            description: row.optional_text("description")?.map(str::to_owned),
            is_system: row.flag("is_system", false)?,
            rules,
            timing: read_timing(row)?,
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
        })
    }
}

fn write_rule(row: &mut RowWriter, tier: Tier, rule: &TierRule) {
    let mut small = |field: &str, number: u32| row.small(&format!("{tier}_{field}"), number);
    small("keep_count", rule.keep.get());
    let (at, cron) = match &rule.schedule {
        TierSchedule::Hourly { every } => {
            small("interval_hours", every.get());
            (None, None)
        }
        TierSchedule::Daily { at } => (Some(at), None),
        TierSchedule::Weekly { day, at } => {
            small("day_of_week", day.get());
            (Some(at), None)
        }
        TierSchedule::Monthly { day, at } => {
            small("day_of_month", day.get());
            (Some(at), None)
        }
        TierSchedule::Yearly { month, day, at } => {
            small("month", month.get());
            small("day_of_month", day.get());
            (Some(at), None)
        }
        TierSchedule::Cron { expression, .. } => (None, Some(expression)),
    };
    row.flag(&format!("{tier}_enabled"), true);
    row.optional_text(&format!("{tier}_time"), at.map(TimeOfDay::to_string));
    row.optional_text(&format!("{tier}_cron"), cron.map(CronExpression::as_str));
}

/// Reads the fields of an enabled tier, with the documented defaults for absent ones.
fn read_rule(row: &RowReader<'_>, tier: Tier) -> Result<TierRule, RowError> {
    let fault = |field: &str, error: &InvalidPolicy| RowError {
        property: format!("{tier}_{field}"),
        reason: error.to_string(),
    };
    let number = |field: &str, absent: i64| {
        row.optional_number(&format!("{tier}_{field}"))
            .map(|found| found.unwrap_or(absent))
    };
    let keep =
        KeepCount::new(number("keep_count", 0)?).map_err(|error| fault("keep_count", &error))?;
    if let Some(expression) = row.optional_parsed(&format!("{tier}_cron"))? {
        let schedule = TierSchedule::Cron { tier, expression };
        return Ok(TierRule { schedule, keep });
    }
    let at = || -> Result<TimeOfDay, RowError> {
        let text = row
            .optional_text(&format!("{tier}_time"))?
            .unwrap_or(default_time(tier));
        text.parse().map_err(|error| fault("time", &error))
    };
    let day_of_month = || {
        DayOfMonth::new(number("day_of_month", 1)?).map_err(|error| fault("day_of_month", &error))
    };
    let schedule = match tier {
        Tier::Hourly => TierSchedule::Hourly {
            every: HourlyInterval::new(number("interval_hours", 1)?)
                .map_err(|error| fault("interval_hours", &error))?,
        },
        Tier::Daily => TierSchedule::Daily { at: at()? },
        Tier::Weekly => TierSchedule::Weekly {
            day: DayOfWeek::new(number("day_of_week", 0)?)
                .map_err(|error| fault("day_of_week", &error))?,
            at: at()?,
        },
        Tier::Monthly => TierSchedule::Monthly {
            day: day_of_month()?,
            at: at()?,
        },
        Tier::Yearly => TierSchedule::Yearly {
            month: Month::new(number("month", 1)?).map_err(|error| fault("month", &error))?,
            day: day_of_month()?,
            at: at()?,
        },
    };
    Ok(TierRule { schedule, keep })
}

fn write_timing(row: &mut RowWriter, timing: &Timing) {
    if *timing.zone() != PolicyZone::UTC {
        row.text("time_zone", timing.zone().name());
    }
    if let Some(jitter) = timing.jitter() {
        row.small("jitter_minutes", jitter.get());
    }
    if let Some(hours) = timing.catch_up() {
        row.small("catch_up_hours", hours.get());
    }
    if !timing.blackouts().is_empty() {
        let windows = timing.blackouts().iter().map(|blackout| BlackoutRow {
            days: blackout.days().iter().map(|day| day.get().into()).collect(),
            from: blackout.from().to_string(),
            until: blackout.until().to_string(),
        });
        row.json("blackouts_json", &windows.collect::<Vec<_>>());
    }
}

fn read_timing(row: &RowReader<'_>) -> Result<Timing, RowError> {
    let fault = |property: &str, error: &InvalidPolicy| RowError {
        property: property.to_owned(),
        reason: error.to_string(),
    };
    let jitter = row
        .optional_number("jitter_minutes")?
        .map(JitterMinutes::new)
        .transpose()
        .map_err(|error| fault("jitter_minutes", &error))?;
    let catch_up = row
        .optional_number("catch_up_hours")?
        .map(CatchUpHours::new)
        .transpose()
        .map_err(|error| fault("catch_up_hours", &error))?;
    let zone: PolicyZone = row.optional_parsed("time_zone")?.unwrap_or_default();
    let windows: Vec<BlackoutRow> = row.optional_json("blackouts_json")?.unwrap_or_default();
    let blackouts: Result<Vec<Blackout>, InvalidPolicy> =
        windows.iter().map(read_blackout).collect();
    blackouts
        .and_then(|blackouts| Timing::in_zone(zone).with_blackouts(blackouts))
        .map(|timing| timing.with_jitter(jitter).with_catch_up(catch_up))
        .map_err(|error| fault("blackouts_json", &error))
}

fn read_blackout(window: &BlackoutRow) -> Result<Blackout, InvalidPolicy> {
    let days: Result<Vec<DayOfWeek>, _> =
        window.days.iter().map(|day| DayOfWeek::new(*day)).collect();
    Ok(Blackout::new(
        days?,
        window.from.parse()?,
        window.until.parse()?,
    ))
}

fn default_time(tier: Tier) -> &'static str {
    match tier {
        Tier::Hourly | Tier::Daily => "02:00",
        Tier::Weekly => "03:00",
        Tier::Monthly => "04:00",
        Tier::Yearly => "05:00",
    }
}
