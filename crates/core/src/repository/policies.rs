//! Row mapping of policies: table `backuppolicies`, partition `backup_policy`, tiers flattened to
//! `<tier>_<field>` as documented.

use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{
    BackupPolicy, DayOfMonth, DayOfWeek, HourlyInterval, InvalidPolicy, KeepCount, Month, Tier,
    TierRule, TierSchedule, TimeOfDay,
};

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
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
        })
    }
}

fn write_rule(row: &mut RowWriter, tier: Tier, rule: &TierRule) {
    let mut small = |field: &str, number: u32| row.small(&format!("{tier}_{field}"), number);
    small("keep_count", rule.keep.get());
    let at = match rule.schedule {
        TierSchedule::Hourly { every } => {
            small("interval_hours", every.get());
            None
        }
        TierSchedule::Daily { at } => Some(at),
        TierSchedule::Weekly { day, at } => {
            small("day_of_week", day.get());
            Some(at)
        }
        TierSchedule::Monthly { day, at } => {
            small("day_of_month", day.get());
            Some(at)
        }
        TierSchedule::Yearly { month, day, at } => {
            small("month", month.get());
            small("day_of_month", day.get());
            Some(at)
        }
    };
    row.flag(&format!("{tier}_enabled"), true);
    row.optional_text(&format!("{tier}_time"), at.map(|at| at.to_string()));
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

fn default_time(tier: Tier) -> &'static str {
    match tier {
        Tier::Hourly | Tier::Daily => "02:00",
        Tier::Weekly => "03:00",
        Tier::Monthly => "04:00",
        Tier::Yearly => "05:00",
    }
}
