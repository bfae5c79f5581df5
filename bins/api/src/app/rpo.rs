//! How databases stand against their recovery point objectives, from stored state alone.

use std::collections::HashMap;

use dilux_core::Result;
use dilux_core::model::BackupPolicy;
use dilux_core::rpo::{Rpo, rpo};
use dilux_core::schedule::DEFAULT_POLICY;

use super::{Application, DatabaseView, effective_policy};

impl Application {
    /// How a database stands.
    pub(crate) async fn rpo_of(&self, view: &DatabaseView) -> Result<Rpo> {
        let repositories = &self.installation.repositories;
        let database = &view.database.value;
        let state = repositories.states.get(&database.id).await?;
        let policies = self.policies_by_id().await?;
        Ok(rpo(
            database,
            policy_of(view, &policies),
            state.as_ref().map(|state| &state.value),
            self.installation.clock.now(),
        ))
    }

    /// How each of these databases stands, in their order.
    pub(crate) async fn rpos_of(&self, views: &[DatabaseView]) -> Result<Vec<Rpo>> {
        let states = self.installation.repositories.states.all().await?;
        let states = states.items.iter().map(|state| &state.value);
        let states: HashMap<_, _> = states.map(|it| (&it.database_id, it)).collect();
        let policies = self.policies_by_id().await?;
        let now = self.installation.clock.now();
        let rpos = views.iter().map(|view| {
            let database = &view.database.value;
            let state = states.get(&database.id).copied();
            rpo(database, policy_of(view, &policies), state, now)
        });
        Ok(rpos.collect())
    }

    async fn policies_by_id(&self) -> Result<HashMap<String, BackupPolicy>> {
        let policies = self.installation.repositories.policies.all().await?;
        let policies = policies.items.iter().map(|policy| &policy.value);
        Ok(policies
            .map(|policy| (policy.id.to_string(), policy.clone()))
            .collect())
    }
}

/// The policy that the scheduler follows for a database: the default one in place of one that is
/// gone.
fn policy_of<'a>(
    view: &DatabaseView,
    policies: &'a HashMap<String, BackupPolicy>,
) -> Option<&'a BackupPolicy> {
    policies
        .get(effective_policy(&view.database.value, &view.engine))
        .or_else(|| policies.get(DEFAULT_POLICY))
}
