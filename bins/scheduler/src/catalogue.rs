//! What a tick plans by: engines and policies, with the slots of each policy at that moment.

use std::collections::HashMap;

use dilux_core::model::{BackupPolicy, Database, Engine, EngineId, PolicySource};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::schedule::{DEFAULT_POLICY, Outlook};
use jiff::Timestamp;

use crate::plan::Subject;

/// A policy and what the clock says of it.
pub(crate) struct Rules<'a> {
    pub(crate) policy: &'a BackupPolicy,
    pub(crate) outlook: Outlook,
}

/// Engines by id, policies by id.
pub(crate) struct Catalogue<'a> {
    engines: HashMap<&'a EngineId, &'a Engine>,
    rules: HashMap<&'a str, Rules<'a>>,
}

impl<'a> Catalogue<'a> {
    /// The catalogue at `now`, with slots up to `horizon`.
    pub(crate) fn new(
        engines: &'a Listing<Versioned<Engine>>,
        policies: &'a Listing<Versioned<BackupPolicy>>,
        now: Timestamp,
        horizon: Timestamp,
    ) -> Self {
        let engines = engines.items.iter().map(|row| (&row.value.id, &row.value));
        let rules = policies.items.iter().map(|row| {
            let policy = &row.value;
            let outlook = Outlook::new(policy, now, horizon);
            (policy.id.as_str(), Rules { policy, outlook })
        });
        Self {
            engines: engines.collect(),
            rules: rules.collect(),
        }
    }

    /// A database with everything that it is planned by, or why it cannot be planned. The policy is
    /// the engine's when it is inherited, and the default one when there is none of that name.
    pub(crate) fn subject(&'a self, database: &'a Database) -> Result<Subject<'a>, String> {
        let engine = self
            .engines
            .get(&database.engine_id)
            .ok_or_else(|| format!("its engine '{}' is registered no more", database.engine_id))?;
        let (wanted, inherited_since) = match &database.policy {
            PolicySource::Own(id) => (Some(id), None),
            PolicySource::Engine => (engine.policy_id.as_ref(), Some(engine.updated_at)),
        };
        let rules = wanted
            .and_then(|id| self.rules.get(id.as_str()))
            .or_else(|| self.rules.get(DEFAULT_POLICY))
            .ok_or_else(|| format!("neither its policy nor '{DEFAULT_POLICY}' can be read"))?;
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
}
