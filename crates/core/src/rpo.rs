//! Recovery point objective: how old the newest good backup of a database may be, and how it
//! stands. Pure, from a small row and the policy, so it holds also while the scheduler is dead.

mod promise;
mod rules;

use jiff::{SignedDuration, Timestamp};

pub use promise::Promise;
pub use rules::Rules;

use crate::model::{Database, DatabaseState};

/// How a database stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RpoState {
    /// The newest good backup is young enough.
    Met,
    /// It is late; the objective still holds.
    AtRisk,
    /// More may be lost than was agreed.
    Breached,
    /// There is no objective: nothing is scheduled, and none was set.
    Unknown,
}

impl RpoState {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
            Self::Unknown => "unknown",
        }
    }
}

/// An objective and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rpo {
    /// How it stands.
    pub state: RpoState,
    /// How old the newest good backup may become.
    pub objective: Option<SignedDuration>,
    /// Whether the objective was set on the database; else the policy gives it.
    pub is_set: bool,
    /// The instant that the newest good backup takes one back to.
    pub recovery_point: Option<Timestamp>,
    /// From when on the objective is at risk, unless a backup succeeds before.
    pub at_risk_from: Option<Timestamp>,
    /// From when on it is breached.
    pub breached_from: Option<Timestamp>,
    /// Why, for people.
    pub reason: String,
}

/// The age that is allowed, and the part of it that is slack for a backup that runs long or is
/// tried again.
#[derive(Debug, Clone, Copy)]
struct Objective {
    age: SignedDuration,
    slack: SignedDuration,
    is_set: bool,
}

/// How `database` stands at `now`, with what its policy promises; `None` when that cannot be told.
/// A database without a backup is as old as its registration.
pub fn rpo(
    database: &Database,
    promise: Option<Promise>,
    state: Option<&DatabaseState>,
    now: Timestamp,
) -> Rpo {
    let recovery_point = state
        .and_then(|state| state.recovery_point.as_ref())
        .map(|point| point.at);
    let Some(objective) = objective(database, promise) else {
        return Rpo {
            state: RpoState::Unknown,
            objective: None,
            is_set: false,
            recovery_point,
            at_risk_from: None,
            breached_from: None,
            reason: no_objective(database, promise).to_owned(),
        };
    };
    let since = recovery_point.unwrap_or(database.created_at);
    let after = |age: SignedDuration| since.saturating_add(age).unwrap_or(Timestamp::MAX);
    let breached_from = after(objective.age);
    let at_risk_from = after(objective.age - objective.slack);
    let verdict = if now >= breached_from {
        RpoState::Breached
    } else if now >= at_risk_from {
        RpoState::AtRisk
    } else {
        RpoState::Met
    };
    Rpo {
        state: verdict,
        objective: Some(objective.age),
        is_set: objective.is_set,
        recovery_point,
        at_risk_from: Some(at_risk_from),
        breached_from: Some(breached_from),
        reason: reason(verdict, recovery_point, state, breached_from),
    }
}

/// The objective that was set, of which the last fifth is slack; else the longest time between two
/// slots of the policy, plus a quarter of it and at least half an hour, half of which is slack.
fn objective(database: &Database, promise: Option<Promise>) -> Option<Objective> {
    if let Some(minutes) = database.rpo_minutes {
        let age = SignedDuration::from_mins(i64::from(minutes.get()));
        return Some(Objective {
            age,
            slack: age / 5,
            is_set: true,
        });
    }
    if !database.enabled {
        return None;
    }
    let interval = promise?.longest_gap()?;
    let margin = (interval / 4).max(SignedDuration::from_mins(30));
    Some(Objective {
        age: interval + margin,
        slack: margin / 2,
        is_set: false,
    })
}

fn no_objective(database: &Database, promise: Option<Promise>) -> &'static str {
    match (database.enabled, promise) {
        (false, _) => "the scheduler does not back this database up, and no objective is set",
        (true, None) => {
            "its policy cannot be found or read; look for damaged rows in the health report, or \
             give it another"
        }
        (true, Some(_)) => "its policy has no enabled tier, and no objective is set",
    }
}

fn reason(
    verdict: RpoState,
    recovery_point: Option<Timestamp>,
    state: Option<&DatabaseState>,
    breached_from: Timestamp,
) -> String {
    let newest = recovery_point.map_or_else(
        || "there is no good backup yet".to_owned(),
        |at| format!("the newest good backup is of {}", seconds(at)),
    );
    // Everybody may see this, and what servers say may name accounts: jobs and alerts tell that.
    let failures = state.map_or(0, |state| state.failures);
    let failing = match failures {
        0 => String::new(),
        1 => "; the last attempt failed, its job says why".to_owned(),
        count => format!("; the last {count} attempts failed, their jobs say why"),
    };
    match verdict {
        RpoState::Met | RpoState::Unknown => newest,
        RpoState::AtRisk => format!(
            "{newest}, and the objective ends at {}{failing}",
            seconds(breached_from)
        ),
        RpoState::Breached => format!(
            "{newest}, and the objective ended at {}{failing}",
            seconds(breached_from)
        ),
    }
}

fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

#[cfg(test)]
mod tests;
