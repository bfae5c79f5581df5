//! The blob port over files and their rows.
//!
//! The row is what makes a file a blob; see `commit` for how one comes about.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, Row, params};
use url::Url;

use super::database::Durability::Durable;
use super::database::blocking;
use super::fault::Fault;
use super::schema::Holder;
use super::{EmbeddedStore, codec};
use crate::storage::{
    BlobEntry, BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    Continuation, ETag, PutCondition, PutOptions, StorageErrorKind, StorageResult,
};

/// A blob's row.
pub(super) struct Record {
    pub(super) file: String,
    size: u64,
    version: i64,
    content_type: String,
    metadata: BTreeMap<String, String>,
}

#[async_trait]
impl BlobStore for EmbeddedStore {
    async fn create_container(&self, container: &ContainerName) -> StorageResult<()> {
        let name = container.as_str().to_owned();
        let created = self
            .inner
            .database
            .write(Durable, move |tx| Holder::Container.create(tx, &name));
        created
            .await
            .map_err(|fault| self.inner.error("create container", fault))
    }

    async fn put(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let put = self.put_whole(container, name, bytes, options).await;
        put.map_err(|fault| self.inner.error("put blob", fault))
    }

    async fn stage_block(
        &self,
        container: &ContainerName,
        name: &BlobName,
        id: BlockId,
        bytes: Bytes,
    ) -> StorageResult<()> {
        let staged = self.stage(container, name, id, bytes).await;
        staged.map_err(|fault| self.inner.error("stage block", fault))
    }

    async fn commit_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> StorageResult<BlobVersion> {
        let committed = self.commit(container, name, blocks, options).await;
        committed.map_err(|fault| self.inner.error("commit blocks", fault))
    }

    async fn discard_blocks(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<()> {
        let discarded = self
            .inner
            .making_room(|| self.discard(container, name))
            .await;
        discarded.map_err(|fault| self.inner.error("discard blocks", fault))
    }

    async fn properties(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> StorageResult<Option<BlobProperties>> {
        let properties = self.lookup(container, name).await.and_then(|record| {
            let Some(record) = record else {
                return Ok(None);
            };
            Ok(Some(BlobProperties {
                size: record.size,
                etag: codec::etag(record.version),
                last_modified: codec::instant(record.version)?,
                content_type: record.content_type,
                metadata: record.metadata,
            }))
        });
        properties.map_err(|fault| self.inner.error("read blob properties", fault))
    }

    async fn read(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> StorageResult<Bytes> {
        let read = self.read_range(container, name, range, version).await;
        read.map_err(|fault| self.inner.error("read blob", fault))
    }

    async fn delete(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> StorageResult<()> {
        let removed = || self.remove(container, name, version);
        let deleted = self.inner.making_room(removed).await;
        deleted.map_err(|fault| self.inner.error("delete blob", fault))
    }

    async fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
        from: Option<&Continuation>,
    ) -> StorageResult<BlobPage> {
        let (container, prefix) = (container.as_str().to_owned(), prefix.to_owned());
        let from = from.cloned();
        let page = self.inner.database.read(move |connection| {
            let container = Holder::Container.id(connection, &container)?;
            let after: Option<String> = from.as_ref().map(codec::position).transpose()?;
            list(connection, container, &prefix, most, after)
        });
        page.await
            .map_err(|fault| self.inner.error("list blobs", fault))
    }

    async fn download_link(
        &self,
        _container: &ContainerName,
        _name: &BlobName,
        _life: Duration,
        _file_name: &str,
    ) -> StorageResult<Option<Url>> {
        Ok(None)
    }
}

impl EmbeddedStore {
    pub(super) async fn lookup(
        &self,
        container: &ContainerName,
        name: &BlobName,
    ) -> Result<Option<Record>, Fault> {
        let (container, name) = (container.as_str().to_owned(), name.as_str().to_owned());
        let found = self.inner.database.read(move |connection| {
            let container = Holder::Container.id(connection, &container)?;
            find(connection, container, &name)
        });
        found.await
    }

    async fn remove(
        &self,
        container: &ContainerName,
        name: &BlobName,
        version: Option<&ETag>,
    ) -> Result<(), Fault> {
        let version = version.cloned();
        let (container, name) = (container.as_str().to_owned(), name.as_str().to_owned());
        let delete = self.inner.database.write(Durable, move |tx| {
            let container = Holder::Container.id(tx, &container)?;
            let Some(record) = find(tx, container, &name)? else {
                return Err(missing());
            };
            if let Some(version) = version {
                check(&PutCondition::Matches(version), Some(&record))?;
            }
            tx.prepare_cached("DELETE FROM blobs WHERE container_id = ?1 AND name = ?2")?
                .execute(params![container, name])?;
            Ok(record.file)
        });
        let file = delete.await?;
        let files = self.inner.files.clone();
        tolerate(blocking(move || files.remove(&file)).await);
        Ok(())
    }

    async fn read_range(
        &self,
        container: &ContainerName,
        name: &BlobName,
        range: Range<u64>,
        version: Option<&ETag>,
    ) -> Result<Bytes, Fault> {
        let mut gone = None;
        loop {
            let Some(record) = self.lookup(container, name).await? else {
                return Err(missing());
            };
            if let Some(version) = version {
                check(&PutCondition::Matches(version.clone()), Some(&record))?;
            }
            if range.start > range.end || range.end > record.size {
                let message = format!("the blob has {} bytes, not {}", record.size, range.end);
                return Err(Fault::refused(StorageErrorKind::Invalid, message));
            }
            let (files, file, range) =
                (self.inner.files.clone(), record.file.clone(), range.clone());
            let length = range.end - range.start;
            match blocking(move || files.read(&file, &range)).await? {
                Some(bytes) if bytes.len() as u64 == length => return Ok(bytes),
                Some(_) => return Err(Fault::corrupt(format!("the file of '{name}' is cut off"))),
                // It was overwritten between the two looks; the row names the new file by now.
                None if gone.as_ref() != Some(&record.file) => gone = Some(record.file),
                None => return Err(Fault::corrupt(format!("the file of '{name}' is gone"))),
            }
        }
    }
}

/// What is done already cannot fail any more; files left behind are swept later.
pub(super) fn tolerate(tidied: Result<(), Fault>) {
    if let Err(fault) = tidied {
        tracing::warn!(
            ?fault,
            "a file that is not needed any more could not be removed"
        );
    }
}

fn missing() -> Fault {
    Fault::refused(StorageErrorKind::NotFound, "the blob does not exist")
}

pub(super) fn check(condition: &PutCondition, present: Option<&Record>) -> Result<(), Fault> {
    match (condition, present) {
        (PutCondition::Always, _) | (PutCondition::Absent, None) => Ok(()),
        (PutCondition::Absent, Some(_)) => Err(Fault::refused(
            StorageErrorKind::AlreadyExists,
            "the blob exists already",
        )),
        (PutCondition::Matches(etag), Some(record)) if codec::etag(record.version) == *etag => {
            Ok(())
        }
        (PutCondition::Matches(_), _) => Err(Fault::refused(
            StorageErrorKind::PreconditionFailed,
            "the blob has been changed or deleted since that version",
        )),
    }
}

pub(super) fn find(
    connection: &Connection,
    container: i64,
    name: &str,
) -> Result<Option<Record>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT file, size, version, content_type, metadata FROM blobs
         WHERE container_id = ?1 AND name = ?2",
    )?;
    let mut rows = statement.query(params![container, name])?;
    rows.next()?.map(record).transpose()
}

fn record(row: &Row<'_>) -> Result<Record, Fault> {
    let metadata = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(Record {
        file: row.get(0)?,
        size: row.get::<_, i64>(1)?.unsigned_abs(),
        version: row.get(2)?,
        content_type: row.get(3)?,
        metadata: serde_json::from_str(metadata)
            .map_err(|error| Fault::corrupt(format!("a blob's metadata: {error}")))?,
    })
}

fn list(
    connection: &Connection,
    container: i64,
    prefix: &str,
    most: u32,
    after: Option<String>,
) -> Result<BlobPage, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT file, size, version, content_type, metadata, name FROM blobs
         WHERE container_id = ?1 AND name >= ?2 AND name > ?3 ORDER BY name",
    )?;
    // No name is empty, so all names are greater than that.
    let mut rows = statement.query(params![container, prefix, after.unwrap_or_default()])?;
    let mut page = BlobPage {
        blobs: Vec::new(),
        next: None,
    };
    while let Some(row) = rows.next()? {
        let name: String = row.get(5)?;
        if !name.starts_with(prefix) {
            break;
        }
        if page.blobs.len() == most as usize {
            let last = page.blobs.last().map(|blob| blob.name.as_str());
            page.next = last.map(|last| codec::continuation(&last)).transpose()?;
            break;
        }
        let record = record(row)?;
        page.blobs.push(BlobEntry {
            name: BlobName::new(name)?,
            size: record.size,
            etag: codec::etag(record.version),
            last_modified: codec::instant(record.version)?,
            content_type: record.content_type,
        });
    }
    Ok(page)
}
