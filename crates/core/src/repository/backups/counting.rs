//! Lines and their tally in one transaction, and the recount of a tally from its lines.

use std::num::NonZeroU32;

use super::{BackupRepository, WRITE_ATTEMPTS, entity, is_lost_race, lines_of};
use crate::model::{Backup, BackupStatus, Damage, DatabaseId, Line, Streak, Tally};
use crate::repository::collection::decode;
use crate::repository::row::{Row as _, RowWriter};
use crate::repository::rows::Rows;
use crate::storage::{
    Comparison, Condition, ETag, Entity, EntityKey, Filter, Property, Query, StorageError,
    StorageErrorKind, StorageResult, TableOperation, Value,
};

/// The row of the tally. It sorts after all lines.
pub(super) const TALLY: &str = "~tally";

/// What a recount found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recount {
    /// The tally was right.
    Right,
    /// It was not, or its copy was not, and is now.
    Mended,
}

/// A tally as it stands; `None` in it when it cannot be read.
type Standing = Option<(Option<Tally>, ETag)>;

impl BackupRepository {
    /// The partition of the copies of tallies.
    pub(in crate::repository) const TALLIES: &'static str = "database";

    /// Writes a line unless a later one stands there, and the tally with it.
    pub(super) async fn advance_counted(
        &self,
        key: EntityKey,
        backup: &Backup,
    ) -> StorageResult<()> {
        let database = &backup.database_id;
        for _ in 0..WRITE_ATTEMPTS {
            // The tally first: a line that changes after it was read changes the tally too, and
            // then the condition on the tally fails.
            let tally = self.tally(database).await?;
            let present = self.tables.get(&self.index, &key).await?;
            let known = present.as_ref().and_then(|row| decode::<Backup>(row).ok());
            let known = known.map(|line| line.value);
            if known.as_ref().is_some_and(|line| !backup.supersedes(line)) {
                return match tally {
                    Some((Some(tally), _)) => self.copy(&tally).await,
                    _ => self.recount(database).await.map(drop),
                };
            }
            let line = entity(key.clone(), backup);
            let write = match present {
                None => TableOperation::Insert(line),
                Some(row) => TableOperation::Replace(line, Condition::Matches(row.etag)),
            };
            let after = Line {
                key: &key.row,
                backup,
            };
            let (tally, etag) = tally.map_or((None, None), |(tally, etag)| (tally, Some(etag)));
            let next = self.next(database, tally, (known.as_ref(), after)).await?;
            let batch = vec![write, write_of(tally_row(&next), etag)];
            match self.tables.write_batch(&self.index, batch).await {
                Ok(_) => return self.copy(&next).await,
                Err(error) if is_lost_race(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_fast())
    }

    /// The tally once `after` stands in place of `before`. Without a tally all lines are counted:
    /// those of a store that is older than tallies.
    async fn next(
        &self,
        database: &DatabaseId,
        tally: Option<Tally>,
        (before, after): (Option<&Backup>, Line<'_>),
    ) -> StorageResult<Tally> {
        let mut next = match tally {
            Some(tally) => tally,
            None => self.count(database).await?,
        };
        let needs = next.change(before, after);
        if needs.streak {
            self.recount_streak(&mut next, after).await?;
        }
        if needs.damage {
            self.name_damage(&mut next, after).await?;
        }
        next.revision += 1;
        Ok(next)
    }

    /// Counts all lines of a database.
    async fn count(&self, database: &DatabaseId) -> StorageResult<Tally> {
        let mut tally = Tally::empty(database.clone());
        let query = Query {
            filter: Some(lines_of(database)),
            ..Query::default()
        };
        let mut rows = Rows::new(&*self.tables, &self.index, query);
        while let Some(row) = rows.next().await? {
            if let Ok(line) = decode::<Backup>(&row) {
                let (key, backup) = (&row.entity.key.row, &line.value);
                tally.count_older(Line { key, backup });
            }
        }
        // A copy may have outlived the tally.
        let copy = self
            .tables
            .get(self.tallies.table(), &copy_key(database))
            .await?;
        let copy = copy.and_then(|row| decode::<Tally>(&row).ok());
        tally.revision = copy.map_or(0, |copy| copy.value.revision);
        Ok(tally)
    }

    /// Counts the failures since the newest backup, with `after` as it is to be.
    async fn recount_streak(&self, tally: &mut Tally, after: Line<'_>) -> StorageResult<()> {
        let is = |status: BackupStatus| {
            Filter::equal("status", Value::String(status.as_str().to_owned()))
        };
        let failed = Filter::Or(vec![is(BackupStatus::Failed), is(BackupStatus::Missed)]);
        let mut streak = Streak {
            good: tally.streak.good.clone(),
            ..Streak::default()
        };
        streak.see(after);
        let mut filter = lines_of(&tally.database_id).and(failed);
        if let Some(good) = &streak.good {
            let newer = Value::String(good.clone());
            filter = filter.and(Filter::compare(Property::RowKey, Comparison::Less, newer));
        }
        let query = Query {
            filter: Some(filter),
            top: NonZeroU32::new(200),
            ..Query::default()
        };
        let mut rows = Rows::new(&*self.tables, &self.index, query);
        while let Some(row) = rows.next().await? {
            let key = &row.entity.key.row;
            if key != after.key
                && let Ok(line) = decode::<Backup>(&row)
            {
                let backup = &line.value;
                streak.see(Line { key, backup });
            }
        }
        tally.streak = streak;
        Ok(())
    }

    /// Names the newest damaged backups, with `after` as it is to be.
    async fn name_damage(&self, tally: &mut Tally, after: Line<'_>) -> StorageResult<()> {
        let damaged = Value::String(BackupStatus::Damaged.as_str().to_owned());
        let query = Query {
            filter: Some(lines_of(&tally.database_id).and(Filter::equal("status", damaged))),
            ..Query::default()
        };
        tally.damage.newest.clear();
        if after.backup.status == BackupStatus::Damaged {
            tally.damage.name(after);
        }
        let mut rows = Rows::new(&*self.tables, &self.index, query);
        let mut read = 0;
        // One of them may be the line that is about to change.
        while read <= Damage::MOST_NAMED
            && let Some(row) = rows.next().await?
        {
            let Ok(line) = decode::<Backup>(&row) else {
                continue;
            };
            read += 1;
            let (key, backup) = (&row.entity.key.row, &line.value);
            if key != after.key {
                tally.damage.name(Line { key, backup });
            }
        }
        Ok(())
    }

    /// The tally of a database as it stands beside the lines.
    async fn tally(&self, database: &DatabaseId) -> StorageResult<Standing> {
        let key = EntityKey::new(database.as_str(), TALLY);
        let row = self.tables.get(&self.index, &key).await?;
        Ok(row.map(|row| {
            let tally = decode::<Tally>(&row).ok();
            (tally.map(|tally| tally.value), row.etag)
        }))
    }

    /// Counts the lines of a database anew, and mends its tally and the copy of it. Lines that are
    /// written meanwhile are counted too.
    pub async fn recount(&self, database: &DatabaseId) -> StorageResult<Recount> {
        for _ in 0..WRITE_ATTEMPTS {
            let standing = self.tally(database).await?;
            let mut counted = self.count(database).await?;
            if standing.is_none() && counted.newest.is_none() {
                return Ok(Recount::Right);
            }
            let (tally, etag) = standing.map_or((None, None), |(tally, etag)| (tally, Some(etag)));
            if let Some(tally) = tally {
                counted.revision = tally.revision;
                if tally == counted {
                    return self.mend_copy(&tally).await;
                }
            }
            counted.revision += 1;
            let write = write_of(tally_row(&counted), etag);
            match self.tables.write(&self.index, write).await {
                Ok(_) => {
                    self.copy(&counted).await?;
                    return Ok(Recount::Mended);
                }
                Err(error) if is_lost_race(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_fast())
    }

    async fn mend_copy(&self, tally: &Tally) -> StorageResult<Recount> {
        let key = copy_key(&tally.database_id);
        let copy = self.tables.get(self.tallies.table(), &key).await?;
        let copy = copy.and_then(|row| decode::<Tally>(&row).ok());
        if copy.is_some_and(|copy| copy.value == *tally) {
            return Ok(Recount::Right);
        }
        self.copy(tally).await?;
        Ok(Recount::Mended)
    }

    /// Copies a tally to where all are read at once, unless a newer copy is there.
    async fn copy(&self, tally: &Tally) -> StorageResult<()> {
        let key = copy_key(&tally.database_id);
        for _ in 0..WRITE_ATTEMPTS {
            let present = self.tables.get(self.tallies.table(), &key).await?;
            let known = present.as_ref().and_then(|row| decode::<Tally>(row).ok());
            if known
                .is_some_and(|copy| copy.value.revision > tally.revision || copy.value == *tally)
            {
                return Ok(());
            }
            let mut row = RowWriter::new(key.clone());
            tally.write(&mut row);
            let write = write_of(row.finish(), present.map(|row| row.etag));
            match self.tables.write(self.tallies.table(), write).await {
                Ok(_) => return Ok(()),
                Err(error) if is_lost_race(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_fast())
    }
}

fn copy_key(database: &DatabaseId) -> EntityKey {
    EntityKey::new(BackupRepository::TALLIES, database.as_str())
}

fn tally_row(tally: &Tally) -> Entity {
    let key = EntityKey::new(tally.database_id.as_str(), TALLY);
    let mut row = RowWriter::new(key);
    tally.write(&mut row);
    row.finish()
}

fn write_of(row: Entity, present: Option<ETag>) -> TableOperation {
    match present {
        None => TableOperation::Insert(row),
        Some(etag) => TableOperation::Replace(row, Condition::Matches(etag)),
    }
}

fn too_fast() -> StorageError {
    StorageError::new(
        StorageErrorKind::Unavailable,
        "write history",
        "the line changes faster than it can be written",
    )
}
