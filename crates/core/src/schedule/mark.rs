//! Tells one schedule from another.

use std::convert::Infallible;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::model::{TierSchedule, Timing};

/// Bytes of the hash that are kept.
const BYTES: usize = 8;

/// Which slots a tier has: two schedules of the same mark have the same slots. A hash of schedule,
/// zone and blackouts in 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleMark(String);

impl ScheduleMark {
    /// The mark of `schedule` under `timing`.
    pub fn of(schedule: &TierSchedule, timing: &Timing) -> Self {
        let blackouts = timing.blackouts().iter().map(|blackout| {
            let days = blackout.days().iter().map(|day| day.get().to_string());
            let days = days.collect::<Vec<_>>().join(",");
            format!("{days} {} {}", blackout.from(), blackout.until())
        });
        let blackouts = blackouts.collect::<Vec<_>>().join("|");
        let text = format!("{}|{}|{blackouts}", words(schedule), timing.zone());
        let hash = Sha256::digest(text.as_bytes());
        let number = hash
            .iter()
            .take(BYTES)
            .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        Self(format!("{number:016x}"))
    }

    /// The mark of a disabled tier.
    pub fn disabled() -> Self {
        Self("disabled".to_owned())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScheduleMark {
    type Err = Infallible;

    /// Any text: one that no schedule has stands for a schedule that is not in force.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

fn words(schedule: &TierSchedule) -> String {
    match schedule {
        TierSchedule::Hourly { every } => format!("hourly {}", every.get()),
        TierSchedule::Daily { at } => format!("daily {at}"),
        TierSchedule::Weekly { day, at } => format!("weekly {} {at}", day.get()),
        TierSchedule::Monthly { day, at } => format!("monthly {} {at}", day.get()),
        TierSchedule::Yearly { month, day, at } => {
            format!("yearly {} {} {at}", month.get(), day.get())
        }
        TierSchedule::Cron { expression, .. } => format!("cron {expression}"),
    }
}
