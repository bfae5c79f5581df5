//! What cases had in them.

use std::fmt;
use std::str::FromStr;

/// What the cases had in them, to show that they were not empty. Its text is `cases=1 ticks=24 …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Cases.
    pub cases: u64,
    /// Cases around a change of a zone's clock.
    pub at_clock_changes: u64,
    /// Ticks.
    pub ticks: u64,
    /// Slots booked.
    pub booked: u64,
    /// Slots recorded as given up.
    pub missed: u64,
    /// Slots tried again after a failure.
    pub retried: u64,
    /// Edits of policies.
    pub edits: u64,
    /// Outages.
    pub outages: u64,
    /// Jumps of the clock.
    pub jumps: u64,
}

impl Tally {
    const NAMES: [&'static str; 9] = [
        "cases",
        "at_clock_changes",
        "ticks",
        "booked",
        "missed",
        "retried",
        "edits",
        "outages",
        "jumps",
    ];

    fn numbers(&mut self) -> [&mut u64; 9] {
        [
            &mut self.cases,
            &mut self.at_clock_changes,
            &mut self.ticks,
            &mut self.booked,
            &mut self.missed,
            &mut self.retried,
            &mut self.edits,
            &mut self.outages,
            &mut self.jumps,
        ]
    }

    /// Adds the figures of another.
    pub fn add(&mut self, mut other: Self) {
        for (sum, number) in self.numbers().into_iter().zip(other.numbers()) {
            *sum += *number;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut figures = *self;
        let pairs = Self::NAMES.into_iter().zip(figures.numbers());
        let texts: Vec<String> = pairs
            .map(|(name, number)| format!("{name}={number}"))
            .collect();
        formatter.write_str(&texts.join(" "))
    }
}

/// A text that is no tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these are not the figures of an oracle")]
pub struct NoTally;

impl FromStr for Tally {
    type Err = NoTally;

    fn from_str(text: &str) -> Result<Self, NoTally> {
        let mut tally = Self::default();
        let mut pairs = text.split_whitespace();
        for (name, number) in Self::NAMES.into_iter().zip(tally.numbers()) {
            let (key, value) = pairs
                .next()
                .and_then(|pair| pair.split_once('='))
                .ok_or(NoTally)?;
            let value = value.parse().map_err(|_| NoTally)?;
            *number = if key == name {
                value
            } else {
                return Err(NoTally);
            };
        }
        pairs.next().map_or(Ok(tally), |_| Err(NoTally))
    }
}
