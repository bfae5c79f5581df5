//! What is wished and known about keeping backups: table `retentionstate`, a partition per
//! database, a row per backup that was ever touched. Two more partitions, whose names no database
//! can have, remember which databases are registered no more, and which scheduler is at work.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::collection::{Listing, Version, Versioned, decode, list_rows, versioned};
use super::row::{Row, RowFault, RowReader, RowWriter};
use super::settle::write_settled;
use crate::model::{BackupId, DatabaseId, Fate, RetentionState};
use crate::storage::{
    Comparison, Condition, Entity, EntityKey, Filter, Property, Query, StorageErrorKind,
    StorageResult, TableName, TableOperation, TableStore, Value,
};

const UNREGISTERED: &str = "~unregistered";
const RUN: &str = "~run";
const CURRENT: &str = "current";

/// The retention states.
#[derive(Debug, Clone)]
pub struct RetentionStateRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl RetentionStateRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    /// The state of one backup; `None` for one that nobody ever touched.
    pub async fn get(
        &self,
        database: &DatabaseId,
        backup: &BackupId,
    ) -> StorageResult<Option<Versioned<RetentionState>>> {
        let key = EntityKey::new(database.as_str(), backup.as_str());
        self.tables
            .get(&self.table, &key)
            .await?
            .map(|row| decode(&row))
            .transpose()
    }

    /// The states of a database's backups that are not deleted, however many are.
    pub async fn not_deleted(
        &self,
        database: &DatabaseId,
    ) -> StorageResult<Listing<Versioned<RetentionState>>> {
        let is_there = Filter::compare(
            Property::Named("fate".to_owned()),
            Comparison::NotEqual,
            Value::String("deleted".to_owned()),
        );
        let query = Query {
            filter: Some(Filter::partition(database.as_str()).and(is_there)),
            ..Query::default()
        };
        list_rows(&*self.tables, &self.table, query).await
    }

    /// Writes a state in the version that was read, or for the first time. `PreconditionFailed` or
    /// `AlreadyExists` when somebody was faster.
    pub async fn put(
        &self,
        state: RetentionState,
        version: Option<&Version>,
    ) -> StorageResult<Versioned<RetentionState>> {
        let key = EntityKey::new(state.database_id.as_str(), state.row_key());
        let mut row = RowWriter::new(key);
        state.write(&mut row);
        let operation = match version {
            None => TableOperation::Insert(row.finish()),
            Some(version) => {
                TableOperation::Replace(row.finish(), Condition::Matches(version.clone()))
            }
        };
        let version = write_settled(&*self.tables, &self.table, operation).await?;
        versioned(state, version)
    }

    /// Since when a database is known to be registered no more; noted at `now` the first time.
    pub async fn unregistered_since(
        &self,
        database: &DatabaseId,
        now: Timestamp,
    ) -> StorageResult<Timestamp> {
        let key = EntityKey::new(UNREGISTERED, database.as_str());
        if let Some(row) = self.tables.get(&self.table, &key).await? {
            return Ok(RowReader(&row.entity)
                .optional_instant("since")
                .ok()
                .flatten()
                .unwrap_or(row.timestamp));
        }
        let mut row = RowWriter::new(key);
        row.instant("since", now);
        let insert = TableOperation::Insert(row.finish());
        match self.tables.write(&self.table, insert).await {
            Ok(_) => Ok(now),
            // Another scheduler noted it in this moment.
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => Ok(now),
            Err(error) => Err(error),
        }
    }

    /// Since when a database is known to be registered no more, without noting anything.
    pub async fn known_unregistered_since(
        &self,
        database: &DatabaseId,
    ) -> StorageResult<Option<Timestamp>> {
        let key = EntityKey::new(UNREGISTERED, database.as_str());
        let row = self.tables.get(&self.table, &key).await?;
        Ok(row.and_then(|row| {
            let noted = RowReader(&row.entity).optional_instant("since").ok();
            noted.flatten()
        }))
    }

    /// Every database that was noted as registered no more.
    pub async fn unregistered(&self) -> StorageResult<Vec<DatabaseId>> {
        let query = Query {
            filter: Some(Filter::partition(UNREGISTERED)),
            ..Query::default()
        };
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let page = self
                .tables
                .query(&self.table, &query, from.as_ref())
                .await?;
            let ids = page.entities.iter().map(|row| row.entity.key.row.parse());
            found.extend(ids.filter_map(Result::ok));
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// Forgets that a database was registered no more: it is again.
    pub async fn registered_again(&self, database: &DatabaseId) -> StorageResult<()> {
        let key = EntityKey::new(UNREGISTERED, database.as_str());
        let delete = TableOperation::Delete(key, Condition::Exists);
        match self.tables.write(&self.table, delete).await {
            Err(error) if error.kind() != StorageErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes `runner` the one that carries out retention until `now + life`. `false` while another
    /// is. Only saves work and keeps the budget: two at once would do no harm.
    pub async fn take_run(
        &self,
        runner: &str,
        now: Timestamp,
        life: SignedDuration,
    ) -> StorageResult<bool> {
        let key = EntityKey::new(RUN, CURRENT);
        let found = self.tables.get(&self.table, &key).await?;
        let condition = match &found {
            None => None,
            Some(row) => {
                let reader = RowReader(&row.entity);
                let holder = reader.optional_text("runner").ok().flatten();
                let until = reader.optional_instant("until").ok().flatten();
                if holder != Some(runner) && until.is_some_and(|until| until > now) {
                    return Ok(false);
                }
                Some(Condition::Matches(row.etag.clone()))
            }
        };
        let mut row = RowWriter::new(key);
        row.text("runner", runner);
        row.instant("until", now.saturating_add(life).unwrap_or(now));
        self.write_won(row.finish(), condition).await
    }

    /// Ends the run of `runner`.
    pub async fn end_run(&self, runner: &str, now: Timestamp) -> StorageResult<()> {
        self.take_run(runner, now, SignedDuration::ZERO)
            .await
            .map(drop)
    }

    async fn write_won(&self, row: Entity, condition: Option<Condition>) -> StorageResult<bool> {
        let operation = match condition {
            None => TableOperation::Insert(row),
            Some(condition) => TableOperation::Replace(row, condition),
        };
        match write_settled(&*self.tables, &self.table, operation).await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    StorageErrorKind::PreconditionFailed | StorageErrorKind::AlreadyExists
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl Row for RetentionState {
    fn row_key(&self) -> String {
        self.backup_id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("database_id", self.database_id.as_str());
        row.text("fate", self.fate.as_str());
        row.json("fate_json", &self.fate);
        if let Some(pin) = &self.pin {
            row.json("pin", pin);
        }
        if let Some(hold) = &self.hold {
            row.json("hold", hold);
        }
        if !self.labels.is_empty() {
            row.json("labels", &self.labels);
        }
        row.optional_instant("downloads_until", self.downloads_until);
        if !self.restores.is_empty() {
            row.json("restores", &self.restores);
        }
        if let Some(finding) = &self.finding {
            row.json("finding", finding);
        }
        row.optional_instant("damaged_since", self.damaged_since);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            database_id: row.parsed("database_id")?,
            backup_id: row.key_parsed()?,
            pin: row.optional_json("pin")?,
            hold: row.optional_json("hold")?,
            labels: row.optional_json("labels")?.unwrap_or_default(),
            downloads_until: row.optional_instant("downloads_until")?,
            restores: row.optional_json("restores")?.unwrap_or_default(),
            finding: row.optional_json("finding")?,
            damaged_since: row.optional_instant("damaged_since")?,
            fate: row.json::<Fate>("fate_json")?,
        })
    }
}
