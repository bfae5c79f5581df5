//! Which policy a database follows, with engines and policies at hand.

use std::collections::HashMap;

use crate::model::{BackupPolicy, Database, Engine, EngineId, PolicyId};
use crate::schedule::DEFAULT_POLICY;

/// What databases are judged by.
#[derive(Debug, Clone)]
pub struct Rules {
    engines: HashMap<EngineId, Engine>,
    policies: HashMap<PolicyId, BackupPolicy>,
    default: Option<BackupPolicy>,
}

impl Rules {
    /// The rules of an installation with these engines and policies.
    pub fn new(
        engines: impl IntoIterator<Item = Engine>,
        policies: impl IntoIterator<Item = BackupPolicy>,
    ) -> Self {
        let engines = engines.into_iter().map(|row| (row.id.clone(), row));
        let policies = policies.into_iter().map(|row| (row.id.clone(), row));
        let policies: HashMap<PolicyId, BackupPolicy> = policies.collect();
        let default = policies
            .values()
            .find(|policy| policy.id.as_str() == DEFAULT_POLICY)
            .cloned();
        Self {
            engines: engines.collect(),
            policies,
            default,
        }
    }

    /// The policy that the scheduler follows for a database: the default one in place of one that
    /// is gone.
    pub fn policy_of(&self, database: &Database) -> Option<&BackupPolicy> {
        let engine = self.engines.get(&database.engine_id);
        database
            .policy_named(engine)
            .and_then(|id| self.policies.get(id))
            .or(self.default.as_ref())
    }
}
