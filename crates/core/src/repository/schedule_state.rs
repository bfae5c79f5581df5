//! What the scheduler knows of each (database, tier): table `schedulestate`, by database; and the
//! slots that were given up: table `schedulemisses`, by database, newest first.

mod row;

use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;

pub use row::{Miss, ScheduleState};

use super::collection::{Listing, Versioned, list_rows};
use super::row::{Row, RowWriter};
use crate::model::{DatabaseId, Job, JobId, Tier, Work};
use crate::schedule::{MissedSlots, SlotOutcome, TierState};
use crate::storage::{
    Comparison, Condition, Entity, EntityKey, Filter, Property, Query, StorageErrorKind,
    StorageResult, TableName, TableOperation, TableStore, Value,
};

/// Attempts to write states that others write too.
const RACES: usize = 8;

/// The schedule states.
#[derive(Debug, Clone)]
pub struct ScheduleStateRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
    misses: TableName,
}

/// A job that was booked for claimed slots.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The job as the claim names it.
    pub claimed: JobId,
    /// The job as it stands; another than the claimed one, when that serves other tiers.
    pub job: Job,
    /// The tiers that it serves.
    pub tiers: Vec<Tier>,
}

impl ScheduleStateRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName, misses: TableName) -> Self {
        Self {
            tables,
            table,
            misses,
        }
    }

    pub(super) fn tables(&self) -> [&TableName; 2] {
        [&self.table, &self.misses]
    }

    /// The states of one database.
    pub async fn of(
        &self,
        database: &DatabaseId,
    ) -> StorageResult<Listing<Versioned<ScheduleState>>> {
        self.between(database, database).await
    }

    /// The states of all databases from `first` to `last` in key order, both included.
    pub async fn between(
        &self,
        first: &DatabaseId,
        last: &DatabaseId,
    ) -> StorageResult<Listing<Versioned<ScheduleState>>> {
        let bound = |comparison, id: &DatabaseId| {
            let value = Value::String(id.to_string());
            Filter::compare(Property::PartitionKey, comparison, value)
        };
        let filter = if first == last {
            Filter::partition(first.as_str())
        } else {
            bound(Comparison::GreaterOrEqual, first).and(bound(Comparison::LessOrEqual, last))
        };
        let query = Query {
            filter: Some(filter),
            ..Query::default()
        };
        list_rows(&*self.tables, &self.table, query).await
    }

    /// Writes states of a database, all or none, in the versions that were read. `false` means that
    /// somebody else wrote one of them meanwhile, and nothing was written. Rows that could not be
    /// decoded are written over.
    pub async fn write(
        &self,
        database: &DatabaseId,
        states: &[TierState],
        known: &Listing<Versioned<ScheduleState>>,
    ) -> StorageResult<bool> {
        let operations: Vec<TableOperation> = states
            .iter()
            .map(|state| {
                let stored = ScheduleState {
                    database_id: database.clone(),
                    state: state.clone(),
                };
                let before = known.items.iter().find(|row| {
                    row.value.database_id == *database && row.value.state.tier == state.tier
                });
                let key = stored.row_key();
                let is_damaged = known
                    .damaged
                    .iter()
                    .any(|row| row.key.partition == database.as_str() && row.key.row == key);
                match before {
                    Some(before) => {
                        let condition = Condition::Matches(before.version.clone());
                        TableOperation::Replace(entity(&stored), condition)
                    }
                    None if is_damaged => TableOperation::Replace(entity(&stored), Condition::None),
                    None => TableOperation::Insert(entity(&stored)),
                }
            })
            .collect();
        if operations.is_empty() {
            return Ok(true);
        }
        match self.tables.write_batch(&self.table, operations).await {
            Ok(_) => Ok(true),
            Err(error) if is_lost_race(error.kind()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a state over whatever stands there. For rebuilding from manifests.
    pub async fn put(&self, state: &ScheduleState) -> StorageResult<()> {
        let operation = TableOperation::Replace(entity(state), Condition::None);
        self.tables.write(&self.table, operation).await.map(drop)
    }

    /// Notes for every tier of a backup job how the job stands. Safe to repeat.
    pub async fn settle(&self, job: &Job) -> StorageResult<()> {
        if !matches!(job.work, Work::Backup(_)) {
            return Ok(());
        }
        self.change(&job.database_id, |state| state.settle(job))
            .await
    }

    /// Notes that claimed slots are booked, and that the slots given up are recorded. A tier may
    /// have two jobs among `booked`, the retry of a slot and the next slot; it waits for the one
    /// that it claimed last.
    pub async fn confirm(&self, database: &DatabaseId, booked: &[ClaimedJob]) -> StorageResult<()> {
        self.change(database, |state| {
            let before = state.clone();
            state.unrecorded.clear();
            if state.outcome == SlotOutcome::Claimed
                && let Some(mine) = &mut state.job
                && let Some(booking) = booked.iter().find(|booking| {
                    booking.claimed == mine.id && booking.tiers.contains(&state.tier)
                })
            {
                mine.id = booking.job.id.clone();
                state.outcome = SlotOutcome::Booked;
                // It may be over already, when a scheduler that died had booked it.
                state.settle(&booking.job);
            }
            *state != before
        })
        .await
    }

    async fn change(
        &self,
        database: &DatabaseId,
        mut change: impl FnMut(&mut TierState) -> bool + Send,
    ) -> StorageResult<()> {
        for _ in 0..RACES {
            let known = self.of(database).await?;
            let mut changed = Vec::new();
            for row in &known.items {
                let mut state = row.value.state.clone();
                if change(&mut state) {
                    changed.push(state);
                }
            }
            if self.write(database, &changed, &known).await? {
                return Ok(());
            }
        }
        tracing::warn!(database.id = %database, "others change the schedule state all the time; a later tick looks again");
        Ok(())
    }

    /// Records slots that were given up. Recording the same again changes nothing: given is what
    /// stands there, with the time of the first record.
    pub async fn record_misses(
        &self,
        database: &DatabaseId,
        missed: &[MissedSlots],
        at: Timestamp,
    ) -> StorageResult<Vec<Miss>> {
        let mut recorded = Vec::with_capacity(missed.len());
        for slots in missed {
            let miss = Miss {
                database_id: database.clone(),
                slots: slots.clone(),
                decided_at: at,
            };
            recorded.push(self.record_miss(miss).await?);
        }
        Ok(recorded)
    }

    async fn record_miss(&self, miss: Miss) -> StorageResult<Miss> {
        let entity = entity(&miss);
        let insert = TableOperation::Insert(entity.clone());
        match self.tables.write(&self.misses, insert).await {
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => {}
            written => return written.map(|_| miss),
        }
        let found = self.tables.get(&self.misses, &entity.key).await?;
        let known = found.and_then(|row| super::collection::decode::<Miss>(&row).ok());
        if let Some(known) = known.filter(|known| known.value.slots == miss.slots) {
            return Ok(known.value);
        }
        let operation = TableOperation::Replace(entity, Condition::None);
        self.tables.write(&self.misses, operation).await?;
        Ok(miss)
    }

    /// The newest slots of a database that were given up, at most `most` rows.
    pub async fn misses(
        &self,
        database: &DatabaseId,
        most: NonZeroU32,
    ) -> StorageResult<Vec<Miss>> {
        let query = Query {
            filter: Some(Filter::partition(database.as_str())),
            top: Some(most),
            ..Query::default()
        };
        let page = self.tables.query(&self.misses, &query, None).await?;
        let rows = page.entities.iter().map(super::collection::decode::<Miss>);
        Ok(rows
            .filter_map(|row| row.ok().map(|row| row.value))
            .collect())
    }
}

/// The row of a thing whose partition is its database.
fn entity<T: Row + InDatabase>(thing: &T) -> Entity {
    let mut row = RowWriter::new(EntityKey::new(thing.database().as_str(), thing.row_key()));
    thing.write(&mut row);
    row.finish()
}

/// A thing whose row stands in the partition of a database.
trait InDatabase {
    /// The database.
    fn database(&self) -> &DatabaseId;
}

impl InDatabase for ScheduleState {
    fn database(&self) -> &DatabaseId {
        &self.database_id
    }
}

impl InDatabase for Miss {
    fn database(&self) -> &DatabaseId {
        &self.database_id
    }
}

fn is_lost_race(kind: StorageErrorKind) -> bool {
    matches!(
        kind,
        StorageErrorKind::AlreadyExists
            | StorageErrorKind::PreconditionFailed
            | StorageErrorKind::NotFound
    )
}
