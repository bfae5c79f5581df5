//! How databases stand against their recovery point objectives, from stored state alone.

use std::collections::HashMap;

use dilux_core::Result;
use dilux_core::rpo::{Rpo, Rules, rpo};

use super::{Application, DatabaseView};

impl Application {
    /// How a database stands.
    pub(crate) async fn rpo_of(&self, view: &DatabaseView) -> Result<Rpo> {
        let repositories = &self.installation.repositories;
        let database = &view.database.value;
        let state = repositories.states.get(&database.id).await?;
        let rules = self.rules().await?;
        Ok(rpo(
            database,
            rules.promise_of(database),
            state.as_ref().map(|state| &state.value),
            self.installation.clock.now(),
        ))
    }

    /// How each of these databases stands, in their order.
    pub(crate) async fn rpos_of(&self, views: &[DatabaseView]) -> Result<Vec<Rpo>> {
        let states = self.installation.repositories.states.all().await?;
        let states = states.items.iter().map(|state| &state.value);
        let states: HashMap<_, _> = states.map(|it| (&it.database_id, it)).collect();
        let rules = self.rules().await?;
        let now = self.installation.clock.now();
        let rpos = views.iter().map(|view| {
            let database = &view.database.value;
            let state = states.get(&database.id).copied();
            rpo(database, rules.promise_of(database), state, now)
        });
        Ok(rpos.collect())
    }

    async fn rules(&self) -> Result<Rules> {
        let repositories = &self.installation.repositories;
        let engines = repositories.engines.all().await?;
        let policies = repositories.policies.all().await?;
        Ok(Rules::new(&engines, &policies))
    }
}
