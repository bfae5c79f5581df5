//! Policies: list and read.

use std::collections::HashMap;

use dilux_core::model::{BackupPolicy, PolicyId};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::{Error, Result};

use super::Application;
use super::databases::effective_policy;

impl Application {
    /// All policies, those of the product first, then by name.
    pub(crate) async fn list_policies(&self) -> Result<Listing<Versioned<BackupPolicy>>> {
        let mut listing = self.installation.repositories.policies.list().await?;
        listing.items.sort_by_cached_key(|policy| {
            let policy = &policy.value;
            let name = policy.name.as_str().to_lowercase();
            (!policy.is_system, name, policy.id.clone())
        });
        Ok(listing)
    }

    /// One policy, and how many databases follow it, by themselves or through their engine.
    pub(crate) async fn view_policy(
        &self,
        id: &PolicyId,
    ) -> Result<(Versioned<BackupPolicy>, usize)> {
        let repositories = &self.installation.repositories;
        let policy = repositories.policies.get(id).await?;
        let policy = policy.ok_or_else(|| Error::NotFound {
            what: "Policy",
            id: id.to_string(),
        })?;
        let engines: HashMap<_, _> = self.engines_by_id().await?;
        let databases = repositories.databases.list().await?.items;
        let followers = databases.iter().filter(|database| {
            engines
                .get(&database.value.engine_id)
                .is_some_and(|engine| effective_policy(&database.value, engine) == id.as_str())
        });
        Ok((policy, followers.count()))
    }
}
