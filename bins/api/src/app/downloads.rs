//! The data of a backup: a link that the store makes, or the bytes through this service.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dilux_core::clock::SharedClock;
use dilux_core::expiry::Expiry;
use dilux_core::model::{
    AuditAction, AuditResourceType, Backup, BackupId, BackupStatus, DatabaseId,
};
use dilux_core::repository::Stretch;
use dilux_core::storage::{
    BlobName, BlobProperties, BlobStore, ContainerName, ETag, StorageResult,
};
use dilux_core::{Error, Result};
use futures::Stream;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use url::Url;

use super::Application;
use super::audit::Event;
use super::deletions::database_of;
use super::noted::Due;
use crate::caller::Caller;
use crate::wire::backup::{DownloadQuery, describe};

/// How long a link lives.
const LINK_LIFE: Duration = Duration::from_mins(15);

/// How long a stream keeps its data without asking again.
const STREAM_LEASE: SignedDuration = SignedDuration::from_mins(20);

/// Bytes read at once while streaming: what one download holds in memory.
const CHUNK: u64 = 4 * 1024 * 1024;

/// A link to the data of a backup.
#[derive(Debug)]
pub(crate) struct Link {
    /// The backup.
    pub(crate) backup: BackupId,
    /// Its blob.
    pub(crate) blob_name: String,
    /// Name to save it under.
    pub(crate) file_name: String,
    /// The link and its life, when the store makes links; else the bytes come through this API.
    pub(crate) direct: Option<(Url, Duration)>,
}

/// The data of a backup, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct BackupData {
    store: Arc<dyn BlobStore>,
    container: ContainerName,
    name: BlobName,
    /// Bytes.
    pub(crate) size: u64,
    /// Version; every byte comes from it.
    pub(crate) etag: ETag,
    /// Name to save it under.
    pub(crate) file_name: String,
    /// Content type.
    pub(crate) content_type: &'static str,
    lease: Lease,
}

/// Keeps the data from being deleted while it is read.
#[derive(Debug, Clone)]
struct Lease {
    expiry: Expiry,
    clock: SharedClock,
    database: DatabaseId,
    backup: BackupId,
    until: Timestamp,
}

impl Lease {
    /// Renews the lease in its last half.
    async fn keep(&mut self) {
        let now = self.clock.now();
        if self.until.duration_since(now) > STREAM_LEASE / 2 {
            return;
        }
        let until = now.saturating_add(STREAM_LEASE).unwrap_or(now);
        match self
            .expiry
            .lease_download(&self.database, &self.backup, until)
            .await
        {
            Ok(()) => self.until = until,
            Err(error) => tracing::warn!(%error, "a download may be cut off by retention"),
        }
    }
}

impl BackupData {
    /// The bytes of `range`, chunk by chunk.
    pub(crate) fn stream(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = StorageResult<Bytes>> + Send + 'static {
        futures::stream::try_unfold((self, range), |(mut data, rest)| async move {
            if rest.is_empty() {
                return Ok(None);
            }
            data.lease.keep().await;
            let end = rest.end.min(rest.start + CHUNK);
            let bytes = data
                .store
                .read(
                    &data.container,
                    &data.name,
                    rest.start..end,
                    Some(&data.etag),
                )
                .await
                .inspect_err(|error| tracing::warn!(%error, "a download broke off"))?;
            Ok(Some((bytes, (data, end..rest.end))))
        })
    }
}

impl Application {
    /// A link to the data of a backup.
    pub(crate) async fn link(&self, id: &BackupId, caller: &Caller) -> Result<Link> {
        let backup = self.backup(id).await?;
        self.link_to(&backup, LINK_LIFE, caller).await
    }

    /// A link to a blob that some backup names.
    pub(crate) async fn link_by_blob(
        &self,
        query: &DownloadQuery,
        caller: &Caller,
    ) -> Result<Link> {
        let life = query.life().map_or(LINK_LIFE, |life| life.min(LINK_LIFE));
        match self.backup_of_blob(&query.blob_name).await? {
            Some(backup) => self.link_to(&backup, life, caller).await,
            None => Err(Error::NotFound {
                what: "Backup",
                id: query.blob_name.chars().take(1024).collect(),
            }),
        }
    }

    /// The backup that has this blob. The database is in the blob's name, so only its history is
    /// looked through.
    pub(super) async fn backup_of_blob(&self, name: &str) -> Result<Option<Backup>> {
        let mut found = None;
        if let Some(database) = database_of(name) {
            let visit = |backup: Backup, _| {
                if backup.blob_name.as_deref() == Some(name) {
                    found = Some(backup);
                }
                found.is_none()
            };
            let backups = &self.installation.repositories.backups;
            backups
                .walk_database(&database, Stretch::WHOLE, visit)
                .await?;
        }
        Ok(found)
    }

    async fn link_to(&self, backup: &Backup, life: Duration, caller: &Caller) -> Result<Link> {
        let data = self.open(backup).await?;
        // A transfer that began while the link was valid may go on after it.
        let total = self.installation.settings.deadlines.total;
        let life_and_transfer = SignedDuration::try_from(life + total);
        self.lease_download(backup, life_and_transfer.unwrap_or(STREAM_LEASE))
            .await?;
        let link = data
            .store
            .download_link(&data.container, &data.name, life, &data.file_name)
            .await?;
        let details = json!({ "expiry_minutes": life.as_secs() / 60, "link": link.is_some() });
        self.record_download(backup, details, caller).await;
        Ok(Link {
            backup: backup.id.clone(),
            blob_name: data.name.to_string(),
            file_name: data.file_name,
            direct: link.map(|url| (url, life)),
        })
    }

    /// The data of a backup.
    pub(crate) async fn backup_data(&self, id: &BackupId) -> Result<(Backup, BackupData)> {
        let backup = self.backup(id).await?;
        let data = self.open(&backup).await?;
        Ok((backup, data))
    }

    /// Notes that somebody reads the data of a backup: each time when it is the whole, and once an
    /// hour when it is read in ranges, as many as a download that is resumed takes.
    pub(crate) async fn record_read(
        &self,
        backup: &Backup,
        range: Option<&Range<u64>>,
        caller: &Caller,
    ) {
        let now = self.installation.clock.now();
        let reading = (caller.user_id.clone(), backup.id.clone());
        let mut details = json!({ "link": false });
        if let Some(range) = range {
            if self.readings.due(&reading, now) == Due::No {
                return;
            }
            details["range"] = json!(format!("{}-{}", range.start, range.end.saturating_sub(1)));
        }
        if self.record_download(backup, details, caller).await {
            self.readings.note(reading, now);
        }
    }

    async fn open(&self, backup: &Backup) -> Result<BackupData> {
        let is_there = matches!(
            backup.status,
            BackupStatus::Completed | BackupStatus::Damaged
        );
        let (true, Some(blob)) = (is_there, &backup.blob_name) else {
            return Err(Error::Refused(format!(
                "this backup has no data: its status is '{}'",
                backup.status
            )));
        };
        let container = match &backup.container {
            Some(name) => ContainerName::new(name.as_str())?,
            None => self.installation.settings.container.clone(),
        };
        let name = BlobName::new(blob.as_str())?;
        let store = self.installation.storage.blobs.clone();
        let properties = store.properties(&container, &name).await?;
        let BlobProperties { size, etag, .. } = properties.ok_or_else(|| Error::NotFound {
            what: "Data of backup",
            id: backup.id.to_string(),
        })?;
        let lease = self.lease_download(backup, STREAM_LEASE).await?;
        Ok(BackupData {
            store,
            container,
            name,
            size,
            etag,
            file_name: file_name(backup),
            content_type: content_type(backup),
            lease,
        })
    }

    /// Keeps the data of a backup for `life` from now.
    async fn lease_download(&self, backup: &Backup, life: SignedDuration) -> Result<Lease> {
        let now = self.installation.clock.now();
        let until = now.saturating_add(life).unwrap_or(now);
        let expiry = self.expiry();
        expiry
            .lease_download(&backup.database_id, &backup.id, until)
            .await?;
        Ok(Lease {
            expiry,
            clock: self.installation.clock.clone(),
            database: backup.database_id.clone(),
            backup: backup.id.clone(),
            until,
        })
    }

    async fn record_download(
        &self,
        backup: &Backup,
        mut details: serde_json::Value,
        caller: &Caller,
    ) -> bool {
        if let serde_json::Value::Object(details) = &mut details {
            details.insert("blob_name".to_owned(), json!(backup.blob_name));
            details.insert("database_id".to_owned(), json!(backup.database_id.as_str()));
            details.insert(
                "database_type".to_owned(),
                json!(backup.engine_type.as_str()),
            );
        }
        let event = Event {
            action: AuditAction::BackupDownloaded,
            resource_type: AuditResourceType::Backup,
            resource_id: backup.id.to_string(),
            resource_name: describe(backup),
            details,
            failure: None,
        };
        self.note(caller, event).await
    }
}

/// `Orders_20260131_020000.sql.gz`.
fn file_name(backup: &Backup) -> String {
    let at = backup.created_at.to_zoned(TimeZone::UTC);
    let format = backup.format.as_deref().unwrap_or("dump");
    format!(
        "{}_{}.{format}",
        backup.database_label,
        at.strftime("%Y%m%d_%H%M%S")
    )
}

fn content_type(backup: &Backup) -> &'static str {
    let format = backup.format.as_deref().unwrap_or_default();
    match format.rsplit('.').next() {
        Some("gz") => "application/gzip",
        Some("zst") => "application/zstd",
        Some("sql") => "application/sql",
        _ => "application/octet-stream",
    }
}
