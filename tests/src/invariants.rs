//! What must hold in every installation at rest, whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use dilux_core::installation::Installation;
use dilux_core::model::{Backup, BackupStatus, Job, JobState, Manifest, Work};
use dilux_core::repository::Stretch;
use dilux_core::storage::{BlobName, ContainerName};
use sha2::{Digest as _, Sha256};

/// What an installation holds, read from its tables and blobs.
#[derive(Debug)]
pub struct Holdings {
    /// Manifests by the id of their job.
    pub manifests: BTreeMap<String, Manifest>,
    /// Names of all data blobs.
    pub data: BTreeSet<String>,
    /// All jobs.
    pub jobs: Vec<Job>,
    /// Every line of the history.
    pub lines: Vec<Backup>,
}

impl Holdings {
    /// Reads everything.
    pub async fn read(installation: &Installation) -> Result<Self> {
        let container = &installation.settings.container;
        let blobs = &installation.storage.blobs;
        let mut manifests = BTreeMap::new();
        let mut data = BTreeSet::new();
        let mut from = None;
        loop {
            let page = blobs.list(container, "", 1000, from.as_ref()).await?;
            for entry in page.blobs {
                let name = entry.name.as_str().to_owned();
                if name.starts_with("manifests/") {
                    let bytes = blobs.read(container, &entry.name, 0..entry.size, None);
                    let manifest = Manifest::from_json(&bytes.await?)?;
                    manifests.insert(manifest.job_id.to_string(), manifest);
                } else {
                    data.insert(name);
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        let jobs = &installation.repositories.jobs;
        let (jobs, _) = jobs.newest(None, 100_000).await?;
        let mut lines = Vec::new();
        let backups = &installation.repositories.backups;
        let visit = |line: Backup, _| {
            lines.push(line);
            true
        };
        backups.walk(Stretch::WHOLE, visit).await?;
        Ok(Self {
            manifests,
            data,
            jobs,
            lines,
        })
    }

    /// Every broken promise, a sentence each.
    pub async fn violations(&self, installation: &Installation) -> Result<Vec<String>> {
        let mut broken = self.of_jobs();
        broken.extend(self.of_lines());
        for (job, manifest) in &self.manifests {
            if let Some(fault) = fault_of_data(installation, manifest).await? {
                broken.push(format!("the backup of job {job}: {fault}"));
            }
        }
        Ok(broken)
    }

    fn of_jobs(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for job in &self.jobs {
            let is_backup = matches!(job.work, Work::Backup(_));
            let has_manifest = self.manifests.contains_key(job.id.as_str());
            match &job.state {
                JobState::Completed { .. }
                    if is_backup && !has_manifest && !self.is_deleted(job) =>
                {
                    broken.push(format!("job {} is completed without a manifest", job.id));
                }
                JobState::Completed { .. } => {}
                _ if has_manifest => {
                    broken.push(format!(
                        "job {} has a manifest but is {}",
                        job.id, job.state
                    ));
                }
                state if !job.is_terminal() => {
                    broken.push(format!("job {} is stuck: {state}", job.id));
                }
                _ => {}
            }
        }
        broken
    }

    fn is_deleted(&self, job: &Job) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| line.job_id == job.id && line.status == BackupStatus::Deleted)
    }

    fn of_lines(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut seen = BTreeSet::new();
        for line in &self.lines {
            let (job, status) = (&line.job_id, line.status);
            if !seen.insert(job.as_str()) {
                broken.push(format!("job {job} has two lines of history"));
            }
            let manifest = self.manifests.get(job.as_str());
            if (status == BackupStatus::Completed) != manifest.is_some() {
                broken.push(format!(
                    "the history says {status} of job {job}, the store not"
                ));
            }
            if let Some(manifest) = manifest
                && line.blob_name.as_ref() != Some(&manifest.data.blob)
            {
                broken.push(format!(
                    "the history says that the backup of job {job} is {:?}, the manifest {}",
                    line.blob_name, manifest.data.blob
                ));
            }
        }
        for job in self.manifests.keys() {
            if !seen.contains(job.as_str()) {
                broken.push(format!("the backup of job {job} is not in the history"));
            }
        }
        broken
    }

    /// Data that no manifest names: left by attempts that were cut off.
    pub fn orphans(&self) -> Vec<&String> {
        let named: BTreeSet<&String> = self
            .manifests
            .values()
            .map(|found| &found.data.blob)
            .collect();
        self.data
            .iter()
            .filter(|name| !named.contains(name))
            .collect()
    }
}

/// What is wrong with the data that a manifest names.
async fn fault_of_data(installation: &Installation, manifest: &Manifest) -> Result<Option<String>> {
    let container = ContainerName::new(manifest.data.container.as_str())?;
    let blob = BlobName::new(manifest.data.blob.as_str())?;
    let blobs = &installation.storage.blobs;
    let Some(found) = blobs.properties(&container, &blob).await? else {
        return Ok(Some("its data is missing".to_owned()));
    };
    if found.size != manifest.data.stored_bytes {
        return Ok(Some(format!("its data has {} bytes", found.size)));
    }
    let bytes = blobs.read(&container, &blob, 0..found.size, None).await?;
    let digest = Sha256::digest(&bytes);
    let digest = digest
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Ok((digest != manifest.data.stored_sha256)
        .then(|| "its data is not what was written".to_owned()))
}
