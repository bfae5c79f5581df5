//! Recovery point objectives on the wire.

use dilux_core::rpo;
use serde::Serialize;
use utoipa::ToSchema;

/// How old the newest good backup of a database may be, and how it stands. Evaluated when asked
/// for, also while the scheduler is dead.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rpo {
    /// `met`, `at_risk`, `breached` or `unknown`.
    #[schema(example = "met")]
    state: &'static str,
    /// How many minutes of changes may be lost at most; `null` while there is no objective.
    objective_minutes: Option<i64>,
    /// `database` where it was set, `policy` where it is derived from the policy.
    source: Option<&'static str>,
    /// The instant that the newest good backup takes one back to: the start of its dump.
    recovery_point: Option<String>,
    /// From when on the objective is at risk, unless a backup succeeds before.
    at_risk_from: Option<String>,
    /// From when on it is breached.
    breached_from: Option<String>,
    /// Why, for people.
    reason: String,
}

impl From<&rpo::Rpo> for Rpo {
    fn from(rpo: &rpo::Rpo) -> Self {
        let source = if rpo.is_set { "database" } else { "policy" };
        Self {
            state: rpo.state.as_str(),
            objective_minutes: rpo.objective.map(|age| age.as_mins()),
            source: rpo.objective.map(|_| source),
            recovery_point: rpo.recovery_point.map(|at| at.to_string()),
            at_risk_from: rpo.at_risk_from.map(|at| at.to_string()),
            breached_from: rpo.breached_from.map(|at| at.to_string()),
            reason: rpo.reason.clone(),
        }
    }
}
