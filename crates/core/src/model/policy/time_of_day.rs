//! Times of day.

use std::fmt;
use std::str::FromStr;

use super::InvalidPolicy;

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
