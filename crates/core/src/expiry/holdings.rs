//! What the store holds of one database: manifests, data, retention states, history lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::{Error, Result};
use crate::model::{
    Backup, BackupId, DamageKind, Database, DatabaseId, EngineType, Finding, JobId, Manifest,
    RetentionState,
};
use crate::repository::{Version, Versioned};
use crate::retention::{Candidate, Soundness};
use crate::storage::{BlobEntry, BlobName, ContainerName, StorageErrorKind, StorageResult};

use super::{Expiry, or_untouched, refused_by};

/// Largest manifest that is read; ours are a few KiB.
const MANIFEST_LIMIT: u64 = 1 << 20;

/// Blobs asked for at once.
const PAGE: u32 = 1000;

/// Where the manifests of all databases are.
pub(super) const MANIFESTS: &str = "manifests/";

/// A committed backup with all that is known of it.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) id: BackupId,
    pub(super) manifest: Manifest,
    pub(super) state: RetentionState,
    /// Version of the state; `None` while nobody ever touched it.
    pub(super) version: Option<Version>,
    pub(super) line: Option<Backup>,
    /// What is wrong with its data by the listing.
    pub(super) damage: Option<(DamageKind, String)>,
    /// Its state cannot be read, so it may be pinned.
    pub(super) is_obscure: bool,
}

impl Holding {
    /// As the planner sees it.
    pub(super) fn candidate(&self) -> Candidate {
        let soundness = match &self.state.finding {
            _ if self.damage.is_some() => Soundness::Unsound,
            Some(Finding::Verified { .. }) => Soundness::Verified,
            Some(Finding::Damaged {
                kind: DamageKind::VerificationFailed,
                ..
            }) => Soundness::Unsound,
            // Any other damage was seen from the listing, and is there no more.
            Some(Finding::Damaged { .. }) | None => Soundness::Unverified,
        };
        Candidate {
            id: self.id.clone(),
            taken_at: self.manifest.started_at,
            tiers: self.manifest.tiers.clone(),
            slot: self.manifest.slot,
            soundness,
            is_pinned: self.state.pin.is_some(),
            is_held: self.state.hold.is_some() || self.is_obscure,
        }
    }
}

/// Data in a container.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) container: ContainerName,
    pub(super) entry: BlobEntry,
}

/// What the store holds of one database.
#[derive(Debug)]
pub(super) struct Holdings {
    pub(super) database_id: DatabaseId,
    pub(super) backups: Vec<Holding>,
    /// Every blob in the folders of its data.
    pub(super) data: Vec<Data>,
    /// States of backups without manifest.
    pub(super) loose_states: Vec<Versioned<RetentionState>>,
    /// Lines of backups that should be there but have no manifest.
    pub(super) loose_lines: Vec<Backup>,
}

impl Expiry {
    /// Looks at everything of a database. The manifests come before the data, so that data of a
    /// manifest that was found is there unless it is truly gone.
    pub(super) async fn holdings(
        &self,
        id: &DatabaseId,
        database: Option<&Database>,
    ) -> Result<Holdings> {
        let mut manifests = Vec::new();
        for blob in self.manifest_blobs(id).await? {
            if let Some(manifest) = self.read_manifest(&blob).await? {
                manifests.push(manifest);
            }
        }
        let data = self.data_of(id, database, &manifests).await?;
        let repositories = &self.installation.repositories;
        let states = repositories.retention.not_deleted(id).await?;
        let lines = repositories.backups.standing_of(id).await?;
        let obscure: BTreeSet<String> = states.damaged.into_iter().map(|row| row.key.row).collect();
        let mut states: BTreeMap<BackupId, Versioned<RetentionState>> = states
            .items
            .into_iter()
            .map(|state| (state.value.backup_id.clone(), state))
            .collect();
        let mut lines: BTreeMap<BackupId, Backup> = lines
            .items
            .into_iter()
            .map(|line| (line.value.id.clone(), line.value))
            .collect();
        let sizes: HashMap<(&str, &str), u64> = data
            .iter()
            .map(|data| {
                let key = (data.container.as_str(), data.entry.name.as_str());
                (key, data.entry.size)
            })
            .collect();
        let backups = manifests
            .into_iter()
            .map(|manifest| {
                let id = BackupId::from(&manifest.job_id);
                let (state, version) = or_untouched(states.remove(&id), &manifest.database_id, &id);
                Holding {
                    damage: damage(&manifest, &sizes),
                    line: lines.remove(&id),
                    is_obscure: obscure.contains(id.as_str()),
                    state,
                    version,
                    id,
                    manifest,
                }
            })
            .collect();
        Ok(Holdings {
            database_id: id.clone(),
            backups,
            data,
            loose_states: states.into_values().collect(),
            loose_lines: lines.into_values().collect(),
        })
    }

    /// The blobs of a database's manifests.
    pub(super) async fn manifest_blobs(&self, id: &DatabaseId) -> StorageResult<Vec<BlobEntry>> {
        let container = &self.installation.settings.container;
        self.blobs_under(container, &format!("{MANIFESTS}{id}/"))
            .await
    }

    /// Reads a manifest; `None` when it went in the meantime.
    async fn read_manifest(&self, blob: &BlobEntry) -> Result<Option<Manifest>> {
        let (blobs, container) = (
            &self.installation.storage.blobs,
            &self.installation.settings.container,
        );
        let name = &blob.name;
        let range = 0..blob.size.min(MANIFEST_LIMIT);
        let bytes = match blobs.read(container, name, range, None).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == StorageErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let unusable = |reason: String| Error::Internal {
            message: format!(
                "'{name}' is no manifest that can be used ({reason}); nothing of its database \
                 expires until it is mended or removed"
            ),
            source: None,
        };
        let manifest = Manifest::from_json(&bytes).map_err(|error| unusable(error.to_string()))?;
        if Manifest::blob_name(&manifest.job_id) != name.as_str() {
            return Err(unusable("it is another job's".to_owned()));
        }
        Ok(Some(manifest))
    }

    /// Whether a job has a manifest.
    pub(super) async fn has_manifest(&self, job: &JobId) -> StorageResult<bool> {
        let name = BlobName::new(Manifest::blob_name(job))?;
        let container = &self.installation.settings.container;
        let found = self.installation.storage.blobs.properties(container, &name);
        Ok(found.await?.is_some())
    }

    /// Every blob in the folders of a database's data: in the default container, in the one that
    /// the database is set to use, and in those that its manifests name.
    async fn data_of(
        &self,
        id: &DatabaseId,
        database: Option<&Database>,
        manifests: &[Manifest],
    ) -> Result<Vec<Data>> {
        let mut folders = BTreeSet::new();
        let default = self.installation.settings.container.as_str();
        let chosen = database.and_then(|database| database.destination.as_ref());
        for kind in EngineType::ALL {
            folders.insert((default.to_owned(), format!("{kind}/{id}/")));
            if let Some(chosen) = chosen {
                folders.insert((chosen.to_string(), format!("{kind}/{id}/")));
            }
        }
        for manifest in manifests {
            if let Some((folder, _)) = manifest.data.blob.rsplit_once('/') {
                folders.insert((manifest.data.container.clone(), format!("{folder}/")));
            }
        }
        let mut found = Vec::new();
        for (container, folder) in folders {
            let container = ContainerName::new(container)?;
            let blobs = self.blobs_under(&container, &folder).await;
            let default = &self.installation.settings.container;
            let blobs = blobs.map_err(|error| refused_by(&container, default, error))?;
            found.extend(blobs.into_iter().map(|entry| Data {
                container: container.clone(),
                entry,
            }));
        }
        Ok(found)
    }

    /// Every blob under a prefix. A container that does not exist holds nothing.
    pub(super) async fn blobs_under(
        &self,
        container: &ContainerName,
        prefix: &str,
    ) -> StorageResult<Vec<BlobEntry>> {
        let blobs = &self.installation.storage.blobs;
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = match blobs.list(container, prefix, PAGE, from.as_ref()).await {
                Ok(page) => page,
                Err(error) if error.kind() == StorageErrorKind::NotFound => return Ok(found),
                Err(error) => return Err(error),
            };
            found.extend(page.blobs);
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(found),
            }
        }
    }
}

fn damage(manifest: &Manifest, sizes: &HashMap<(&str, &str), u64>) -> Option<(DamageKind, String)> {
    let data = &manifest.data;
    match sizes.get(&(data.container.as_str(), data.blob.as_str())) {
        None => Some((
            DamageKind::Missing,
            format!(
                "its data '{}' is not in container '{}'",
                data.blob, data.container
            ),
        )),
        Some(size) if *size != data.stored_bytes => Some((
            DamageKind::Truncated,
            format!(
                "its data '{}' has {size} bytes instead of {}",
                data.blob, data.stored_bytes
            ),
        )),
        Some(_) => None,
    }
}
