//! Staged blocks: one file per blob to be, and a row per block that says where in it it lies.
//!
//! Blocks lie in the order in which they were asked for, which is the order of the blob in all
//! cases that matter, so that a commit renames the file instead of copying it. Staging is relaxed:
//! its rows need not survive a power loss, and after one they are not believed.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::database::Durability::Relaxed;
use super::database::blocking;
use super::fault::Fault;
use super::files::{BlobFiles, Extent};
use super::schema::Holder;
use super::{EmbeddedStore, Inner};
use crate::storage::{BlobName, BlockId, ContainerName, StorageErrorKind};

/// Blocks staged for one name.
#[derive(Debug, Clone)]
pub(super) struct Staging {
    pub(super) id: i64,
    pub(super) file: String,
    boot: String,
    length: i64,
    pub(super) revision: i64,
}

/// Where a block shall be written.
struct Place {
    staging: i64,
    file: String,
    extent: Extent,
}

/// The request to stage a block, as far as the rows know it.
struct Wish {
    container: String,
    name: String,
    block: BlockId,
    length: u64,
    fresh_file: String,
    boot: String,
    now: i64,
}

impl EmbeddedStore {
    pub(super) async fn stage(
        &self,
        container: &ContainerName,
        name: &BlobName,
        block: BlockId,
        bytes: Bytes,
    ) -> Result<(), Fault> {
        let Inner {
            database,
            files,
            boot,
            ..
        } = &*self.inner;
        let wish = Wish {
            container: container.as_str().to_owned(),
            name: name.as_str().to_owned(),
            block,
            length: bytes.len() as u64,
            fresh_file: self.inner.fresh_id(),
            boot: boot.clone(),
            now: self.inner.now(),
        };
        let files_here = files.clone();
        // First await of the call: the place in the file is given in the order of the calls.
        let place = database
            .write(Relaxed, move |tx| allocate(tx, &wish, &files_here))
            .await?;
        let (file, start) = (place.file.clone(), place.extent.start);
        let files_here = files.clone();
        let written = blocking(move || files_here.write_block(&file, start, &bytes)).await;
        match written {
            Ok(true) => {
                database
                    .write(Relaxed, move |tx| record(tx, &place, block))
                    .await
            }
            Ok(false) => Err(discarded()),
            Err(fault) => {
                self.unstage(place).await;
                Err(fault)
            }
        }
    }

    /// Gives back the place of a block that could not be written, so that the next try finds it
    /// there. Failing that it goes to the end, and the commit copies.
    async fn unstage(&self, place: Place) {
        let Inner {
            database, files, ..
        } = &*self.inner;
        let (files, file, extent) = (files.clone(), place.file.clone(), place.extent);
        let freed = blocking(move || files.unwrite_block(&file, extent)).await;
        let given_back = database
            .write(Relaxed, move |tx| give_back(tx, &place))
            .await;
        if let Err(fault) = freed.and(given_back) {
            tracing::debug!(?fault, "the place of a failed block stays taken");
        }
    }

    pub(super) async fn discard(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> Result<(), Fault> {
        let (container, name) = (container.as_str().to_owned(), name.as_str().to_owned());
        let files = self.inner.files.clone();
        let discard = self.inner.database.write(Relaxed, move |tx| {
            let container = Holder::Container.id(tx, &container)?;
            match find(tx, container, &name)? {
                Some(staging) => forget(tx, &staging, &files),
                None => Ok(()),
            }
        });
        discard.await
    }
}

fn discarded() -> Fault {
    Fault::refused(
        StorageErrorKind::Invalid,
        "the blocks of this blob were committed or discarded while this one was on its way",
    )
}

/// What is staged under a name, believed or not.
pub(super) fn find(
    connection: &Connection,
    container: i64,
    name: &str,
) -> Result<Option<Staging>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, file, boot, length, revision FROM stagings
         WHERE container_id = ?1 AND name = ?2",
    )?;
    let found = statement.query_row(params![container, name], |row| {
        Ok(Staging {
            id: row.get(0)?,
            file: row.get(1)?,
            boot: row.get(2)?,
            length: row.get(3)?,
            revision: row.get(4)?,
        })
    });
    Ok(found.optional()?)
}

impl Staging {
    /// Whether its bytes are what was staged: written since the machine started, file in place.
    pub(super) fn is_trusted(&self, boot: &str, files: &BlobFiles) -> Result<bool, Fault> {
        Ok(self.boot == boot && files.is_staged(&self.file)?)
    }

    /// Where the named blocks lie, in this order; `Invalid` for one that was never staged.
    pub(super) fn extents(
        &self,
        connection: &Connection,
        blocks: &[BlockId],
    ) -> Result<Vec<Extent>, Fault> {
        let mut statement = connection
            .prepare_cached("SELECT block, start, length FROM blocks WHERE staging_id = ?1")?;
        let known: HashMap<[u8; 32], Extent> = statement
            .query_map([self.id], |row| {
                let (start, length): (i64, i64) = (row.get(1)?, row.get(2)?);
                let extent = Extent {
                    start: start.unsigned_abs(),
                    length: length.unsigned_abs(),
                };
                Ok((row.get(0)?, extent))
            })?
            .collect::<Result<_, _>>()?;
        blocks
            .iter()
            .map(|id| known.get(&id.0).copied().ok_or_else(unknown_block))
            .collect()
    }
}

pub(super) fn unknown_block() -> Fault {
    Fault::refused(
        StorageErrorKind::Invalid,
        "a block of the list was never staged",
    )
}

/// Removes rows and file. The file goes first: that frees room on a full disk, and rows without a
/// file are not believed.
pub(super) fn forget(
    tx: &Transaction<'_>,
    staging: &Staging,
    files: &BlobFiles,
) -> Result<(), Fault> {
    files.remove(&staging.file)?;
    forget_rows(tx, staging.id)
}

/// Removes the rows only.
pub(super) fn forget_rows(tx: &Transaction<'_>, staging: i64) -> Result<(), Fault> {
    tx.prepare_cached("DELETE FROM blocks WHERE staging_id = ?1")?
        .execute([staging])?;
    tx.prepare_cached("DELETE FROM stagings WHERE id = ?1")?
        .execute([staging])?;
    Ok(())
}

fn allocate(tx: &Transaction<'_>, wish: &Wish, files: &BlobFiles) -> Result<Place, Fault> {
    let container = Holder::Container.id(tx, &wish.container)?;
    let staging = match find(tx, container, &wish.name)? {
        Some(staging) if staging.is_trusted(&wish.boot, files)? => staging,
        stale => {
            if let Some(stale) = stale {
                forget(tx, &stale, files)?;
            }
            begin(tx, container, wish, files)?
        }
    };
    let mut statement = tx.prepare_cached(
        "DELETE FROM blocks WHERE staging_id = ?1 AND block = ?2 RETURNING start, length",
    )?;
    let earlier: Option<(i64, i64)> = statement
        .query_row(params![staging.id, wish.block.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let start = match earlier {
        Some((start, length)) if length.unsigned_abs() == wish.length => start,
        _ => staging.length,
    };
    let length = i64::try_from(wish.length).unwrap_or(i64::MAX);
    let end = staging.length.max(start.saturating_add(length));
    tx.prepare_cached(
        "UPDATE stagings SET length = ?2, revision = revision + 1, touched_at = ?3 WHERE id = ?1",
    )?
    .execute(params![staging.id, end, wish.now])?;
    let extent = Extent {
        start: start.unsigned_abs(),
        length: wish.length,
    };
    Ok(Place {
        staging: staging.id,
        file: staging.file,
        extent,
    })
}

fn begin(
    tx: &Transaction<'_>,
    container: i64,
    wish: &Wish,
    files: &BlobFiles,
) -> Result<Staging, Fault> {
    files.create(&wish.fresh_file)?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO stagings (container_id, name, file, boot, length, revision, touched_at)
         VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)",
    )?;
    let Wish {
        name,
        fresh_file,
        boot,
        now,
        ..
    } = wish;
    let id = statement.insert(params![container, name, fresh_file, boot, now])?;
    Ok(Staging {
        id,
        file: fresh_file.clone(),
        boot: boot.clone(),
        length: 0,
        revision: 0,
    })
}

fn record(tx: &Transaction<'_>, place: &Place, block: BlockId) -> Result<(), Fault> {
    let mut statement = tx.prepare_cached(
        "INSERT OR REPLACE INTO blocks (staging_id, block, start, length)
         SELECT id, ?2, ?3, ?4 FROM stagings WHERE id = ?1",
    )?;
    let Extent { start, length } = place.extent;
    let start = i64::try_from(start).unwrap_or(i64::MAX);
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let recorded = statement.execute(params![place.staging, block.0, start, length])?;
    if recorded == 1 {
        Ok(())
    } else {
        Err(discarded())
    }
}

fn give_back(tx: &Transaction<'_>, place: &Place) -> Result<(), Fault> {
    let Extent { start, length } = place.extent;
    let mut statement = tx.prepare_cached(
        "UPDATE stagings SET length = ?2 WHERE id = ?1 AND length = ?3 AND NOT EXISTS (
             SELECT 1 FROM blocks WHERE staging_id = ?1 AND start >= ?2)",
    )?;
    let start_row = i64::try_from(start).unwrap_or(i64::MAX);
    let end = i64::try_from(start + length).unwrap_or(i64::MAX);
    statement.execute(params![place.staging, start_row, end])?;
    Ok(())
}
