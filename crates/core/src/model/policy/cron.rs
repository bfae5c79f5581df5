//! Cron expressions that stand in place of a tier's fields.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, date};

use super::InvalidPolicy;

/// Longest expression, in bytes.
const LONGEST: usize = 100;

/// Occurrences that are looked at to find the shortest distance between two.
const SAMPLE: usize = 200;

/// Shortest distance between two occurrences: the scheduler's planning period.
const SHORTEST_MINUTES: i64 = 15;

/// The fields of an expression, and what each may hold.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31, or L for the last one"),
    ("month", "1-12 or JAN-DEC"),
    ("day of the week", "0-6 or SUN-SAT"),
];

/// A cron expression of five fields: minute, hour, day of the month, month, day of the week. Where
/// both days are restricted, either suffices. Its times are wall clock times of the policy's zone.
#[derive(Debug, Clone)]
pub struct CronExpression {
    text: String,
    cron: Arc<Cron>,
}

impl CronExpression {
    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The last occurrence at or before `local`; `None` when there is none within reach.
    pub fn at_or_before(&self, local: DateTime) -> Option<DateTime> {
        self.cron.find_previous_occurrence(&local, true).ok()
    }

    /// The first occurrence after `local`; `None` when there is none within reach.
    pub fn after(&self, local: DateTime) -> Option<DateTime> {
        self.cron.find_next_occurrence(&local, false).ok()
    }

    fn check_distances(&self) -> Result<(), InvalidPolicy> {
        let mut last = date(2024, 1, 1).at(0, 0, 0, 0);
        for count in 0..SAMPLE {
            let Some(next) = self.after(last) else {
                return match count {
                    0 => Err(InvalidPolicy("names a time that never comes".to_owned())),
                    _ => Ok(()),
                };
            };
            let minutes = next.duration_since(last).as_mins();
            if count > 0 && minutes < SHORTEST_MINUTES {
                return Err(InvalidPolicy(format!(
                    "must leave at least {SHORTEST_MINUTES} minutes between two backups, but \
                     there are {minutes} before {next}"
                )));
            }
            last = next;
        }
        Ok(())
    }
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpression {}

impl FromStr for CronExpression {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        let text = text.trim();
        if text.len() > LONGEST || text.split_whitespace().count() != 5 {
            return Err(InvalidPolicy(
                "must have five fields: minute hour day-of-month month day-of-week, such as \
                 '30 2 * * MON-FRI'"
                    .to_owned(),
            ));
        }
        let cron = parse(text).ok_or_else(|| InvalidPolicy(wrong_field(text)))?;
        let expression = Self {
            text: text.to_owned(),
            cron: Arc::new(cron),
        };
        expression.check_distances()?;
        Ok(expression)
    }
}

fn parse(text: &str) -> Option<Cron> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(text).ok()
}

/// Which field keeps an expression of five from being one, and what it may hold.
fn wrong_field(text: &str) -> String {
    let is_wrong = |(index, field): (usize, &str)| {
        let mut alone = ["*"; FIELDS.len()];
        alone[index] = field;
        parse(&alone.join(" ")).is_none()
    };
    let mut fields = text.split_whitespace().enumerate();
    let wrong = fields.position(is_wrong).and_then(|at| FIELDS.get(at));
    wrong.map_or_else(
        || "is not a cron expression".to_owned(),
        |(name, range)| {
            format!(
                "is not a cron expression: its {name} must be {range}, a list such as 1,3, a \
                 range such as 1-3, or a step such as */2"
            )
        },
    )
}

impl fmt::Display for CronExpression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_with_names_lists_ranges_steps_and_the_last_day_are_understood() {
        let from = date(2026, 2, 10).at(12, 0, 0, 0);
        for (text, next) in [
            ("30 2 * * MON-FRI", "2026-02-11T02:30:00"),
            ("*/15 * * * *", "2026-02-10T12:15:00"),
            ("0 0 L * *", "2026-02-28T00:00:00"),
            ("0 6,18 * * *", "2026-02-10T18:00:00"),
            ("0 0 29 2 *", "2028-02-29T00:00:00"),
        ] {
            let expression: CronExpression = text.parse().unwrap();
            assert_eq!(
                expression.after(from),
                Some(next.parse().unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "five fields"),
            ("* * * *", "five fields"),
            ("0 0 * * * *", "five fields"),
            ("@daily", "five fields"),
            ("61 * * * *", "its minute must be 0-59"),
            ("0 24 * * *", "its hour must be 0-23"),
            ("0 0 32 * *", "its day of the month must be 1-31"),
            ("0 0 * 13 *", "its month must be 1-12"),
            ("0 0 * * MOON", "its day of the week must be 0-6"),
            ("a b c d e", "its minute"),
            ("0 0 30 2 *", "never comes"),
            ("*/5 * * * *", "15 minutes"),
            ("0,50 * * * *", "15 minutes"),
        ] {
            let error = text.parse::<CronExpression>().unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }
}
