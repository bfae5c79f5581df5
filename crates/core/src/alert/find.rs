//! The look at an installation's state: a page of rows at a time, so that memory grows with what is
//! wrong, and time with the number of databases.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Alert, AlertDatabase, of_damage, of_database, of_dead_letter, of_timers};
use crate::installation::Installation;
use crate::model::{Damage, Database, DatabaseId, DatabaseState, Streak, Tally};
use crate::repository::{DamagedRow, Listing, Versioned};
use crate::rpo::{Rules, rpo};
use crate::storage::StorageResult;

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundAlerts {
    /// The alerts, those of the newest onset first.
    pub alerts: Vec<Alert>,
    /// Rows that cannot be read, of whose things nothing is told.
    pub damaged: Vec<DamagedRow>,
}

/// All alerts at `now`.
pub async fn find(installation: &Installation, now: Timestamp) -> StorageResult<FoundAlerts> {
    let mut look = Look {
        installation,
        now,
        found: FoundAlerts::default(),
    };
    let mut troubles = look.at_tallies().await?;
    look.at_databases(&mut troubles).await?;
    for trouble in troubles.into_values() {
        // The database is registered no more; its backups are kept nevertheless.
        look.add(of_damage(&trouble.damage, &trouble.database));
    }
    look.at_timers().await?;
    look.at_dead_letters().await?;
    let mut found = look.found;
    found.alerts.sort_by(|one, other| {
        let newest_first = other.since.cmp(&one.since);
        newest_first.then_with(|| one.id.cmp(&other.id))
    });
    Ok(found)
}

/// What is wrong with the backups of a database, by its tally.
#[derive(Debug)]
struct Trouble {
    database: AlertDatabase,
    streak: Streak,
    damage: Damage,
}

impl Trouble {
    /// `None` when all is well.
    fn of(tally: &Tally) -> Option<Self> {
        if tally.streak.failures == 0 && tally.damage.newest.is_empty() {
            return None;
        }
        Some(Self {
            database: AlertDatabase {
                id: tally.database_id.clone(),
                label: tally.label.as_ref().map(ToString::to_string),
                engine_id: None,
            },
            streak: tally.streak.clone(),
            damage: tally.damage.clone(),
        })
    }
}

type Troubles = HashMap<DatabaseId, Trouble>;

/// A look under way.
struct Look<'a> {
    installation: &'a Installation,
    now: Timestamp,
    found: FoundAlerts,
}

impl Look<'_> {
    fn add(&mut self, alerts: impl IntoIterator<Item = Alert>) {
        self.found.alerts.extend(alerts);
    }

    /// The rows of a listing; those that cannot be read are noted.
    fn rows<'a, T>(
        &mut self,
        listing: &'a Listing<Versioned<T>>,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.found.damaged.extend_from_slice(&listing.damaged);
        listing.items.iter().map(|row| &row.value)
    }

    async fn at_tallies(&mut self) -> StorageResult<Troubles> {
        let mut troubles = Troubles::new();
        let mut chunks = self.installation.repositories.backups.tallies.chunks();
        while let Some(chunk) = chunks.next().await? {
            for trouble in self.rows(&chunk).filter_map(Trouble::of) {
                troubles.insert(trouble.database.id.clone(), trouble);
            }
        }
        Ok(troubles)
    }

    async fn at_databases(&mut self, troubles: &mut Troubles) -> StorageResult<()> {
        let repositories = &self.installation.repositories;
        let engines = repositories.engines.all().await?;
        let policies = repositories.policies.all().await?;
        self.found.damaged.extend_from_slice(&engines.damaged);
        self.found.damaged.extend_from_slice(&policies.damaged);
        let rules = Rules::new(&engines, &policies);
        let kept = repositories.states.kept().await?;
        let kept = kept.as_deref().map(|states| by_database(self.rows(states)));
        let mut chunks = repositories.databases.chunks();
        while let Some(chunk) = chunks.next().await? {
            let databases: Vec<&Database> = self.rows(&chunk).collect();
            let (Some(first), Some(last)) = (databases.first(), databases.last()) else {
                continue;
            };
            let read;
            let states = if let Some(states) = &kept {
                states
            } else {
                read = repositories.states.between(&first.id, &last.id).await?;
                &by_database(self.rows(&read))
            };
            for database in &databases {
                let state = states.get(&database.id).copied();
                let trouble = troubles.remove(&database.id);
                self.at_database(database, state, trouble, &rules);
            }
        }
        Ok(())
    }

    fn at_database(
        &mut self,
        database: &Database,
        state: Option<&DatabaseState>,
        trouble: Option<Trouble>,
        rules: &Rules,
    ) {
        let rpo = rpo(database, rules.promise_of(database), state, self.now);
        let Some(mut trouble) = trouble else {
            return self.add(of_database(database, &Streak::default(), &rpo));
        };
        self.add(of_database(database, &trouble.streak, &rpo));
        trouble.database.label = Some(database.label.to_string());
        trouble.database.engine_id = Some(database.engine_id.clone());
        self.add(of_damage(&trouble.damage, &trouble.database));
    }

    async fn at_timers(&mut self) -> StorageResult<()> {
        let timers = self.installation.repositories.timers.all().await?;
        let timers: Vec<_> = self.rows(&timers).cloned().collect();
        self.add(of_timers(&timers, self.now));
        Ok(())
    }

    async fn at_dead_letters(&mut self) -> StorageResult<()> {
        let mut chunks = self.installation.repositories.dead_letters.chunks();
        while let Some(chunk) = chunks.next().await? {
            let alerts: Vec<Alert> = self.rows(&chunk).map(of_dead_letter).collect();
            self.add(alerts);
        }
        Ok(())
    }
}

fn by_database<'a>(
    states: impl Iterator<Item = &'a DatabaseState>,
) -> HashMap<&'a DatabaseId, &'a DatabaseState> {
    states.map(|state| (&state.database_id, state)).collect()
}
