//! Numbers for the dashboard, from tallies that are kept with each change of the history: what a
//! call costs depends on the number of databases, and not on the length of their history.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use dilux_core::Result;
use dilux_core::model::{
    Database, DatabaseId, Engine, EngineId, EngineType, InvalidName, LatestFailure, Tally, Turnout,
};
use dilux_core::repository::{Listing, Versioned};
use jiff::Timestamp;

use super::Application;

/// A collection as it stands, shared by all calls that need it.
pub(super) type Rows<T> = Arc<Listing<Versioned<T>>>;

/// How far back backups are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Period {
    /// The last 24 full hours, and the one under way.
    #[default]
    Day,
    /// The last 7 full days (UTC), and today.
    Week,
    /// The last 30 full days (UTC), and today.
    Month,
    /// Everything.
    All,
}

impl Period {
    /// The name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Day => "1d",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::All => "all",
        }
    }

    fn turnout(self, tally: &Tally, now: Timestamp) -> Turnout {
        match self {
            Self::Day => tally.of_last_hours(24, now),
            Self::Week => tally.of_last_days(7, now),
            Self::Month => tally.of_last_days(30, now),
            Self::All => tally.ever,
        }
    }
}

impl FromStr for Period {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        [Self::Day, Self::Week, Self::Month, Self::All]
            .into_iter()
            .find(|period| period.as_str() == text)
            .ok_or_else(|| InvalidName("must be one of 1d, 7d, 30d, all".to_owned()))
    }
}

/// The state of everything, in numbers.
#[derive(Debug)]
pub(crate) struct Status {
    /// Now.
    pub(crate) now: Timestamp,
    /// Backups that are there.
    pub(crate) backups: u64,
    /// Their stored bytes.
    pub(crate) bytes: u64,
    /// Lines of today (UTC).
    pub(crate) today: u64,
    /// Lines of the period.
    pub(crate) turnout: Turnout,
    /// Why a store does not answer.
    pub(crate) silent_store: Option<String>,
    /// Databases.
    pub(crate) databases: usize,
    /// Those that are backed up.
    pub(crate) enabled: usize,
}

/// What one database's backups take up.
#[derive(Debug)]
pub(crate) struct DatabaseUse {
    /// The database, which may be registered no more.
    pub(crate) id: DatabaseId,
    /// Its label.
    pub(crate) name: String,
    /// The type of its engine.
    pub(crate) engine_type: Option<EngineType>,
    /// Its engine, while it is registered.
    pub(crate) engine_id: Option<EngineId>,
    /// Backups that are there.
    pub(crate) backups: u64,
    /// Their stored bytes.
    pub(crate) bytes: u64,
}

/// What all backups take up, in every destination.
#[derive(Debug)]
pub(crate) struct StorageUse {
    /// Databases that have backups, largest first.
    pub(crate) databases: Vec<DatabaseUse>,
    /// The engines.
    pub(crate) engines: HashMap<EngineId, Engine>,
}

/// A database whose newest backups failed.
#[derive(Debug)]
pub(crate) struct FailingDatabase {
    /// The database.
    pub(crate) database: Database,
    /// The type of its engine.
    pub(crate) engine_type: EngineType,
    /// How many failed, one after the other.
    pub(crate) failures: u64,
    /// The newest of them.
    pub(crate) latest: LatestFailure,
}

impl Application {
    pub(super) async fn tallies(&self) -> Result<Rows<Tally>> {
        Ok(self.installation.repositories.backups.tallies.all().await?)
    }

    pub(super) async fn registered(&self) -> Result<Rows<Database>> {
        Ok(self.installation.repositories.databases.all().await?)
    }

    /// The state of everything.
    pub(crate) async fn system_status(&self, period: Period) -> Result<Status> {
        let now = self.installation.clock.now();
        let databases = self.registered().await?;
        let mut status = Status {
            now,
            backups: 0,
            bytes: 0,
            today: 0,
            turnout: Turnout::default(),
            silent_store: None,
            databases: databases.items.len(),
            enabled: databases.items.iter().filter(|it| it.value.enabled).count(),
        };
        for Versioned { value: tally, .. } in &self.tallies().await?.items {
            status.backups += tally.present;
            status.bytes += tally.present_bytes;
            status.today += tally.of_last_days(0, now).lines;
            status.turnout.add(period.turnout(tally, now));
        }
        let stores = self.check_stores().await;
        status.silent_store = stores.err().map(|error| error.to_string());
        Ok(status)
    }

    /// What all backups take up.
    pub(crate) async fn storage_use(&self) -> Result<StorageUse> {
        let registered = self.registered().await?;
        let registered = by_id(&registered);
        let tallies = self.tallies().await?;
        let tallies = tallies.items.iter().map(|it| &it.value);
        let with_backups = tallies.filter(|tally| tally.present > 0);
        let mut databases: Vec<DatabaseUse> = with_backups
            .map(|tally| describe(tally, registered.get(&tally.database_id).copied()))
            .collect();
        databases.sort_by(|one, other| (other.bytes, &one.id).cmp(&(one.bytes, &other.id)));
        Ok(StorageUse {
            databases,
            engines: self.engines_by_id().await?,
        })
    }

    /// The registered databases of which at least so many backups failed, one after the other,
    /// latest failure first.
    pub(crate) async fn failing_databases(&self, at_least: u64) -> Result<Vec<FailingDatabase>> {
        let registered = self.registered().await?;
        let registered = by_id(&registered);
        let tallies = self.tallies().await?;
        let tallies = tallies.items.iter().map(|it| &it.value);
        let failing = tallies.filter(|tally| tally.streak.failures >= at_least);
        let mut databases: Vec<FailingDatabase> = failing
            .filter_map(|tally| {
                Some(FailingDatabase {
                    database: Database::clone(registered.get(&tally.database_id)?),
                    engine_type: tally.engine_type?,
                    failures: tally.streak.failures,
                    latest: tally.streak.latest.clone()?,
                })
            })
            .collect();
        databases.sort_by(|one, other| {
            let id = |failing: &FailingDatabase| failing.database.id.clone();
            (other.latest.at, id(one)).cmp(&(one.latest.at, id(other)))
        });
        Ok(databases)
    }

    /// The tally of one database.
    pub(crate) async fn backup_stats(&self, id: &DatabaseId) -> Result<Tally> {
        self.database(id).await?;
        let tally = self.tally_of(id).await?;
        Ok(tally.unwrap_or_else(|| Tally::empty(id.clone())))
    }

    /// The tally of one database; `None` while it has no history.
    pub(super) async fn tally_of(&self, id: &DatabaseId) -> Result<Option<Tally>> {
        let tallies = &self.installation.repositories.backups.tallies;
        Ok(tallies.get(id).await?.map(|tally| tally.value))
    }
}

/// Databases by their ids.
pub(super) fn by_id(databases: &Listing<Versioned<Database>>) -> HashMap<&DatabaseId, &Database> {
    let databases = databases.items.iter().map(|it| &it.value);
    databases.map(|it| (&it.id, it)).collect()
}

fn describe(tally: &Tally, database: Option<&Database>) -> DatabaseUse {
    let label = database.map(|database| database.label.to_string());
    let name = label.or_else(|| tally.label.as_ref().map(ToString::to_string));
    DatabaseUse {
        name: name.unwrap_or_default(),
        engine_type: tally.engine_type,
        engine_id: database.map(|database| database.engine_id.clone()),
        backups: tally.present,
        bytes: tally.present_bytes,
        id: tally.database_id.clone(),
    }
}
