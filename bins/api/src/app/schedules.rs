//! The schedule of a database: what comes next, and what became of the last slots.

use std::num::NonZeroU32;

use dilux_core::model::{BackupPolicy, Database, DatabaseId, Engine, PolicyId, Tier};
use dilux_core::repository::Versioned;
use dilux_core::schedule::{DEFAULT_POLICY, Run, Slots, next_runs};
use dilux_core::{Error, Result};
use jiff::Timestamp;

use super::Application;
use super::databases::effective_policy;
use crate::wire::schedule::ScheduleView;

/// Runs of a database that are shown.
const RUNS: usize = 10;

/// Slots of each tier that are shown.
const SLOTS: usize = 3;

/// Misses that are shown.
const MISSES: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

impl Application {
    /// The schedule of a database.
    pub(crate) async fn view_schedule(&self, id: &DatabaseId) -> Result<ScheduleView> {
        let view = self.view_database(id).await?;
        let database = view.database.value;
        let (policy, policy_note) = self.policy_followed(&database, &view.engine).await?;
        let now = self.installation.clock.now();
        let schedule = &self.installation.repositories.schedule;
        let states = schedule.of(id).await?;
        let tiers = Tier::ALL.into_iter().map(|tier| {
            let mut states = states.items.iter().map(|row| &row.value.state);
            let state = states.find(|state| state.tier == tier).cloned();
            let next = if database.enabled {
                next_slots(&policy, tier, now)
            } else {
                Vec::new()
            };
            (tier, next, state)
        });
        let runs = if database.enabled {
            next_runs(&policy, now, RUNS)
        } else {
            Vec::new()
        };
        Ok(ScheduleView {
            tiers: tiers.collect(),
            runs,
            misses: schedule.misses(id, MISSES).await?,
            database,
            policy,
            policy_note,
        })
    }

    /// The next runs of a policy, for a database whose backups are all up to date.
    pub(crate) async fn preview_policy(
        &self,
        id: &PolicyId,
    ) -> Result<(Versioned<BackupPolicy>, Vec<Run>)> {
        let (policy, _) = self.view_policy(id).await?;
        let runs = next_runs(&policy.value, self.installation.clock.now(), RUNS);
        Ok((policy, runs))
    }

    /// The policy by which the scheduler plans a database, and why it is not the one that is named.
    async fn policy_followed(
        &self,
        database: &Database,
        engine: &Engine,
    ) -> Result<(BackupPolicy, Option<String>)> {
        let policies = &self.installation.repositories.policies;
        let wanted = effective_policy(database, engine);
        let ids = [wanted, DEFAULT_POLICY].map(str::parse::<PolicyId>);
        for id in ids.into_iter().flatten() {
            if let Some(policy) = policies.get(&id).await? {
                let note = (id.as_str() != wanted)
                    .then(|| format!("there is no policy '{wanted}'; the default one applies"));
                return Ok((policy.value, note));
            }
        }
        Err(Error::Refused(format!(
            "neither the policy '{wanted}' nor '{DEFAULT_POLICY}' exists; this database is not \
             backed up"
        )))
    }
}

fn next_slots(policy: &BackupPolicy, tier: Tier, now: Timestamp) -> Vec<Timestamp> {
    let Some(rule) = policy.rule(tier) else {
        return Vec::new();
    };
    Slots::new(&rule.schedule, &policy.timing)
        .between(now, Timestamp::MAX)
        .take(SLOTS)
        .collect()
}
