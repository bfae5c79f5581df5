//! Cases: a policy in plain numbers, and how its database lives.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use dilux_core::model::{
    BackupPolicy, Blackout, CatchUpHours, CronExpression, DayOfMonth, DayOfWeek, HourlyInterval,
    InvalidPolicy, JitterMinutes, KeepCount, Month, PolicyZone, Tier, TierRule, TierSchedule,
    Timing,
};
use jiff::{SignedDuration, Timestamp};

use super::naive::{CronParts, Wish, minute};
use super::year;
use crate::seed::Seed;

/// Cron expressions that cases share.
const EXPRESSIONS: u32 = 4096;

/// A policy, twice: in plain numbers for the naive clock, and built for the planner.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) wishes: Vec<(Tier, Wish)>,
    pub(super) policy: BackupPolicy,
}

impl Rules {
    fn new(wishes: Vec<(Tier, Wish)>, timing: Timing) -> Result<Self, InvalidPolicy> {
        let rules: Result<Vec<TierRule>, InvalidPolicy> = wishes
            .iter()
            .map(|(tier, wish)| {
                Ok(TierRule {
                    schedule: schedule(*tier, wish)?,
                    keep: KeepCount::new(3)?,
                })
            })
            .collect();
        let name = |_| InvalidPolicy("a literal name is valid".to_owned());
        Ok(Self {
            wishes,
            policy: BackupPolicy {
                id: "tested".parse().map_err(|_| InvalidPolicy(String::new()))?,
                name: "Tested".parse().map_err(name)?,
                description: None,
                is_system: false,
                rules: rules?,
                timing,
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
            },
        })
    }
}

fn schedule(tier: Tier, wish: &Wish) -> Result<TierSchedule, InvalidPolicy> {
    let time = |at: i64| format!("{:02}:{:02}", at / 60, at % 60).parse();
    Ok(match wish {
        Wish::Hours(every) => TierSchedule::Hourly {
            every: HourlyInterval::new(*every)?,
        },
        Wish::Day(at) => TierSchedule::Daily { at: time(*at)? },
        Wish::Week(day, at) => TierSchedule::Weekly {
            day: DayOfWeek::new(*day)?,
            at: time(*at)?,
        },
        Wish::Month(day, at) => TierSchedule::Monthly {
            day: DayOfMonth::new(*day)?,
            at: time(*at)?,
        },
        Wish::Year(month, day, at) => TierSchedule::Yearly {
            month: Month::new(*month)?,
            day: DayOfMonth::new(*day)?,
            at: time(*at)?,
        },
        Wish::Cron(parts) => TierSchedule::Cron {
            tier,
            expression: parsed(expression(parts))?,
        },
    })
}

/// An expression, parsed once: the check of its distances takes long.
fn parsed(text: String) -> Result<CronExpression, InvalidPolicy> {
    type Parsed = HashMap<String, Result<CronExpression, InvalidPolicy>>;
    static PARSED: LazyLock<Mutex<Parsed>> = LazyLock::new(Mutex::default);
    let mut all = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    let expression = all.entry(text);
    expression.or_insert_with_key(|text| text.parse()).clone()
}

fn expression(parts: &CronParts) -> String {
    let list = |numbers: &[i64]| match numbers {
        [] => "*".to_owned(),
        some => some
            .iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join(","),
    };
    format!(
        "{} {} {} {} {}",
        parts.minute,
        list(&parts.hours),
        list(&parts.days),
        list(&parts.months),
        list(&parts.weekdays)
    )
}

/// How the database of a case lives.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) rules: Rules,
    pub(super) start: Timestamp,
    pub(super) ticks: u32,
    /// Time between two ticks.
    pub(super) period: SignedDuration,
    /// One tick in so many begins an outage; 0 means none.
    pub(super) outages: u32,
    /// One tick in so many follows an edit of the policy; 0 means none.
    pub(super) edits: u32,
    /// One tick in so many follows a jump of the clock; 0 means none.
    pub(super) jumps: u32,
    /// One job in so many fails; 1 means all, 0 none.
    pub(super) failures: u32,
    /// One job in so many is cancelled; 0 means none.
    pub(super) cancels: u32,
    /// Longest run of a job.
    pub(super) longest: SignedDuration,
}

fn zone(random: &mut Seed) -> PolicyZone {
    static ZONES: LazyLock<Vec<PolicyZone>> = LazyLock::new(|| {
        let names = PolicyZone::names();
        names.iter().filter_map(|name| name.parse().ok()).collect()
    });
    let count = u32::try_from(ZONES.len()).unwrap_or(1);
    ZONES[random.below(count) as usize].clone()
}

/// A random case.
pub(super) fn random(random: &mut Seed) -> Case {
    let zone = zone(random);
    let minutes = minute(year(2040)) - minute(year(2020));
    let mut start =
        minute(year(2020)) + i64::from(random.below(u32::try_from(minutes).unwrap_or(1)));
    let near = zone.rules().following(super::naive::instant(start)).next();
    if let Some(change) = near.filter(|_| random.one_in(3)) {
        start = minute(change.timestamp()) - i64::from(random.below(2 * 24 * 60));
    }
    let (period, ticks) = match random.below(20) {
        0..=13 => (15, 24 + random.below(48)),
        14..=16 => (60, 24 + random.below(24)),
        17..=18 => (6 * 60, 16 + random.below(32)),
        _ => (24 * 60, 16 + random.below(16)),
    };
    let odds = |random: &mut Seed, often: u32| {
        if random.one_in(2) {
            0
        } else {
            2 + random.below(often)
        }
    };
    Case {
        rules: rules(random, &zone),
        // Ticks come at any second of a minute.
        start: super::naive::instant(start)
            + SignedDuration::from_secs(if random.one_in(2) {
                number(random, 60)
            } else {
                0
            }),
        ticks,
        period: SignedDuration::from_mins(period),
        outages: odds(random, 12),
        edits: odds(random, 12),
        jumps: if random.one_in(5) {
            4 + random.below(12)
        } else {
            0
        },
        failures: [0, 0, 0, 1, 2, 5][random.below(6) as usize],
        cancels: [0, 0, 0, 6][random.below(4) as usize],
        longest: SignedDuration::from_mins(
            period * i64::from([0, 1, 1, 4][random.below(4) as usize]),
        ),
    }
}

/// Random rules; those that are refused are drawn again.
fn rules(random: &mut Seed, zone: &PolicyZone) -> Rules {
    loop {
        let wishes = wishes(random);
        let timing = timing(random, zone);
        if !wishes.is_empty()
            && let Ok(rules) = timing.and_then(|timing| Rules::new(wishes, timing))
        {
            return rules;
        }
    }
}

/// Rules after an edit: of something that is no schedule, of some tiers, of the timing, of all, or
/// of the zone too.
pub(super) fn edited(random: &mut Seed, before: &Rules) -> Rules {
    let same_zone = before.policy.timing.zone().clone();
    let mixed = match random.below(5) {
        0 => return before.clone(),
        1 => {
            let (drawn, which) = (wishes(random), random.below(31));
            let tiers = Tier::ALL
                .into_iter()
                .enumerate()
                .filter_map(|(place, tier)| {
                    let from = if which >> place & 1 == 0 {
                        &before.wishes
                    } else {
                        &drawn
                    };
                    from.iter().find(|(known, _)| *known == tier).cloned()
                });
            let mixed: Vec<(Tier, Wish)> = tiers.collect();
            Rules::new(mixed, before.policy.timing.clone())
        }
        2 => {
            timing(random, &same_zone).and_then(|timing| Rules::new(before.wishes.clone(), timing))
        }
        3 => {
            let other_zone = zone(random);
            return rules(random, &other_zone);
        }
        _ => return rules(random, &same_zone),
    };
    match mixed {
        Ok(mixed) if !mixed.wishes.is_empty() => mixed,
        _ => before.clone(),
    }
}

fn number(random: &mut Seed, end: u32) -> i64 {
    i64::from(random.below(end))
}

fn time(random: &mut Seed) -> i64 {
    match random.below(3) {
        0 => number(random, 24) * 60,
        1 => number(random, 96) * 15,
        _ => number(random, 24 * 60),
    }
}

fn wishes(random: &mut Seed) -> Vec<(Tier, Wish)> {
    let mut all = Vec::new();
    for tier in Tier::ALL {
        if random.one_in(if tier == Tier::Yearly { 6 } else { 2 }) {
            let wish = if random.one_in(5) {
                Wish::Cron(cron(random))
            } else {
                plain(random, tier)
            };
            all.push((tier, wish));
        }
    }
    all
}

fn plain(random: &mut Seed, tier: Tier) -> Wish {
    match tier {
        Tier::Hourly => Wish::Hours(1 + number(random, 12)),
        Tier::Daily => Wish::Day(time(random)),
        Tier::Weekly => Wish::Week(number(random, 7), time(random)),
        Tier::Monthly => Wish::Month(1 + number(random, 31), time(random)),
        Tier::Yearly => Wish::Year(1 + number(random, 12), 1 + number(random, 31), time(random)),
    }
}

/// One of the cron expressions that cases share.
fn cron(random: &mut Seed) -> CronParts {
    let random = &mut Seed::new(u64::from(random.below(EXPRESSIONS)));
    let mut some = |odds: u32, first: i64, end: u32| -> Vec<i64> {
        if !random.one_in(odds) {
            return Vec::new();
        }
        let mut list: Vec<i64> = (0..=random.below(3))
            .map(|_| first + number(random, end))
            .collect();
        list.sort_unstable();
        list.dedup();
        list
    };
    let (hours, days, months) = (some(2, 0, 24), some(4, 1, 28), some(10, 1, 12));
    let weekdays = some(4, 0, 7);
    CronParts {
        minute: number(random, 60),
        hours,
        days,
        months,
        weekdays,
    }
}

fn timing(random: &mut Seed, zone: &PolicyZone) -> Result<Timing, InvalidPolicy> {
    let mut blackouts = Vec::new();
    if random.one_in(3) {
        for _ in 0..=random.below(3) {
            let days = (0..random.below(4)).map(|_| DayOfWeek::new(number(random, 7)));
            let days: Result<Vec<DayOfWeek>, _> = days.collect();
            let text = |at: i64| format!("{:02}:{:02}", at / 60, at % 60).parse();
            blackouts.push(Blackout::new(
                days?,
                text(time(random))?,
                text(time(random))?,
            ));
        }
    }
    let jitter = random
        .one_in(4)
        .then(|| JitterMinutes::new(number(random, 61)));
    let catch_up = random
        .one_in(4)
        .then(|| CatchUpHours::new(1 + number(random, 48)));
    Ok(Timing::in_zone(zone.clone())
        .with_blackouts(blackouts)?
        .with_jitter(jitter.transpose()?)
        .with_catch_up(catch_up.transpose()?))
}

/// The cases around a change of a zone's clock, one for each tier: ticks every quarter of an hour,
/// nothing fails, and the tier's time is one that the change touches.
pub(super) fn around(zone: &PolicyZone, change: Timestamp) -> Vec<Case> {
    let before = zone
        .rules()
        .to_datetime(change - SignedDuration::from_secs(1));
    let after = zone.rules().to_datetime(change);
    let mut random = Seed::new(change.as_second().unsigned_abs());
    let (first, last) = (before.min(after), before.max(after));
    let span = u32::try_from(last.duration_since(first).as_mins()).unwrap_or(0);
    let shift = SignedDuration::from_mins(number(&mut random, span + 61) - 30);
    let touched = first.saturating_add(shift);
    let at = i64::from(touched.hour()) * 60 + i64::from(touched.minute());
    let (month, day) = (i64::from(touched.month()), i64::from(touched.day()));
    let weekday = i64::from(touched.weekday().to_sunday_zero_offset());
    let wishes = [
        (Tier::Hourly, Wish::Hours(1 + number(&mut random, 3))),
        (Tier::Daily, Wish::Day(at)),
        (Tier::Weekly, Wish::Week(weekday, at)),
        (Tier::Monthly, Wish::Month(day, at)),
        (Tier::Yearly, Wish::Year(month, day, at)),
    ];
    let timing = Timing::in_zone(zone.clone());
    let cases = wishes.into_iter().filter_map(|wish| {
        Some(Case {
            rules: Rules::new(vec![wish], timing.clone()).ok()?,
            start: super::naive::instant(minute(change) / 15 * 15 - 36 * 60),
            ticks: 4 * 72,
            period: SignedDuration::from_mins(15),
            outages: 0,
            edits: 0,
            jumps: 0,
            failures: 0,
            cancels: 0,
            longest: SignedDuration::ZERO,
        })
    });
    cases.collect()
}
