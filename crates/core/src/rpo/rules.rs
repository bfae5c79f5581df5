//! What is promised to databases by their policies, with engines and policies at hand.

use std::collections::{HashMap, HashSet};

use super::Promise;
use crate::model::{BackupPolicy, Database, Engine, EngineId, PolicyId, PolicySource};
use crate::repository::{Listing, Versioned};
use crate::schedule::DEFAULT_POLICY;

/// What databases are judged by. A row that cannot be read is never taken for one that is not
/// there.
#[derive(Debug, Clone)]
pub struct Rules {
    engines: HashMap<EngineId, Engine>,
    promises: HashMap<String, Promise>,
    unreadable_engines: HashSet<String>,
    unreadable_policies: HashSet<String>,
}

impl Rules {
    /// The rules of an installation with these engines and policies.
    pub fn new(
        engines: &Listing<Versioned<Engine>>,
        policies: &Listing<Versioned<BackupPolicy>>,
    ) -> Self {
        let unreadable_engines = engines.damaged.iter().map(|row| row.key.row.clone());
        let unreadable_policies = policies.damaged.iter().map(|row| row.key.row.clone());
        let engines = engines.items.iter().map(|row| row.value.clone());
        let policies = policies.items.iter().map(|row| &row.value);
        let promises = policies.map(|policy| (policy.id.to_string(), Promise::of(policy)));
        Self {
            engines: engines.map(|row| (row.id.clone(), row)).collect(),
            promises: promises.collect(),
            unreadable_engines: unreadable_engines.collect(),
            unreadable_policies: unreadable_policies.collect(),
        }
    }

    /// What the policy promises that the scheduler follows for a database: the default one in place
    /// of one that is gone, and none in place of one that cannot be read.
    pub fn promise_of(&self, database: &Database) -> Option<Promise> {
        let is_inherited = matches!(database.policy, PolicySource::Engine);
        if is_inherited
            && self
                .unreadable_engines
                .contains(database.engine_id.as_str())
        {
            return None;
        }
        let engine = self.engines.get(&database.engine_id);
        let wanted = database.policy_named(engine);
        let wanted = wanted.map_or(DEFAULT_POLICY, PolicyId::as_str);
        if self.unreadable_policies.contains(wanted) {
            return None;
        }
        // An unreadable default is not among them.
        let found = self.promises.get(wanted);
        found.or_else(|| self.promises.get(DEFAULT_POLICY)).copied()
    }
}
