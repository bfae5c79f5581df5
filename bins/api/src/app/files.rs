//! The data of backups as files: what the catalogue knows of, found in its containers. Anything
//! else that lies there is not shown.

use std::collections::HashMap;

use dilux_core::Result;
use dilux_core::model::{Backup, DatabaseId};
use dilux_core::storage::{BlobEntry, ContainerName, StorageErrorKind};
use jiff::Timestamp;

use super::Application;
use super::deletions::database_of;
use crate::wire::backup::FileQuery;

/// Blobs asked for at once.
const PAGE: u32 = 500;

/// The data of a backup.
#[derive(Debug)]
pub(crate) struct BackupFile {
    /// Name of its blob.
    pub(crate) name: String,
    /// Container that holds it.
    pub(crate) container: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was written.
    pub(crate) last_modified: Timestamp,
    /// Content type.
    pub(crate) content_type: String,
    /// Its backup.
    pub(crate) backup: Backup,
}

/// Files by name.
#[derive(Debug)]
pub(crate) struct BackupFiles {
    /// The files.
    pub(crate) files: Vec<BackupFile>,
    /// Whether more follow.
    pub(crate) has_more: bool,
}

/// Lines of databases that were looked at, by the names of their blobs.
type Catalogue = HashMap<DatabaseId, HashMap<String, Backup>>;

impl Application {
    /// The data of backups whose names begin with a prefix, by name.
    pub(crate) async fn list_files(&self, query: &FileQuery) -> Result<BackupFiles> {
        let mut files = Vec::new();
        let mut catalogue = Catalogue::new();
        for container in self.containers().await? {
            self.files_in(&container, query, &mut catalogue, &mut files)
                .await?;
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let has_more = files.len() > query.limit;
        files.truncate(query.limit);
        Ok(BackupFiles { files, has_more })
    }

    /// The installation's container and those that databases chose.
    async fn containers(&self) -> Result<Vec<ContainerName>> {
        let mut containers = vec![self.installation.settings.container.clone()];
        for row in self.installation.repositories.databases.list().await?.items {
            if let Some(chosen) = &row.value.destination {
                let chosen = ContainerName::new(chosen.as_str())?;
                if !containers.contains(&chosen) {
                    containers.push(chosen);
                }
            }
        }
        Ok(containers)
    }

    /// Adds the first files of a container, one more than are shown.
    async fn files_in(
        &self,
        container: &ContainerName,
        query: &FileQuery,
        catalogue: &mut Catalogue,
        files: &mut Vec<BackupFile>,
    ) -> Result<()> {
        let blobs = &self.installation.storage.blobs;
        let (mut missing, mut from) = (query.limit + 1, None);
        loop {
            let page = blobs.list(container, &query.prefix, PAGE, from.as_ref());
            let page = match page.await {
                Err(error) if error.kind() == StorageErrorKind::NotFound => return Ok(()),
                page => page?,
            };
            for blob in page.blobs {
                if let Some(file) = self.file(container, &blob, catalogue).await? {
                    files.push(file);
                    missing -= 1;
                    if missing == 0 {
                        return Ok(());
                    }
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// A blob as a file; `None` for one that is no backup's data.
    async fn file(
        &self,
        container: &ContainerName,
        blob: &BlobEntry,
        catalogue: &mut Catalogue,
    ) -> Result<Option<BackupFile>> {
        let Some(database) = database_of(blob.name.as_str()) else {
            return Ok(None);
        };
        if !catalogue.contains_key(&database) {
            let lines = self
                .installation
                .repositories
                .backups
                .standing_of(&database);
            let lines = lines.await?.items.into_iter().map(|line| line.value);
            let named = lines.filter_map(|line| Some((line.blob_name.clone()?, line)));
            catalogue.insert(database.clone(), named.collect());
        }
        let lines = catalogue.get(&database);
        let backup = lines.and_then(|lines| lines.get(blob.name.as_str()));
        let is_here = |backup: &&Backup| {
            let default = self.installation.settings.container.as_str();
            backup.container.as_deref().unwrap_or(default) == container.as_str()
        };
        Ok(backup.filter(is_here).map(|backup| BackupFile {
            name: blob.name.to_string(),
            container: container.as_str().to_owned(),
            size: blob.size,
            last_modified: blob.last_modified,
            content_type: blob.content_type.clone(),
            backup: backup.clone(),
        }))
    }
}
