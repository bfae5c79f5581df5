//! What a tick plans by: engines and policies, with the slots of each policy at that moment.

use std::collections::{HashMap, HashSet};

use dilux_core::model::{BackupPolicy, Database, Engine, EngineId, PolicyId, PolicySource};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::schedule::{DEFAULT_POLICY, Outlook};
use jiff::Timestamp;

use crate::plan::Subject;

/// A policy and what the clock says of it.
pub(crate) struct Rules<'a> {
    pub(crate) policy: &'a BackupPolicy,
    pub(crate) outlook: Outlook,
}

/// Engines by id, policies by id. A row that cannot be read is never taken for one that is not
/// there.
pub(crate) struct Catalogue<'a> {
    engines: HashMap<&'a EngineId, &'a Engine>,
    rules: HashMap<&'a str, Rules<'a>>,
    unreadable_engines: HashSet<&'a str>,
    unreadable_policies: HashSet<&'a str>,
}

impl<'a> Catalogue<'a> {
    /// The catalogue at `now`, with slots up to `horizon`.
    pub(crate) fn new(
        engines: &'a Listing<Versioned<Engine>>,
        policies: &'a Listing<Versioned<BackupPolicy>>,
        now: Timestamp,
        horizon: Timestamp,
    ) -> Self {
        let unreadable_engines = engines.damaged.iter().map(|row| row.key.row.as_str());
        let unreadable_policies = policies.damaged.iter().map(|row| row.key.row.as_str());
        let engines = engines.items.iter().map(|row| (&row.value.id, &row.value));
        let rules = policies.items.iter().map(|row| {
            let policy = &row.value;
            let outlook = Outlook::new(policy, now, horizon);
            (policy.id.as_str(), Rules { policy, outlook })
        });
        Self {
            engines: engines.collect(),
            rules: rules.collect(),
            unreadable_engines: unreadable_engines.collect(),
            unreadable_policies: unreadable_policies.collect(),
        }
    }

    /// A database with everything that it is planned by, or why it cannot be planned. The policy is
    /// the engine's when it is inherited, and the default one when there is none of that name.
    pub(crate) fn subject(&'a self, database: &'a Database) -> Result<Subject<'a>, String> {
        let engine = self.engine(&database.engine_id)?;
        let (wanted, inherited_since) = match &database.policy {
            PolicySource::Own(id) => (Some(id), None),
            PolicySource::Engine => (engine.policy_id.as_ref(), Some(engine.updated_at)),
        };
        let wanted = wanted.map_or(DEFAULT_POLICY, PolicyId::as_str);
        let rules = match self.rules_named(wanted)? {
            Some(rules) => Some(rules),
            None => self.rules_named(DEFAULT_POLICY)?,
        };
        let rules = rules.ok_or_else(|| {
            format!("neither its policy '{wanted}' nor '{DEFAULT_POLICY}' exists")
        })?;
        let edited_at = [
            Some(rules.policy.updated_at),
            Some(database.updated_at),
            inherited_since,
        ]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(rules.policy.updated_at);
        Ok(Subject {
            database,
            engine,
            rules,
            edited_at,
        })
    }

    fn engine(&self, id: &EngineId) -> Result<&'a Engine, String> {
        let found = self.engines.get(id).copied();
        found.ok_or_else(|| {
            if self.unreadable_engines.contains(id.as_str()) {
                format!("the row of its engine '{id}' cannot be read")
            } else {
                format!("its engine '{id}' is registered no more")
            }
        })
    }

    fn rules_named(&self, id: &str) -> Result<Option<&Rules<'a>>, String> {
        if self.unreadable_policies.contains(id) {
            return Err(format!("the row of its policy '{id}' cannot be read"));
        }
        Ok(self.rules.get(id))
    }
}
