//! Jobs: table `jobs` by database, and `jobindex` with the jobs that are not over (partition
//! `active`) and all jobs by day.
//!
//! The active entry is written before the job and removed after its end, so a crash leaves at most
//! an entry too many, which the sweeper tidies; never a job that nobody finds.

mod listed;

use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

pub use listed::ListedJobs;

use super::collection::{Version, Versioned, decode, versioned};
use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use super::rows::Rows;
use super::timeline::Timeline;
use crate::crash;
use crate::model::{Job, JobId, JobState, Lease, Urgency};
use crate::storage::{
    Comparison, Condition, Entity, EntityKey, Filter, Property, Query, StorageErrorKind,
    StorageResult, TableName, TableOperation, TableStore, Value,
};

const ACTIVE: &str = "active";

/// Jobs that somebody asked for and that are not over, the most urgent first.
const URGENT: &str = "urgent";

/// Urgent jobs that are looked at in one go.
const MOST_URGENT: u32 = 100;

/// How long an active entry may stand without its job before the sweeper removes it: far longer
/// than the moment between the two writes of a booking.
const ORPHAN_AGE: SignedDuration = SignedDuration::from_hours(1);

/// What became of a booking.
#[derive(Debug, Clone, PartialEq)]
pub enum Booking {
    /// The job is new.
    New(Versioned<Job>),
    /// The same debt had been booked before; this is that job as it stands.
    Existing(Versioned<Job>),
}

/// The jobs.
#[derive(Debug, Clone)]
pub struct JobRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
    by_day: Timeline,
}

impl JobRepository {
    pub(super) fn new(
        tables: Arc<dyn TableStore>,
        table: TableName,
        index: TableName,
        days: TableName,
    ) -> Self {
        let by_day = Timeline::new(tables.clone(), index, days);
        Self {
            tables,
            table,
            by_day,
        }
    }

    pub(super) fn tables(&self) -> [&TableName; 3] {
        [&self.table, &self.by_day.table, &self.by_day.days]
    }

    /// Books a job unless the same debt is booked already: of N bookers exactly one gets `New`.
    pub async fn book(&self, job: Job) -> StorageResult<Booking> {
        if let Some(existing) = self.get(&job.id).await? {
            return Ok(Booking::Existing(existing));
        }
        let active = Entity::new(EntityKey::new(ACTIVE, job.id.as_str()));
        self.write_index(TableOperation::Replace(active, Condition::None))
            .await?;
        if job.urgency() != Urgency::Scheduled {
            let urgent =
                Entity::new(urgent_key(&job)).with("job_id", Value::String(job.id.to_string()));
            self.write_index(TableOperation::Replace(urgent, Condition::None))
                .await?;
        }
        crash::point("after-index-entries");
        let entry = Entity::new(Timeline::key(job.created_at, job.id.as_str()))
            .with("job_id", Value::String(job.id.to_string()));
        self.by_day.put(entry).await?;
        let operation = TableOperation::Insert(self.entity(&job));
        match self.tables.write(&self.table, operation).await {
            Ok(version) => versioned(job, version).map(Booking::New),
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => {
                match self.get(&job.id).await? {
                    Some(existing) => Ok(Booking::Existing(existing)),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a finished job whose row got lost, with its entry by time. One that is there stays.
    pub async fn restore(&self, job: Job) -> StorageResult<()> {
        let entry = Entity::new(Timeline::key(job.created_at, job.id.as_str()))
            .with("job_id", Value::String(job.id.to_string()));
        self.by_day.put(entry).await?;
        let operation = TableOperation::Insert(self.entity(&job));
        match self.tables.write(&self.table, operation).await {
            Err(error) if error.kind() != StorageErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads a job; `None` when there is none, also for ids that were not made here.
    pub async fn get(&self, id: &JobId) -> StorageResult<Option<Versioned<Job>>> {
        let Some(database) = id.database() else {
            return Ok(None);
        };
        let key = EntityKey::new(database.as_str(), id.as_str());
        self.tables
            .get(&self.table, &key)
            .await?
            .map(|row| decode(&row))
            .transpose()
    }

    /// Replaces a job in the version that was read. A job that is over leaves the active ones.
    pub async fn update(&self, job: Job, version: &Version) -> StorageResult<Versioned<Job>> {
        let condition = Condition::Matches(version.clone());
        let operation = TableOperation::Replace(self.entity(&job), condition);
        let version = self.tables.write(&self.table, operation).await?;
        let stored = versioned(job, version)?;
        if stored.value.is_terminal() {
            crash::point("before-active-forgotten");
            self.forget_active(&stored.value.id).await?;
            if stored.value.urgency() != Urgency::Scheduled {
                self.forget(urgent_key(&stored.value)).await?;
            }
        }
        Ok(stored)
    }

    /// Every job that is not over. Tidies entries whose job is over or was never written.
    pub async fn active(&self, now: Timestamp) -> StorageResult<Vec<Versioned<Job>>> {
        let mut found = Vec::new();
        self.for_each_active(now, |job| found.push(job)).await?;
        Ok(found)
    }

    /// Shows `visit` every job that is not over, one at a time; gives the ids of those that cannot
    /// be decoded. Tidies entries whose job is over or was never written.
    pub async fn for_each_active(
        &self,
        now: Timestamp,
        mut visit: impl FnMut(Versioned<Job>) + Send,
    ) -> StorageResult<Vec<JobId>> {
        let query = Query {
            filter: Some(Filter::partition(ACTIVE)),
            ..Query::default()
        };
        let mut rows = Rows::new(&*self.tables, &self.by_day.table, query);
        let mut damaged = Vec::new();
        while let Some(row) = rows.next().await? {
            let Ok(id) = row.entity.key.row.parse::<JobId>() else {
                continue;
            };
            match self.get(&id).await {
                Ok(Some(job)) if !job.value.is_terminal() => visit(job),
                Ok(Some(_)) => self.forget_active(&id).await?,
                Ok(None) if now.duration_since(row.timestamp) > ORPHAN_AGE => {
                    self.forget_active(&id).await?;
                }
                Ok(None) => {}
                Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                    tracing::error!(%error, job.id = %id, "job row cannot be decoded");
                    damaged.push(id);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(damaged)
    }

    /// Jobs that are more urgent than `than`, due at `now` and free, the most urgent first and of
    /// equal ones the oldest. Costs as much as there are such jobs. Tidies entries of jobs that
    /// are over.
    pub async fn more_urgent(
        &self,
        than: Urgency,
        now: Timestamp,
    ) -> StorageResult<Vec<Versioned<Job>>> {
        let below = Filter::compare(
            Property::RowKey,
            Comparison::Less,
            Value::String(format!("{}_", than.rank())),
        );
        let query = Query {
            filter: Some(Filter::partition(URGENT).and(below)),
            top: NonZeroU32::new(MOST_URGENT),
            ..Query::default()
        };
        let page = self.tables.query(&self.by_day.table, &query, None).await?;
        let mut found = Vec::new();
        for row in page.entities {
            let Some(Value::String(text)) = row.entity.properties.get("job_id") else {
                continue;
            };
            let Ok(id) = text.parse::<JobId>() else {
                continue;
            };
            match self.get(&id).await {
                Ok(Some(job)) if job.value.is_terminal() => {
                    self.forget(row.entity.key.clone()).await?;
                }
                Ok(Some(job)) if is_free(&job.value, now) => found.push(job),
                Ok(None) if now.duration_since(row.timestamp) > ORPHAN_AGE => {
                    self.forget(row.entity.key.clone()).await?;
                }
                Ok(_) => {}
                Err(error) if error.kind() == StorageErrorKind::Corrupt => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn forget_active(&self, id: &JobId) -> StorageResult<()> {
        self.forget(EntityKey::new(ACTIVE, id.as_str())).await
    }

    async fn forget(&self, key: EntityKey) -> StorageResult<()> {
        match self
            .write_index(TableOperation::Delete(key, Condition::Exists))
            .await
        {
            Err(error) if error.kind() != StorageErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn write_index(&self, operation: TableOperation) -> StorageResult<()> {
        self.tables
            .write(&self.by_day.table, operation)
            .await
            .map(drop)
    }

    #[expect(clippy::unused_self, reason = "reads as what this repository stores")]
    fn entity(&self, job: &Job) -> Entity {
        let mut row = RowWriter::new(EntityKey::new(job.database_id.as_str(), job.row_key()));
        job.write(&mut row);
        row.finish()
    }
}

fn urgent_key(job: &Job) -> EntityKey {
    let rank = job.urgency().rank();
    let age = job.created_at.as_microsecond();
    EntityKey::new(URGENT, format!("{rank}_{age:020}_{}", job.id))
}

/// Whether a worker may claim it.
fn is_free(job: &Job, now: Timestamp) -> bool {
    job.not_before <= now && job.live_lease(now).is_none()
}

impl Row for Job {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("database_id", self.database_id.as_str());
        row.text("database_label", self.database_label.as_str());
        row.text("engine_type", self.engine_type.as_str());
        row.json("work", &self.work);
        row.text("triggered_by", self.trigger.as_str());
        row.instant("created_at", self.created_at);
        row.instant("not_before", self.not_before);
        row.optional_instant("rung_at", self.rung_at);
        row.size("epoch", self.epoch);
        row.small("attempts", self.attempts);
        row.json("log", &self.log);
        row.flag("cancel_requested", self.cancel_requested);
        row.json("progress", &self.progress);
        if let Some(comparison) = &self.comparison {
            row.json("comparison", comparison);
        }
        row.text("state", self.state.as_str());
        write_state(row, &self.state);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            id: row.key_parsed()?,
            database_id: row.parsed("database_id")?,
            database_label: row.parsed("database_label")?,
            engine_type: row.parsed("engine_type")?,
            work: row.json("work")?,
            trigger: row.parsed("triggered_by")?,
            created_at: row.instant("created_at")?,
            not_before: row.instant("not_before")?,
            rung_at: row.optional_instant("rung_at")?,
            epoch: row.unsigned("epoch")?.unwrap_or(0),
            attempts: row.count("attempts")?,
            log: row.optional_json("log")?.unwrap_or_default(),
            cancel_requested: row.flag("cancel_requested", false)?,
            progress: row.optional_json("progress")?.unwrap_or_default(),
            comparison: row.optional_json("comparison")?,
            state: read_state(row)?,
        })
    }
}

fn write_state(row: &mut RowWriter, state: &JobState) {
    match state {
        JobState::Pending => {}
        JobState::Running { lease, since } => {
            row.text("lease_worker", lease.worker.as_str());
            row.instant("lease_until", lease.until);
            row.instant("state_at", *since);
        }
        JobState::Retrying { last } => row.json("failure", last),
        JobState::Completed { at } | JobState::Cancelled { at } => row.instant("state_at", *at),
        JobState::Failed { at, failure } => {
            row.instant("state_at", *at);
            row.json("failure", failure);
        }
        JobState::Missed { at, reason } => {
            row.instant("state_at", *at);
            row.text("reason", reason.as_str());
        }
    }
}

fn read_state(row: &RowReader<'_>) -> Result<JobState, RowError> {
    let at = || row.instant("state_at");
    Ok(match row.text("state")? {
        "pending" => JobState::Pending,
        "running" => JobState::Running {
            lease: Lease {
                worker: row.parsed("lease_worker")?,
                until: row.instant("lease_until")?,
            },
            since: at()?,
        },
        "retrying" => JobState::Retrying {
            last: row.json("failure")?,
        },
        "completed" => JobState::Completed { at: at()? },
        "failed" => JobState::Failed {
            at: at()?,
            failure: row.json("failure")?,
        },
        "cancelled" => JobState::Cancelled { at: at()? },
        "missed" => JobState::Missed {
            at: at()?,
            reason: row.text("reason")?.to_owned(),
        },
        other => {
            return Err(RowError {
                property: "state".to_owned(),
                reason: format!("has the unknown value '{other}'"),
            });
        }
    })
}
