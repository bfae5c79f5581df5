//! How a blob comes about: its bytes are put on the disk first and its row is written last. The
//! row is the commit point; bytes without a row are rubbish that a sweep removes.

use bytes::Bytes;
use rusqlite::{Transaction, params};

use super::blob::{check, find, tolerate};
use super::database::Durability::Durable;
use super::database::blocking;
use super::fault::Fault;
use super::files::{BlobFiles, Extent};
use super::schema::{Holder, tick};
use super::staging::{self, Staging};
use super::{EmbeddedStore, codec};
use crate::storage::{BlobName, BlobVersion, BlockId, ContainerName, PutOptions, StorageErrorKind};

/// A blob whose bytes are on the disk and whose row is not there yet.
struct Draft {
    container: String,
    name: String,
    file: String,
    size: u64,
    options: PutOptions,
    now: i64,
    /// The staging that it is made of.
    staging: Option<Staging>,
}

impl EmbeddedStore {
    fn draft(&self, container: &ContainerName, name: &BlobName, options: PutOptions) -> Draft {
        Draft {
            container: container.as_str().to_owned(),
            name: name.as_str().to_owned(),
            file: self.inner.fresh_id(),
            size: 0,
            options,
            now: self.inner.now(),
            staging: None,
        }
    }

    pub(super) async fn put_whole(
        &self,
        container: &ContainerName,
        name: &BlobName,
        bytes: Bytes,
        options: PutOptions,
    ) -> Result<BlobVersion, Fault> {
        // Again when the row is written; this spares the loser of a race the work.
        check(
            &options.condition,
            self.lookup(container, name).await?.as_ref(),
        )?;
        let draft = Draft {
            size: bytes.len() as u64,
            ..self.draft(container, name, options)
        };
        let (files, file) = (self.inner.files.clone(), draft.file.clone());
        blocking(move || files.write(&file, &bytes)).await?;
        self.enter(draft).await
    }

    pub(super) async fn commit(
        &self,
        container: &ContainerName,
        name: &BlobName,
        blocks: &[BlockId],
        options: PutOptions,
    ) -> Result<BlobVersion, Fault> {
        let condition = options.condition.clone();
        let draft = self.draft(container, name, options);
        match self.try_commit(draft, blocks.to_vec()).await {
            // The winner of a race takes the blocks with it. That the race is lost comes first.
            Err(fault) if fault.is_invalid() => {
                check(&condition, self.lookup(container, name).await?.as_ref())?;
                Err(fault)
            }
            outcome => outcome,
        }
    }

    async fn try_commit(
        &self,
        mut draft: Draft,
        blocks: Vec<BlockId>,
    ) -> Result<BlobVersion, Fault> {
        let (container, name) = (draft.container.clone(), draft.name.clone());
        let condition = draft.options.condition.clone();
        let (files, boot) = (self.inner.files.clone(), self.inner.boot.clone());
        let plan = self.inner.database.read(move |connection| {
            let container = Holder::Container.id(connection, &container)?;
            check(&condition, find(connection, container, &name)?.as_ref())?;
            match staging::find(connection, container, &name)? {
                Some(staging) if staging.is_trusted(&boot, &files)? => {
                    let extents = staging.extents(connection, &blocks)?;
                    Ok((Some(staging), extents))
                }
                _ if blocks.is_empty() => Ok((None, Vec::new())),
                _ => Err(staging::unknown_block()),
            }
        });
        let (staging, extents) = plan.await?;
        draft.size = extents.iter().map(|extent| extent.length).sum();
        draft.staging = staging;
        let files = self.inner.files.clone();
        let draft = blocking(move || assemble(draft, &extents, &files)).await?;
        self.enter(draft).await
    }

    /// Writes the row of a blob whose bytes are on the disk, then frees what it replaces.
    async fn enter(&self, draft: Draft) -> Result<BlobVersion, Fault> {
        let files = self.inner.files.clone();
        let (file, size) = (draft.file.clone(), draft.size);
        // A staging that was not committed keeps its file, and a file whose row may have been
        // written after all is left to the sweep.
        let is_own = draft
            .staging
            .as_ref()
            .is_none_or(|staging| staging.file != file);
        let entered = self
            .inner
            .database
            .write(Durable, move |tx| enter(tx, &draft))
            .await;
        let (result, freed) = match entered {
            Ok((version, freed)) => (
                Ok(BlobVersion {
                    etag: codec::etag(version),
                }),
                freed,
            ),
            Err(fault) if is_own && fault.left_nothing() => (Err(fault), vec![file.clone()]),
            Err(fault) => (Err(fault), Vec::new()),
        };
        let is_entered = result.is_ok();
        let tidied = blocking(move || {
            freed.iter().try_for_each(|old| files.remove(old))?;
            if is_entered {
                files.cut(&file, size)
            } else {
                Ok(())
            }
        });
        tolerate(tidied.await);
        result
    }
}

/// Puts the named blocks on the disk as one file: the staged file itself when they lie in it in
/// order from its start, a copy otherwise.
fn assemble(mut draft: Draft, extents: &[Extent], files: &BlobFiles) -> Result<Draft, Fault> {
    let mut end = 0;
    let is_in_order = extents.iter().all(|extent| {
        let follows = extent.start == end;
        end = extent.start + extent.length;
        follows
    });
    let is_there = match &draft.staging {
        Some(staging) if is_in_order && !extents.is_empty() => {
            draft.file.clone_from(&staging.file);
            files.publish(&staging.file, draft.size)?
        }
        Some(staging) => files.gather(&draft.file, &staging.file, extents)?,
        None => {
            files.write(&draft.file, &[])?;
            true
        }
    };
    if is_there {
        Ok(draft)
    } else {
        Err(staging::unknown_block())
    }
}

/// Writes the row. Gives the version and the files that nothing names any more.
fn enter(tx: &Transaction<'_>, draft: &Draft) -> Result<(i64, Vec<String>), Fault> {
    let container = Holder::Container.id(tx, &draft.container)?;
    let present = find(tx, container, &draft.name)?;
    check(&draft.options.condition, present.as_ref())?;
    let mut freed: Vec<_> = present.into_iter().map(|record| record.file).collect();
    let staged = staging::find(tx, container, &draft.name)?;
    if let Some(committed) = &draft.staging {
        let is_unchanged = staged.as_ref().is_some_and(|staged| {
            (staged.id, staged.revision) == (committed.id, committed.revision)
        });
        if !is_unchanged {
            return Err(Fault::refused(
                StorageErrorKind::Invalid,
                "the staged blocks changed while they were committed; stage under a name of one's \
                 own",
            ));
        }
    }
    if let Some(staged) = staged {
        staging::forget_rows(tx, staged.id)?;
        if staged.file != draft.file {
            freed.push(staged.file);
        }
    }
    let version = tick(tx, draft.now)?;
    let size = i64::try_from(draft.size).unwrap_or(i64::MAX);
    let content_type = draft
        .options
        .content_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    let metadata = serde_json::to_string(&draft.options.metadata)
        .map_err(|error| Fault::corrupt(error.to_string()))?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO blobs (container_id, name, file, size, version, content_type,
         metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        container,
        draft.name,
        draft.file,
        size,
        version,
        content_type,
        metadata
    ])?;
    Ok((version, freed))
}
