//! One tick: every enabled database is looked at; one bad row never stops the others.

use dilux_core::Result;
use dilux_core::model::{BackupPolicy, Database, Engine, PolicySource};
use dilux_core::schedule::DEFAULT_POLICY;
use jiff::{SignedDuration, Timestamp};

use crate::Scheduler;
use crate::plan::{Snapshot, plan};

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TickReport {
    /// Enabled databases looked at.
    pub databases: usize,
    /// Jobs booked.
    pub booked: usize,
    /// Databases that could not be planned; each is logged with the reason.
    pub failed: usize,
    /// Rows that could not be decoded.
    pub damaged: usize,
}

impl Scheduler {
    /// Books what is owed now, and what falls due before the next tick. An error means that
    /// storage did not answer and nothing was decided.
    pub async fn tick(&self) -> Result<TickReport> {
        let repositories = &self.installation.repositories;
        let databases = repositories.databases.list().await?;
        let engines = repositories.engines.list().await?;
        let policies = repositories.policies.list().await?;
        let mut report = TickReport {
            damaged: databases.damaged.len() + engines.damaged.len() + policies.damaged.len(),
            ..TickReport::default()
        };
        let engines: Vec<Engine> = engines.items.into_iter().map(|row| row.value).collect();
        let policies: Vec<BackupPolicy> = policies.items.into_iter().map(|row| row.value).collect();
        for database in databases
            .items
            .into_iter()
            .map(|row| row.value)
            .filter(|row| row.enabled)
        {
            report.databases += 1;
            match self.plan_database(&database, &engines, &policies).await {
                Ok(booked) => report.booked += booked,
                Err(reason) => {
                    report.failed += 1;
                    tracing::error!(database.id = %database.id, database = %database.label, %reason, "database cannot be planned");
                }
            }
        }
        Ok(report)
    }

    async fn plan_database(
        &self,
        database: &Database,
        engines: &[Engine],
        policies: &[BackupPolicy],
    ) -> std::result::Result<usize, String> {
        let engine = engines
            .iter()
            .find(|engine| engine.id == database.engine_id)
            .ok_or_else(|| format!("its engine '{}' is registered no more", database.engine_id))?;
        let policy = policy_of(database, engine, policies)?;
        let booked = self
            .installation
            .repositories
            .schedule
            .of(&database.id)
            .await;
        let booked = booked.map_err(|error| error.to_string())?;
        let now = self.installation.clock.now();
        let horizon = self.horizon(now);
        let snapshot = Snapshot {
            database,
            engine,
            policy,
            booked: booked
                .into_iter()
                .map(|state| (state.tier, state.last_slot))
                .collect(),
        };
        let mut count = 0;
        for owed in plan(&snapshot, now, horizon) {
            tracing::info!(database = %database.label, reason = %owed.reason, "backup is booked");
            let dispatched = self.installation.dispatcher.dispatch(owed.job).await;
            count += usize::from(dispatched.map_err(|error| error.to_string())?.is_new);
            // Only after the job is booked: a crash in between books the same job once more.
            for state in owed.states {
                let put = self.installation.repositories.schedule.put(&state).await;
                put.map_err(|error| error.to_string())?;
            }
        }
        Ok(count)
    }

    fn horizon(&self, now: Timestamp) -> Timestamp {
        let tick = SignedDuration::try_from(self.installation.settings.tick);
        now.saturating_add(tick.unwrap_or(SignedDuration::ZERO))
            .unwrap_or(now)
    }
}

/// The documented resolution: the engine's policy when inherited, the default one when there is
/// none of that name, and an error rather than silence when even that is missing.
fn policy_of<'a>(
    database: &Database,
    engine: &Engine,
    policies: &'a [BackupPolicy],
) -> std::result::Result<&'a BackupPolicy, String> {
    let wanted = match &database.policy {
        PolicySource::Own(id) => Some(id),
        PolicySource::Engine => engine.policy_id.as_ref(),
    };
    let by_id = |id: &str| policies.iter().find(|policy| policy.id.as_str() == id);
    wanted
        .and_then(|id| by_id(id.as_str()))
        .or_else(|| by_id(DEFAULT_POLICY))
        .ok_or_else(|| format!("neither its policy nor '{DEFAULT_POLICY}' exists"))
}
