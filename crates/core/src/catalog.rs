//! The catalogue, rebuilt from manifests alone: history, index, timelines, rows of finished jobs,
//! recovery points and schedule state. Doing it again changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::crash;
use crate::error::Result;
use crate::expiry::shown;
use crate::installation::Installation;
use crate::model::{Backup, BackupId, BackupStatus, DatabaseId, Job, JobId, Manifest, Tier};
use crate::repository::ScheduleState;
use crate::schedule::{SlotJob, TierState};
use crate::storage::{BlobName, ContainerName, StorageErrorKind};

/// Where manifests are kept.
const FOLDER: &str = "manifests/";

/// Manifests a page.
const PAGE: u32 = 1000;

/// Largest blob that is read as a manifest; real ones are a few KiB.
const MANIFEST_LIMIT: u64 = 1 << 20;

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// Only say what is missing.
    DryRun,
    /// Write it.
    Write,
}

/// What a rebuild found, and wrote unless it was a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RebuildReport {
    /// Manifests read.
    pub manifests: usize,
    /// Lines of history that were missing, or knew nothing of the backup's success.
    pub lines: usize,
    /// Rows of jobs that were missing.
    pub jobs: usize,
    /// Databases whose recovery point was missing or older than their newest backup.
    pub recovery_points: usize,
    /// (Database, tier) whose booked slot was missing or older than the newest backup's.
    pub slots: usize,
    /// Manifests whose data is gone or has another size: name and what is wrong. Nothing is
    /// written for them.
    pub unusable: Vec<(String, String)>,
}

/// What the manifests of all databases add up to.
#[derive(Debug, Default)]
struct Newest {
    points: BTreeMap<DatabaseId, (Timestamp, BackupId)>,
    slots: BTreeMap<(DatabaseId, Tier), Served>,
}

/// A slot that has a backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Served {
    slot: Timestamp,
    at: Timestamp,
    job: JobId,
}

impl Newest {
    fn add(&mut self, manifest: &Manifest, status: BackupStatus) {
        let database = &manifest.database_id;
        if status == BackupStatus::Completed {
            let point = (manifest.started_at, BackupId::from(&manifest.job_id));
            let known = self.points.entry(database.clone());
            let known = known.or_insert_with(|| point.clone());
            if *known < point {
                *known = point;
            }
        }
        // A slot before this instant is served; one after it is owed. The booking came first.
        let served = Served {
            slot: manifest.slot.unwrap_or(manifest.job_created_at),
            at: manifest.committed_at,
            job: manifest.job_id.clone(),
        };
        for tier in &manifest.tiers {
            let known = self.slots.entry((database.clone(), *tier));
            let known = known.or_insert_with(|| served.clone());
            if *known < served {
                *known = served.clone();
            }
        }
    }
}

impl Installation {
    /// Rebuilds the catalogue. What is there already stays as it is.
    pub async fn rebuild_catalog(&self, mode: Rebuild) -> Result<RebuildReport> {
        let mut report = RebuildReport::default();
        let mut newest = Newest::default();
        let mut from = None;
        loop {
            let blobs = &self.storage.blobs;
            let container = &self.settings.container;
            let page = blobs.list(container, FOLDER, PAGE, from.as_ref()).await?;
            for blob in page.blobs {
                match self.usable_manifest(&blob.name, blob.size).await? {
                    Ok(manifest) => {
                        report.manifests += 1;
                        let status = self.rebuild_backup(&manifest, mode, &mut report).await?;
                        newest.add(&manifest, status);
                        crash::point("mid-rebuild");
                    }
                    Err(reason) => report.unusable.push((blob.name.to_string(), reason)),
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        self.rebuild_points(&newest, mode, &mut report).await?;
        crash::point("after-rebuilt-points");
        self.rebuild_slots(&newest, mode, &mut report).await?;
        Ok(report)
    }

    /// A manifest whose data is there, or what is wrong with it.
    async fn usable_manifest(
        &self,
        name: &BlobName,
        size: u64,
    ) -> Result<std::result::Result<Manifest, String>> {
        if size > MANIFEST_LIMIT {
            return Ok(Err("it is too large to be a manifest".to_owned()));
        }
        let (blobs, container) = (&self.storage.blobs, &self.settings.container);
        let bytes = match blobs.read(container, name, 0..size, None).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == StorageErrorKind::NotFound => {
                return Ok(Err("it was deleted meanwhile".to_owned()));
            }
            Err(error) => return Err(error.into()),
        };
        let manifest = match Manifest::from_json(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if Manifest::blob_name(&manifest.job_id) != name.as_str() {
            return Ok(Err("it names another job than its own name does".to_owned()));
        }
        let container = ContainerName::new(manifest.data.container.as_str());
        let data = BlobName::new(manifest.data.blob.as_str());
        let (Ok(container), Ok(data)) = (container, data) else {
            return Ok(Err("the name of its data is none".to_owned()));
        };
        let found = blobs.properties(&container, &data).await?;
        Ok(match found {
            None => Err(format!("its data '{data}' is gone")),
            Some(found) if found.size != manifest.data.stored_bytes => Err(format!(
                "its data '{data}' has {} bytes instead of {}",
                found.size, manifest.data.stored_bytes
            )),
            Some(_) => Ok(manifest),
        })
    }

    /// The line of history of a backup with its entries in index and timeline, and its job's row.
    /// What retention and people noted of it shows again. Gives the status of the line.
    async fn rebuild_backup(
        &self,
        manifest: &Manifest,
        mode: Rebuild,
        report: &mut RebuildReport,
    ) -> Result<BackupStatus> {
        let repositories = &self.repositories;
        let job = &manifest.job_id;
        let present = repositories
            .backups
            .get(job, manifest.job_created_at)
            .await?
            .map(|line| line.value)
            .filter(|line| line.status.was_completed());
        report.lines += usize::from(present.is_none());
        let is_known = repositories.jobs.get(job).await?.is_some();
        report.jobs += usize::from(!is_known);
        let line = match present {
            Some(line) => line,
            None => self.line_again(manifest).await?,
        };
        if mode == Rebuild::DryRun {
            return Ok(line.status);
        }
        repositories.backups.put(&line).await?;
        repositories
            .jobs
            .restore(Job::of_manifest(manifest))
            .await?;
        Ok(line.status)
    }

    /// A line that was lost.
    async fn line_again(&self, manifest: &Manifest) -> Result<Backup> {
        let mut line = Backup::of_manifest(manifest);
        let states = &self.repositories.retention;
        if let Some(state) = states.get(&line.database_id, &line.id).await? {
            (line.status, line.marks) = shown(&state.value);
        }
        Ok(line)
    }

    async fn rebuild_points(
        &self,
        newest: &Newest,
        mode: Rebuild,
        report: &mut RebuildReport,
    ) -> Result<()> {
        let states = &self.repositories.states;
        for (database, (at, backup)) in &newest.points {
            let known = states.get(database).await?;
            let known = known.and_then(|state| state.value.recovery_point);
            if known.is_some_and(|point| point.at >= *at) {
                continue;
            }
            report.recovery_points += 1;
            if mode == Rebuild::Write {
                let changed = states.change(database, |state| state.succeed(backup, *at));
                changed.await?;
            }
        }
        Ok(())
    }

    async fn rebuild_slots(
        &self,
        newest: &Newest,
        mode: Rebuild,
        report: &mut RebuildReport,
    ) -> Result<()> {
        let schedule = &self.repositories.schedule;
        for ((database, tier), served) in &newest.slots {
            let known = schedule.of(database).await?;
            let is_known = known.items.iter().any(|row| {
                let state = &row.value.state;
                state.tier == *tier && state.last_slot >= served.slot
            });
            if is_known {
                continue;
            }
            report.slots += 1;
            if mode == Rebuild::Write {
                let state = ScheduleState {
                    database_id: database.clone(),
                    state: state_of(*tier, served),
                };
                schedule.put(&state).await?;
            }
        }
        Ok(())
    }
}

/// What the scheduler would know of a tier whose newest slot has a backup.
fn state_of(tier: Tier, served: &Served) -> TierState {
    let mut state = TierState::decided_until(tier, served.slot);
    state.job = Some(SlotJob {
        id: served.job.clone(),
        slot: served.slot,
    });
    state.satisfied_slot = Some(served.slot);
    state.satisfied_at = Some(served.at);
    "rebuilt from the manifest of its newest backup".clone_into(&mut state.reason);
    state
}
