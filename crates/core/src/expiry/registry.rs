//! Which databases are registered and what their policies say, as read once at the start of a run.
//! A row that cannot be read is never taken for one that is not there.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::model::{
    AppSettings, BackupPolicy, Database, DatabaseId, Engine, EngineId, PolicyId, PolicySource,
};
use crate::repository::{DamagedRow, Repositories};
use crate::retention::{Rules, Standing};
use crate::schedule::DEFAULT_POLICY;

/// What is registered.
#[derive(Debug)]
pub(super) struct Registry {
    databases: HashMap<DatabaseId, Database>,
    engines: HashMap<EngineId, Engine>,
    policies: HashMap<PolicyId, BackupPolicy>,
    unreadable: HashSet<(&'static str, String)>,
    outside_days: u32,
}

/// What a database follows.
#[derive(Debug)]
pub(super) struct Followed<'a> {
    /// The database; `None` when it is registered no more.
    pub(super) database: Option<&'a Database>,
    /// Its policy.
    pub(super) policy: Option<&'a BackupPolicy>,
}

impl Followed<'_> {
    /// The tiers of its policy; `None` when it is registered no more.
    pub(super) fn standing(&self) -> Option<Standing> {
        self.policy.map(Standing::of)
    }
}

impl Registry {
    /// Reads it.
    pub(super) async fn read(repositories: &Repositories) -> Result<Self> {
        let databases = repositories.databases.list().await?;
        let engines = repositories.engines.list().await?;
        let policies = repositories.policies.list().await?;
        let mut unreadable = HashSet::new();
        let mut note = |kind: &'static str, damaged: Vec<DamagedRow>| {
            unreadable.extend(damaged.into_iter().map(|row| (kind, row.key.row)));
        };
        note("database", databases.damaged);
        note("engine", engines.damaged);
        note("policy", policies.damaged);
        let settings = repositories.settings.get().await?;
        let settings = settings.map_or_else(AppSettings::default, |row| row.value);
        let databases = databases.items.into_iter().map(|row| row.value);
        let engines = engines.items.into_iter().map(|row| row.value);
        let policies = policies.items.into_iter().map(|row| row.value);
        Ok(Self {
            databases: databases.map(|row| (row.id.clone(), row)).collect(),
            engines: engines.map(|row| (row.id.clone(), row)).collect(),
            policies: policies.map(|row| (row.id.clone(), row)).collect(),
            unreadable,
            outside_days: settings.default_retention_days,
        })
    }

    /// The ids of the registered databases.
    pub(super) fn ids(&self) -> impl Iterator<Item = &DatabaseId> {
        self.databases.keys()
    }

    /// Whether a database is registered.
    pub(super) fn is_registered(&self, id: &DatabaseId) -> bool {
        self.databases.contains_key(id)
    }

    /// The rules for a database of this standing.
    pub(super) fn rules(&self, standing: Standing, minimum: u32) -> Rules {
        Rules {
            standing,
            outside_days: self.outside_days,
            minimum,
        }
    }

    /// A policy.
    pub(super) fn policy(&self, id: &PolicyId) -> Option<&BackupPolicy> {
        self.policies.get(id)
    }

    /// What a database follows: the documented resolution. A sentence when that cannot be told.
    pub(super) fn followed(&self, id: &DatabaseId) -> Result<Followed<'_>, String> {
        if self.is_unreadable("database", id.as_str()) {
            return Err("its row cannot be read".to_owned());
        }
        let Some(database) = self.databases.get(id) else {
            return Ok(Followed {
                database: None,
                policy: None,
            });
        };
        let wanted = match &database.policy {
            PolicySource::Own(policy) => Some(policy),
            PolicySource::Engine => self.policy_of_engine(&database.engine_id)?,
        };
        let wanted = wanted.map_or(DEFAULT_POLICY, PolicyId::as_str);
        let policy = match self.policy_named(wanted)? {
            Some(policy) => Some(policy),
            None => self.policy_named(DEFAULT_POLICY)?,
        };
        let policy = policy
            .ok_or_else(|| format!("neither policy '{wanted}' nor '{DEFAULT_POLICY}' exists"))?;
        Ok(Followed {
            database: Some(database),
            policy: Some(policy),
        })
    }

    fn policy_of_engine(&self, id: &EngineId) -> Result<Option<&PolicyId>, String> {
        if self.is_unreadable("engine", id.as_str()) {
            return Err(format!("the row of its engine '{id}' cannot be read"));
        }
        Ok(self
            .engines
            .get(id)
            .and_then(|engine| engine.policy_id.as_ref()))
    }

    fn policy_named(&self, id: &str) -> Result<Option<&BackupPolicy>, String> {
        if self.is_unreadable("policy", id) {
            return Err(format!("the row of its policy '{id}' cannot be read"));
        }
        Ok(id
            .parse()
            .ok()
            .and_then(|id: PolicyId| self.policies.get(&id)))
    }

    fn is_unreadable(&self, kind: &'static str, id: &str) -> bool {
        self.unreadable.contains(&(kind, id.to_owned()))
    }
}
