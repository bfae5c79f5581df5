//! Tidying: what crashes and abandoned uploads leave behind.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::database::Durability::Durable;
use super::database::blocking;
use super::fault::Fault;
use super::{EmbeddedStore, codec, staging};
use crate::storage::StorageResult;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Uploads that were never committed.
    pub stagings: usize,
    /// Files that no row named.
    pub files: usize,
    /// Bytes of both.
    pub bytes: u64,
    /// Messages whose life had ended.
    pub messages: usize,
}

impl EmbeddedStore {
    /// Removes uploads that nobody has touched for `age`, files of that age that no row names, and
    /// dead messages. Safe beside every other operation when `age` is longer than any of them
    /// takes; days are right.
    pub async fn sweep(&self, age: SignedDuration) -> StorageResult<Swept> {
        let swept = self.inner.making_room(|| self.try_sweep(age)).await;
        self.inner.reserve.keep();
        swept.map_err(|fault| self.inner.error("sweep store", fault))
    }

    async fn try_sweep(&self, age: SignedDuration) -> Result<Swept, Fault> {
        let now = self.inner.clock.now();
        let oldest = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let abandoned = self.inner.database.write(Durable, move |tx| {
            let messages = tx
                .prepare_cached("DELETE FROM messages WHERE expires_at <= ?1")?
                .execute([codec::ticks(now)])?;
            let mut statement =
                tx.prepare_cached("SELECT id FROM stagings WHERE touched_at < ?1")?;
            let ids = statement.query_map([codec::ticks(oldest)], |row| row.get(0))?;
            let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
            ids.iter()
                .try_for_each(|id| staging::forget_rows(tx, *id))?;
            Ok(Swept {
                stagings: ids.len(),
                messages,
                ..Swept::default()
            })
        });
        let mut swept = abandoned.await?;
        // Their files have no row now and are as old, so they are among those below.
        for (file, length) in self.old_files(oldest).await? {
            if self.is_named(file.clone()).await? {
                continue;
            }
            let files = self.inner.files.clone();
            blocking(move || files.remove(&file)).await?;
            swept.files += 1;
            swept.bytes += length;
        }
        Ok(swept)
    }

    async fn old_files(&self, oldest: Timestamp) -> Result<Vec<(String, u64)>, Fault> {
        let files = self.inner.files.clone();
        let listed = blocking(move || files.list()).await?;
        let is_old = |written| Timestamp::try_from(written).is_ok_and(|written| written < oldest);
        let old = listed
            .into_iter()
            .filter(|(_, written, _)| is_old(*written));
        Ok(old.map(|(file, _, length)| (file, length)).collect())
    }

    /// Whether a row names the file. Both tables are asked at one instant, since a commit moves a
    /// file from one to the other.
    async fn is_named(&self, file: String) -> Result<bool, Fault> {
        let named = self.inner.database.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM blobs WHERE file = ?1)
                     OR EXISTS (SELECT 1 FROM stagings WHERE file = ?1)",
            )?;
            Ok(statement.query_row(params![file], |row| row.get(0))?)
        });
        named.await
    }
}
