//! The scheduler's planner against a naive clock that walks minute by minute.
//!
//! A case is one database that lives through some ticks: jobs succeed, fail or take long, the
//! scheduler is away, the policy is edited, the clock jumps. After each tick every slot that the
//! naive clock showed must be booked or recorded as given up, exactly once, and the jobs must be
//! those that the rules ask for, each to its second. A case follows from its seed, or from a zone
//! and one change of its clock.

mod calendar;
mod case;
mod check;
mod life;
mod naive;
mod tally;

use dilux_core::model::PolicyZone;
use dilux_core::schedule::{Plan, Situation};
use jiff::Timestamp;

pub use tally::{NoTally, Tally};

use crate::seed::Seed;

/// What is tested: `dilux_core::schedule::plan`, or a faulty stand-in that proves that the oracle
/// can fail.
pub type Planner = fn(&Situation<'_>) -> Plan;

/// A case in which the planner broke a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{case}: {what}")]
pub struct Disagreement {
    /// The seed, or the zone and the change of its clock, that shows it again.
    pub case: String,
    /// What is wrong.
    pub what: String,
}

/// Runs the random case of one seed.
pub fn run_case(planner: Planner, seed: u64, tally: &mut Tally) -> Result<(), Disagreement> {
    let mut random = Seed::new(seed);
    let case = case::random(&mut random);
    tally.cases += 1;
    life::live(planner, case, &mut random, tally).map_err(|what| Disagreement {
        case: format!("seed {seed}"),
        what,
    })
}

/// Every zone with every change of its clock from 2020 to 2040. A zone without any has one at the
/// start of 2030, so that no zone is left out.
pub fn changes() -> Vec<(PolicyZone, Timestamp)> {
    let (from, until) = (year(2020), year(2041));
    let mut all = Vec::new();
    for name in PolicyZone::names() {
        let Ok(zone) = name.parse::<PolicyZone>() else {
            continue;
        };
        let changes: Vec<Timestamp> = zone
            .rules()
            .following(from)
            .map(|change| change.timestamp())
            .take_while(|at| *at < until)
            .collect();
        let none = changes.is_empty();
        all.extend(changes.into_iter().map(|at| (zone.clone(), at)));
        if none {
            all.push((zone, year(2030)));
        }
    }
    all
}

/// Runs the five cases, one for each tier, of a change of a zone's clock.
pub fn run_change(
    planner: Planner,
    zone: &PolicyZone,
    change: Timestamp,
    tally: &mut Tally,
) -> Result<(), Disagreement> {
    for case in case::around(zone, change) {
        let mut random = Seed::new(u64::try_from(change.as_second()).unwrap_or(0));
        tally.cases += 1;
        tally.at_clock_changes += 1;
        check::slots(&case)
            .and_then(|()| life::live(planner, case, &mut random, tally))
            .map_err(|what| Disagreement {
                case: format!("{zone} at {change}"),
                what,
            })?;
    }
    Ok(())
}

fn year(year: i16) -> Timestamp {
    jiff::civil::date(year, 1, 1)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}
