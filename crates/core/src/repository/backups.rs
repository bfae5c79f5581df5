//! Backup history: table `backuphistory` by day, and `backupindex` by database, both newest first;
//! beside the lines of a database its tally.

mod counting;

use std::sync::Arc;

pub use counting::Recount;

use super::collection::{Collection, Listing, Versioned, decode, list_rows};
use super::keys::inverted_ticks;
use super::row::{Row, RowFault, RowReader, RowWriter};
use super::rows::Rows;
use super::timeline::{Cursor, Stretch, Timeline};
use crate::model::{
    Backup, BackupMarks, BackupStatus, DatabaseId, EngineId, EngineType, JobId, Tally, Trigger,
};
use crate::storage::{
    Comparison, Condition, Entity, EntityKey, Filter, Nth, Property, Query, Span, StorageError,
    StorageErrorKind, StorageResult, TableName, TableOperation, TableStore, Value,
};
use crate::transfer::Failure;

/// Attempts to write a line that others write too.
const WRITE_ATTEMPTS: u32 = 8;

/// Which backups to list. Absent fields do not filter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BackupFilter {
    /// Of one of these databases; an empty list matches nothing.
    pub databases: Option<Vec<DatabaseId>>,
    /// In this state.
    pub status: Option<BackupStatus>,
    /// Asked for by.
    pub trigger: Option<Trigger>,
    /// Of this engine type.
    pub engine_type: Option<EngineType>,
    /// Booked at or after.
    pub from: Option<jiff::Timestamp>,
    /// Booked before.
    pub until: Option<jiff::Timestamp>,
}

impl BackupFilter {
    /// Whether a backup passes.
    pub fn matches(&self, backup: &Backup) -> bool {
        self.databases
            .as_ref()
            .is_none_or(|ids| ids.contains(&backup.database_id))
            && self.status.is_none_or(|status| status == backup.status)
            && self.trigger.is_none_or(|trigger| trigger == backup.trigger)
            && self
                .engine_type
                .is_none_or(|kind| kind == backup.engine_type)
            && self.from.is_none_or(|from| backup.created_at >= from)
            && self.until.is_none_or(|until| backup.created_at < until)
    }
}

/// The history of backups.
#[derive(Debug, Clone)]
pub struct BackupRepository {
    tables: Arc<dyn TableStore>,
    history: Timeline,
    index: TableName,
    /// What was counted, by database: copies of the tallies that stand beside the lines.
    pub tallies: Collection<Tally, DatabaseId>,
}

impl BackupRepository {
    pub(super) fn new(
        tables: Arc<dyn TableStore>,
        history: TableName,
        index: TableName,
        days: TableName,
        tallies: Collection<Tally, DatabaseId>,
    ) -> Self {
        let history = Timeline::new(tables.clone(), history, days);
        Self {
            tables,
            history,
            index,
            tallies,
        }
    }

    pub(super) fn tables(&self) -> [&TableName; 4] {
        let (history, days) = (&self.history.table, &self.history.days);
        [history, days, &self.index, self.tallies.table()]
    }

    /// Writes the line of a backup in both tables, over an earlier state of it; leaves a later
    /// state alone. Idempotent. The tally of the database changes with the line, or not at all.
    pub async fn put(&self, backup: &Backup) -> StorageResult<()> {
        let key = Timeline::key(backup.created_at, backup.id.as_str());
        let index_key = EntityKey::new(backup.database_id.as_str(), key.row.clone());
        self.history.mark_day(&key.partition).await?;
        self.advance(&self.history.table, key, backup).await?;
        // On the heap, since futures of many callers hold this one.
        Box::pin(self.advance_counted(index_key, backup)).await
    }

    /// Writes a line unless a later one stands there. Conditional, because a worker that lost its
    /// claim, or a request that was long on its way, may write at any time.
    async fn advance(
        &self,
        table: &TableName,
        key: EntityKey,
        backup: &Backup,
    ) -> StorageResult<()> {
        for _ in 0..WRITE_ATTEMPTS {
            let line = entity(key.clone(), backup);
            let operation = match self.tables.get(table, &key).await? {
                None => TableOperation::Insert(line),
                Some(row) => match decode::<Backup>(&row) {
                    Ok(present) if !backup.supersedes(&present.value) => return Ok(()),
                    _ => TableOperation::Replace(line, Condition::Matches(row.etag)),
                },
            };
            match self.tables.write(table, operation).await {
                Ok(_) => return Ok(()),
                Err(error) if is_lost_race(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StorageError::new(
            StorageErrorKind::Unavailable,
            "write history",
            "the line changes faster than it can be written",
        ))
    }

    /// Removes the line of a backup that was never made, in the version that was read, and counts
    /// the history of its database anew.
    /// `PreconditionFailed` when it was changed since; then it stays.
    pub async fn remove(&self, line: &Versioned<Backup>) -> StorageResult<()> {
        let backup = &line.value;
        let key = Timeline::key(backup.created_at, backup.id.as_str());
        let index_key = EntityKey::new(backup.database_id.as_str(), key.row.clone());
        // The index goes first: what an interruption leaves is found by the history again.
        let delete = TableOperation::Delete(index_key, Condition::Exists);
        match self.tables.write(&self.index, delete).await {
            Err(error) if error.kind() != StorageErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Box::pin(self.recount(&backup.database_id)).await?;
        let day = key.partition.clone();
        let delete = TableOperation::Delete(key, Condition::Matches(line.version.clone()));
        match self.tables.write(&self.history.table, delete).await {
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => {
                if let Some(fresh) = self.get(&backup.job_id, backup.created_at).await? {
                    self.put(&fresh.value).await?;
                }
                return Err(error);
            }
            Err(error) if error.kind() != StorageErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Whoever counted the lines of the day counts them anew.
        self.history.mark_day(&day).await
    }

    /// Reads the line of the backup that a job made or tries to make.
    pub async fn get(
        &self,
        job: &JobId,
        booked_at: jiff::Timestamp,
    ) -> StorageResult<Option<Versioned<Backup>>> {
        let key = Timeline::key(booked_at, job.as_str());
        self.tables
            .get(&self.history.table, &key)
            .await?
            .map(|row| decode(&row))
            .transpose()
    }

    /// Walks a stretch of the history newest first, until `visit` answers `false`. Damaged rows are
    /// logged and passed over.
    pub async fn walk(
        &self,
        stretch: Stretch<'_>,
        mut visit: impl FnMut(Backup, Cursor) -> bool + Send,
    ) -> StorageResult<()> {
        self.history
            .walk(stretch, |row, cursor| match decode::<Backup>(&row) {
                Ok(backup) => visit(backup.value, cursor),
                Err(error) => {
                    tracing::warn!(%error, "history row cannot be decoded");
                    true
                }
            })
            .await
    }

    /// Where the `number`th newest line of whole days is, from 1; `None` when there are fewer.
    /// Damaged rows count. A past day to which somebody writes while it is counted may be a minute
    /// old.
    pub async fn nth(&self, days: Stretch<'_>, number: usize) -> StorageResult<Option<Cursor>> {
        self.history.nth(days, number).await
    }

    /// How many lines whole days have, damaged ones among them. Past days count as in
    /// [`Self::nth`].
    pub async fn count_lines(&self, days: Stretch<'_>) -> StorageResult<usize> {
        self.history.count(days).await
    }

    /// Where the `number`th newest line of a database is, from 1; `None` when there are fewer.
    /// Damaged rows count. The cursor is good for [`Self::walk_database`] alone.
    pub async fn nth_of_database(
        &self,
        database: &DatabaseId,
        number: usize,
    ) -> StorageResult<Option<Cursor>> {
        let lines = Span {
            partition: database.to_string(),
            end: Some(counting::TALLY.to_owned()),
        };
        Ok(match self.tables.nth(&self.index, &lines, number).await? {
            Nth::Row(row) => Some(Cursor::at_row(&row)),
            Nth::Fewer(_) => None,
        })
    }

    /// Walks a stretch of the history of one database newest first, until `visit` answers `false`.
    /// Cursors are those of [`Self::walk`]. Damaged rows are logged and passed over.
    pub async fn walk_database(
        &self,
        database: &DatabaseId,
        stretch: Stretch<'_>,
        mut visit: impl FnMut(Backup, Cursor) -> bool + Send,
    ) -> StorageResult<()> {
        let mut filter = lines_of(database);
        if let Some(cursor) = stretch.after {
            filter = filter.and(Filter::compare(
                Property::RowKey,
                Comparison::Greater,
                Value::String(cursor.row().to_owned()),
            ));
        }
        if let Some(end) = stretch.end() {
            filter = filter.and(end);
        }
        let query = Query {
            filter: Some(filter),
            top: Rows::first_page(stretch.expected),
            ..Query::default()
        };
        let mut rows = Rows::new(&*self.tables, &self.index, query);
        while let Some(row) = rows.next().await? {
            match decode::<Backup>(&row) {
                Ok(backup) => {
                    let cursor = Cursor::of(backup.value.created_at, &row.entity.key.row);
                    if !visit(backup.value, cursor) {
                        return Ok(());
                    }
                }
                Err(error) => tracing::warn!(%error, "history row cannot be decoded"),
            }
        }
        Ok(())
    }

    /// The lines of a database's backups that were made and not deleted, newest first; damaged rows
    /// apart. The store picks them, so the length of the history does not matter.
    pub async fn standing_of(
        &self,
        database: &DatabaseId,
    ) -> StorageResult<Listing<Versioned<Backup>>> {
        let is = |status: BackupStatus| {
            Filter::equal("status", Value::String(status.as_str().to_owned()))
        };
        let standing = Filter::Or(vec![is(BackupStatus::Completed), is(BackupStatus::Damaged)]);
        let query = Query {
            filter: Some(Filter::partition(database.as_str()).and(standing)),
            ..Query::default()
        };
        list_rows(&*self.tables, &self.index, query).await
    }

    /// The newest backups of one database, newest first, at most `most`.
    pub async fn newest_of(
        &self,
        database: &DatabaseId,
        most: usize,
    ) -> StorageResult<Vec<Backup>> {
        let query = Query {
            filter: Some(lines_of(database)),
            top: Rows::first_page(most),
            ..Query::default()
        };
        let mut rows = Rows::new(&*self.tables, &self.index, query);
        let mut found = Vec::new();
        while found.len() < most
            && let Some(row) = rows.next().await?
        {
            found.push(decode::<Backup>(&row)?.value);
        }
        Ok(found)
    }
}

/// The lines of a database, without its tally.
fn lines_of(database: &DatabaseId) -> Filter {
    let end = Value::String(counting::TALLY.to_owned());
    let before_tally = Filter::compare(Property::RowKey, Comparison::Less, end);
    Filter::partition(database.as_str()).and(before_tally)
}

fn is_lost_race(kind: StorageErrorKind) -> bool {
    matches!(
        kind,
        StorageErrorKind::AlreadyExists
            | StorageErrorKind::PreconditionFailed
            | StorageErrorKind::NotFound
    )
}

fn entity(key: EntityKey, backup: &Backup) -> Entity {
    let mut row = RowWriter::new(key);
    backup.write(&mut row);
    row.finish()
}

impl Row for Backup {
    fn row_key(&self) -> String {
        format!("{}_{}", inverted_ticks(self.created_at), self.id)
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("id", self.id.as_str());
        row.text("job_id", self.job_id.as_str());
        row.text("database_id", self.database_id.as_str());
        row.text("database_name", self.database_label.as_str());
        row.text("database_type", self.engine_type.as_str());
        row.optional_text("engine_id", self.engine_id.as_ref().map(EngineId::as_str));
        row.text("status", self.status.as_str());
        row.instant("created_at", self.created_at);
        row.optional_instant("started_at", self.started_at);
        row.optional_instant("completed_at", self.completed_at);
        row.put(
            "duration_seconds",
            Value::F64(self.duration_seconds().unwrap_or(0.0)),
        );
        row.optional_text("container", self.container.as_deref());
        row.optional_text("blob_name", self.blob_name.as_deref());
        if let Some(bytes) = self.stored_bytes {
            row.size("file_size_bytes", bytes);
        }
        if let Some(bytes) = self.plain_bytes {
            row.size("plain_size_bytes", bytes);
        }
        row.optional_text("stored_sha256", self.stored_sha256.as_deref());
        row.optional_text("file_format", self.format.as_deref());
        if let Some(failure) = &self.failure {
            row.text("error_message", failure.message.as_str());
            row.json("failure", failure);
        }
        row.small("retry_count", self.retry_count);
        row.text("triggered_by", self.trigger.as_str());
        row.optional_text("tier", self.tiers.last().map(|tier| tier.as_str()));
        row.json("tiers", &self.tiers);
        if self.marks != BackupMarks::default() {
            row.json("retention", &self.marks);
        }
        row.size("epoch", self.epoch);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let failure = row.optional_json::<Failure>("failure")?;
        Ok(Self {
            id: row.parsed("id")?,
            job_id: row.parsed("job_id")?,
            database_id: row.parsed("database_id")?,
            database_label: row.parsed("database_name")?,
            engine_id: row.optional_parsed("engine_id")?,
            engine_type: row.parsed("database_type")?,
            status: row.parsed("status")?,
            created_at: row.instant("created_at")?,
            started_at: row.optional_instant("started_at")?,
            completed_at: row.optional_instant("completed_at")?,
            container: row.optional_text("container")?.map(str::to_owned),
            blob_name: row.optional_text("blob_name")?.map(str::to_owned),
            stored_bytes: row.unsigned("file_size_bytes")?,
            plain_bytes: row.unsigned("plain_size_bytes")?,
            stored_sha256: row.optional_text("stored_sha256")?.map(str::to_owned),
            format: row.optional_text("file_format")?.map(str::to_owned),
            failure,
            retry_count: row.count("retry_count")?,
            trigger: row.parsed("triggered_by")?,
            tiers: row.optional_json("tiers")?.unwrap_or_default(),
            marks: row.optional_json("retention")?.unwrap_or_default(),
            epoch: row.unsigned("epoch")?.unwrap_or(0),
        })
    }
}
