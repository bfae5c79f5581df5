//! The timers of a scheduler: retention once a day, the health monitor every few hours, and the
//! tick, of which only the last one is noted. Pure: rule, stored state and `now` in, what is to be
//! done out. All times are UTC.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{InvalidName, TimeOfDay};

/// How long a claim on a run lasts without being renewed.
pub const TIMER_LEASE: SignedDuration = SignedDuration::from_mins(2);

/// What a state says is not believed when it lies further in the future: a clock was wrong.
const MOST_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// How long after its time a timer that has not run is late.
const LATE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Runs before the last one that are remembered, and the longest message of each, in characters: so
/// many fit into one property of a row.
const EARLIER_RUNS: usize = 30;
const EARLIER_MESSAGE: usize = 300;

/// A timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The tick. Every scheduler ticks; what stands here is when one last did.
    Planning,
    /// Retention.
    Retention,
    /// The health monitor.
    Health,
}

impl Timer {
    /// Every timer.
    pub const ALL: [Self; 3] = [Self::Planning, Self::Retention, Self::Health];

    /// Those whose slots are run by one scheduler each.
    pub const SHARED: [Self; 2] = [Self::Retention, Self::Health];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Retention => "retention",
            Self::Health => "health",
        }
    }

    /// Whether it runs when nothing is known of earlier runs. Retention waits for its next time: a
    /// new installation has nothing that could expire, and one that lost its tables must not begin
    /// with deletions.
    fn begins_at_once(self) -> bool {
        match self {
            Self::Retention => false,
            Self::Planning | Self::Health => true,
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Timer {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|timer| timer.as_str() == text)
            .ok_or_else(|| InvalidName("is no timer".to_owned()))
    }
}

/// When a timer is due: at whole multiples of a period since 1970, moved by an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerRule {
    /// Seconds, at least 1.
    period: i64,
    /// Seconds.
    offset: i64,
}

impl TimerRule {
    /// Every day at this time, UTC.
    pub fn daily(at: TimeOfDay) -> Self {
        Self {
            period: 24 * 3600,
            offset: i64::from(at.hour()) * 3600 + i64::from(at.minute()) * 60,
        }
    }

    /// At whole multiples of `period`: every 6 hours is midnight, 6:00, noon and 18:00.
    pub fn every(period: Duration) -> Self {
        Self {
            period: i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1),
            offset: 0,
        }
    }

    /// The newest slot that is not in the future.
    pub fn latest(self, now: Timestamp) -> Timestamp {
        let periods = (now.as_second() - self.offset).div_euclid(self.period);
        self.slot(periods)
    }

    /// The first slot after `now`.
    pub fn next(self, now: Timestamp) -> Timestamp {
        let periods = (now.as_second() - self.offset).div_euclid(self.period);
        self.slot(periods.saturating_add(1))
    }

    fn slot(self, periods: i64) -> Timestamp {
        let second = periods
            .saturating_mul(self.period)
            .saturating_add(self.offset);
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }
}

/// A run under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerClaim {
    /// The slot that it is for.
    pub slot: Timestamp,
    /// The scheduler that runs it.
    pub holder: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when it is its, unless it renews the claim.
    pub until: Timestamp,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerOutcome {
    /// All is done.
    Done,
    /// Done as far as it could be; the message says what could not.
    Partial,
    /// Nothing, or nobody knows how much, is done; it is tried again.
    Failed,
}

impl TimerOutcome {
    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerRun {
    /// The slot that it was for.
    pub slot: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub outcome: TimerOutcome,
    /// What it did, or why it failed, for people.
    pub message: String,
    /// The same in numbers, by name; empty for timers that count nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
}

/// What is known of a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerState {
    /// The timer.
    pub timer: Timer,
    /// The newest slot that needs no run any more.
    pub served: Option<Timestamp>,
    /// When it is due next; nothing while it is switched off.
    pub next: Option<Timestamp>,
    /// The run under way.
    pub claim: Option<TimerClaim>,
    /// The last run that ended.
    pub last: Option<TimerRun>,
    /// Those before it, newest first, at most thirty.
    pub earlier: Vec<TimerRun>,
}

impl TimerState {
    /// A timer of which nothing is known.
    pub fn unknown(timer: Timer) -> Self {
        Self {
            timer,
            served: None,
            next: None,
            claim: None,
            last: None,
            earlier: Vec::new(),
        }
    }

    /// A timer that ran, and is due again at `next`.
    pub fn after(timer: Timer, run: TimerRun, next: Timestamp) -> Self {
        Self {
            timer,
            served: Some(run.slot),
            next: Some(next),
            claim: None,
            last: Some(run),
            earlier: Vec::new(),
        }
    }

    /// `holder` runs the slot from `now` on.
    #[must_use]
    pub fn claimed(mut self, slot: Timestamp, holder: &str, now: Timestamp) -> Self {
        self.claim = Some(TimerClaim {
            slot,
            holder: holder.to_owned(),
            since: now,
            until: after(now, TIMER_LEASE),
        });
        self
    }

    /// Prolongs the claim of `holder`; `None` when it has none any more.
    pub fn renewed(mut self, holder: &str, now: Timestamp) -> Option<Self> {
        let claim = self.claim.as_mut()?;
        if claim.holder != holder {
            return None;
        }
        claim.until = after(now, TIMER_LEASE);
        Some(self)
    }

    /// The run of `holder` ended; `None` when the claim is not its any more. A failed run leaves
    /// its slot owed.
    pub fn ended(mut self, holder: &str, run: TimerRun, next: Timestamp) -> Option<Self> {
        self = self.given_back(holder)?;
        if run.outcome != TimerOutcome::Failed {
            self.served = Some(run.slot);
            self.next = Some(next);
        }
        if let Some(mut before) = self.last.replace(run) {
            before.message = before.message.chars().take(EARLIER_MESSAGE).collect();
            self.earlier.insert(0, before);
            self.earlier.truncate(EARLIER_RUNS);
        }
        Some(self)
    }

    /// `holder` gives its claim back, and the slot stays owed; `None` when it is not its any more.
    pub fn given_back(mut self, holder: &str) -> Option<Self> {
        self.claim.take_if(|claim| claim.holder == holder)?;
        Some(self)
    }

    /// The run that is under way at `now`. A claim that ends later than any that could have been
    /// made by now was made by a wrong clock.
    pub fn running(&self, now: Timestamp) -> Option<&TimerClaim> {
        let last_credible = after(after(now, TIMER_LEASE), MOST_AHEAD);
        self.claim
            .as_ref()
            .filter(|claim| claim.until > now && claim.until <= last_credible)
    }

    /// Whether it should have run by `now`, and nobody is at it.
    pub fn is_late(&self, now: Timestamp) -> bool {
        let is_over = |next: Timestamp| now > after(next, LATE_AFTER);
        self.next.is_some_and(is_over) && self.running(now).is_none()
    }
}

/// What is to be done about a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Wait,
    /// Nothing but to write this state: it was found for the first time, or its rule changed.
    Note(Box<TimerState>),
    /// To run it for this slot, which is the newest; older ones that were missed are not made up.
    Run(Timestamp),
}

/// What the scheduler `me` is to do about a timer at `now`; without a rule it is switched off.
///
/// A slot is owed from its time on until a run for it, or for a later one, has ended well. While
/// another scheduler holds the claim on it, it is that one's. A state that lies in the future was
/// written by a wrong clock and counts as none at all.
pub fn decide(known: &TimerState, rule: Option<TimerRule>, me: &str, now: Timestamp) -> Decision {
    let Some(rule) = rule else {
        return note(known, known.served, None);
    };
    let slot = rule.latest(now);
    let served = known
        .served
        .filter(|served| *served <= after(now, MOST_AHEAD));
    let served = match served {
        None if !known.timer.begins_at_once() => Some(slot),
        served => served,
    };
    if served >= Some(slot) {
        return note(known, served, Some(rule.next(now)));
    }
    match known.running(now) {
        Some(claim) if claim.holder != me => Decision::Wait,
        _ => Decision::Run(slot),
    }
}

fn note(known: &TimerState, served: Option<Timestamp>, next: Option<Timestamp>) -> Decision {
    if (known.served, known.next) == (served, next) {
        return Decision::Wait;
    }
    Decision::Note(Box::new(TimerState {
        served,
        next,
        ..known.clone()
    }))
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
