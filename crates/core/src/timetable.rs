//! The timetable of a database: what comes next, and what became of its last slots, each with the
//! reason. Read from the store alone, so it can be asked for while no scheduler runs.

use std::num::NonZeroU32;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::installation::Installation;
use crate::model::{BackupPolicy, Database, DatabaseId, Engine, PolicyId, Tier};
use crate::repository::Miss;
use crate::schedule::{DEFAULT_POLICY, Run, Slots, TierState, next_runs};
use crate::storage::StorageErrorKind;

/// Coming backups that are told.
pub const TIMETABLE_RUNS: usize = 10;

/// Coming slots of each tier that are told.
const SLOTS: usize = 3;

/// Misses that are told.
const MISSES: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// One tier of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierTimetable {
    /// Tier.
    pub tier: Tier,
    /// Its next slots; none while the tier or the database is disabled.
    pub next: Vec<Timestamp>,
    /// What the scheduler knows of it; nothing before its first look.
    pub state: Option<TierState>,
}

/// The timetable of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct Timetable {
    /// The database.
    pub database: Database,
    /// The policy that it follows.
    pub policy: BackupPolicy,
    /// Why that is another policy than it names; `None` when it is not.
    pub policy_note: Option<String>,
    /// Its next backups; none while it is disabled.
    pub runs: Vec<Run>,
    /// Every tier, shortest first.
    pub tiers: Vec<TierTimetable>,
    /// The newest slots that have no backup.
    pub misses: Vec<Miss>,
}

impl Timetable {
    /// Reads the timetable of a database.
    pub async fn read(installation: &Installation, id: &DatabaseId) -> Result<Self> {
        let (database, engine) = registered(installation, id).await?;
        let (policy, policy_note) = policy_followed(installation, &database, &engine).await?;
        let now = installation.clock.now();
        let schedule = &installation.repositories.schedule;
        let states = schedule.of(id).await?;
        let tiers = Tier::ALL.into_iter().map(|tier| {
            let mut states = states.items.iter().map(|row| &row.value.state);
            TierTimetable {
                tier,
                next: if database.enabled {
                    next_slots(&policy, tier, now)
                } else {
                    Vec::new()
                },
                state: states.find(|state| state.tier == tier).cloned(),
            }
        });
        let runs = if database.enabled {
            next_runs(&policy, now, TIMETABLE_RUNS)
        } else {
            Vec::new()
        };
        Ok(Self {
            tiers: tiers.collect(),
            runs,
            misses: schedule.misses(id, MISSES).await?,
            database,
            policy,
            policy_note,
        })
    }
}

async fn registered(installation: &Installation, id: &DatabaseId) -> Result<(Database, Engine)> {
    let repositories = &installation.repositories;
    let database = repositories.databases.get(id).await?;
    let database = database.ok_or_else(|| Error::NotFound {
        what: "Database",
        id: id.to_string(),
    })?;
    let engine_id = &database.value.engine_id;
    let engine = repositories.engines.get(engine_id).await?;
    let engine = engine.ok_or_else(|| {
        Error::Refused(format!("Engine '{engine_id}' of this database not found"))
    })?;
    Ok((database.value, engine.value))
}

/// The policy by which the scheduler plans a database, and why it is not the one that is named.
async fn policy_followed(
    installation: &Installation,
    database: &Database,
    engine: &Engine,
) -> Result<(BackupPolicy, Option<String>)> {
    let policies = &installation.repositories.policies;
    let named = database.policy_named(Some(engine));
    let wanted = named.map_or(DEFAULT_POLICY, PolicyId::as_str);
    let ids = [wanted, DEFAULT_POLICY].map(str::parse::<PolicyId>);
    for id in ids.into_iter().flatten() {
        let found = match policies.get(&id).await {
            Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                return Err(Error::Refused(format!(
                    "the row of policy '{id}' cannot be read; this database is not backed up until \
                     the policy is saved anew or the database follows another"
                )));
            }
            found => found?,
        };
        if let Some(policy) = found {
            let note = (id.as_str() != wanted)
                .then(|| format!("there is no policy '{wanted}'; the default one applies"));
            return Ok((policy.value, note));
        }
    }
    Err(Error::Refused(format!(
        "neither the policy '{wanted}' nor '{DEFAULT_POLICY}' exists; this database is not backed up"
    )))
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
