//! The rules that hold at every moment, checked inside the store at each change.

mod decay;
mod deletions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dilux_core::clock::Clock as _;
use dilux_core::model::{Manifest, Work};
use dilux_core::storage::{EntityKey, TableName};
use jiff::Timestamp;

use crate::clock::SimulatedClock;
use crate::copies::Copies;
use crate::memory::{Blob, Content, Row, Witness};
use crate::verdict::{sha256, work_of};

pub(crate) use decay::{decayed_since, finding_of};
pub(crate) use deletions::{Wishes, fate_of};

/// Violations that are kept; the first says most.
const MOST: usize = 20;

/// Where the manifests of an installation are.
pub(crate) const MANIFESTS: &str = "manifests/";

/// Watches a store for broken rules.
#[derive(Debug)]
pub(crate) struct Observer {
    clock: SimulatedClock,
    most_attempts: i64,
    wishes: OnceLock<Wishes>,
    copies: Arc<Copies>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    violations: Vec<String>,
    /// Data blobs, each with the manifest that names it or named it.
    referenced: BTreeMap<String, String>,
    /// When each job was last claimed.
    claimed: BTreeMap<String, Timestamp>,
}

impl Observer {
    /// An observer by this clock, of an installation whose jobs have so many attempts, and whose
    /// restores make these copies.
    pub(crate) fn new(clock: SimulatedClock, most_attempts: u32, copies: Arc<Copies>) -> Self {
        Self {
            clock,
            copies,
            most_attempts: i64::from(most_attempts),
            wishes: OnceLock::new(),
            seen: Mutex::default(),
        }
    }

    /// Tells it what is to be kept. Until then nothing may go.
    pub(crate) fn wish(&self, wishes: Wishes) {
        drop(self.wishes.set(wishes));
    }

    /// The broken rules so far, each with its time.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .violations
            .clone()
    }

    fn report(&self, rule: &str, what: &str) {
        let line = format!("{} {rule}: {what}", self.clock.now());
        tracing::error!(target: "simulation", "{line}");
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.violations.len() < MOST {
            seen.violations.push(line);
        }
    }

    fn job_changed(&self, content: &Content, id: &str, before: &Row, after: &Row) {
        let state = |row: &Row| row.text("state").to_owned();
        let (was, is) = (state(before), state(after));
        let epochs = (before.number("epoch"), after.number("epoch"));
        let claims = epochs.1 - epochs.0;
        if !(0..=1).contains(&claims) || (claims == 1 && is != "running") {
            let what = format!("job {id} went from epoch {} to {}", epochs.0, epochs.1);
            self.report("I9", &what);
        }
        if claims == 1 {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.claimed.insert(id.to_owned(), self.clock.now());
        }
        if is_terminal(&was) && was != is && (was.as_str(), is.as_str()) != ("failed", "completed")
        {
            self.report("I9", &format!("job {id} was {was} and became {is}"));
        }
        let is_taken_over = claims == 0
            && (was.as_str(), is.as_str()) == ("running", "running")
            && before.text("lease_worker") != after.text("lease_worker");
        if is_taken_over {
            self.report("I9", &format!("job {id} changed hands without a claim"));
        }
        let attempts = after.number("attempts");
        let is_endless = is == "retrying" && attempts >= self.most_attempts;
        if attempts < before.number("attempts") || is_endless {
            self.report("I11", &format!("job {id} counts {attempts} attempts"));
        }
        if is == "completed" && was != "completed" {
            self.job_completed(content, id, after);
        }
    }

    fn job_completed(&self, content: &Content, id: &str, job: &Row) {
        match work_of(job) {
            Some(Work::Restore(_)) => {}
            Some(Work::Verify(work)) => {
                let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                let claimed_at = seen.claimed.get(id).copied().unwrap_or_default();
                drop(seen);
                let objection = decay::objection_to_success(content, &work, claimed_at);
                if let Some(objection) = objection {
                    self.report(
                        "I1",
                        &format!("verification {id} succeeded, but {objection}"),
                    );
                }
            }
            Some(Work::Backup(_)) | None => self.needs_manifest(content, id, "job"),
        }
    }

    fn line_changed(&self, content: &Content, before: Option<&Row>, after: Option<&Row>) {
        let was = before.map_or("", |row| row.text("status"));
        let Some(after) = after else {
            return self.report("I3", "a line of history was deleted");
        };
        let (id, is) = (after.text("job_id"), after.text("status"));
        let is_gone = is == "deleted" && !has_manifest(content, id);
        let is_damage = was == "completed" && is == "damaged";
        if matches!(was, "completed" | "deleted") && is != was && !is_gone && !is_damage {
            self.report("I9", &format!("history of {id} went from {was} to {is}"));
        }
        if let Some(objection) = decay::objection_to_status(content, id, was, is) {
            self.report("I1", &format!("history of {id} says {is}, but {objection}"));
        }
        if is == "completed" && was != "completed" {
            self.needs_manifest(content, id, "history");
        }
    }

    fn manifest_deleted(&self, content: &Content, name: &str, before: Option<&Blob>) {
        let manifest = before.map(|blob| Manifest::from_json(&blob.bytes));
        let Some(Ok(manifest)) = manifest else {
            return self.report("I4", &format!("{name}, which nobody can read, was deleted"));
        };
        let objection = match self.wishes.get() {
            None => Some("nothing may go yet".to_owned()),
            Some(wishes) => wishes
                .objection(content, &manifest, self.clock.now())
                .or_else(|| self.reader(content, &manifest)),
        };
        if let Some(objection) = objection {
            self.report("I4", &format!("{name} was deleted, but {objection}"));
        }
    }

    /// Whoever reads a backup at this moment.
    fn reader(&self, content: &Content, manifest: &Manifest) -> Option<String> {
        let jobs = content.rows("jobs").map(|(_, job)| job);
        let mut readers = jobs.filter_map(|job| match work_of(job)? {
            Work::Restore(work) if work.backup_id.as_str() == manifest.job_id.as_str() => {
                let target = work.target_database;
                let is_read = self.copies.is_being_written(target.as_str());
                is_read.then(|| format!("it is being restored into {target}"))
            }
            Work::Verify(work) if work.backup_id.as_str() == manifest.job_id.as_str() => {
                let is_read = job.text("state") == "running";
                is_read.then(|| "it is being verified".to_owned())
            }
            _ => None,
        });
        readers.next()
    }

    fn fate_changed(&self, key: &EntityKey, before: Option<&Row>, after: Option<&Row>) {
        let (was, is) = (deletions::fate(before), deletions::fate(after));
        let objection = self.wishes.get().and_then(|wishes| {
            let now = self.clock.now();
            wishes.objection_to_fate(&was, &is, now)
        });
        if let Some(objection) = objection {
            self.report("I4", &format!("backup {}: {objection}", key.row));
        }
    }

    fn needs_manifest(&self, content: &Content, job: &str, who: &str) {
        if !has_manifest(content, job) {
            self.report(
                "I1",
                &format!("{who} {job} is completed without a manifest"),
            );
        }
    }

    fn manifest_changed(
        &self,
        content: &Content,
        (container, name): (&str, &str),
        before: Option<&Blob>,
    ) {
        let Some(blob) = content.blob(container, name) else {
            return self.manifest_deleted(content, name, before);
        };
        if before.is_some() {
            self.report("I2", &format!("{name} was written twice"));
        }
        let manifest = match Manifest::from_json(&blob.bytes) {
            Ok(manifest) => manifest,
            Err(error) => return self.report("I1", &format!("{name}: {error}")),
        };
        let data = &manifest.data;
        match content.blob(&data.container, &data.blob) {
            None => self.report("I1", &format!("{name} names data that is not there")),
            Some(found) => {
                let is_whole = found.bytes.len() as u64 == data.stored_bytes
                    && sha256(&found.bytes) == data.stored_sha256;
                if !is_whole {
                    self.report("I1", &format!("{name} names other data than there is"));
                }
            }
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let other = seen
            .referenced
            .insert(data.blob.clone(), name.to_owned())
            .filter(|other| other != name);
        drop(seen);
        if let Some(other) = other {
            self.report("I2", &format!("{name} and {other} share their data"));
        }
    }
}

impl Witness for Observer {
    fn row_changed(
        &self,
        content: &Content,
        table: &TableName,
        key: &EntityKey,
        before: Option<&Row>,
    ) {
        let after = content.tables.get(table).and_then(|rows| rows.get(key));
        match (table.as_str(), before, after) {
            ("jobs", Some(before), Some(after)) => {
                self.job_changed(content, &key.row, before, after);
            }
            ("jobs", Some(_), None) => {
                self.report("I3", &format!("job {} was deleted", key.row));
            }
            // The tally stands beside the lines.
            ("backuphistory" | "backupindex", before, after) if !key.row.starts_with('~') => {
                self.line_changed(content, before, after);
            }
            // Partitions that begin so tell of databases and runs.
            ("retentionstate", before, after) if !key.partition.starts_with('~') => {
                self.fate_changed(key, before, after);
            }
            _ => {}
        }
    }

    fn blob_changed(&self, content: &Content, container: &str, name: &str, before: Option<&Blob>) {
        if name.starts_with(MANIFESTS) {
            return self.manifest_changed(content, (container, name), before);
        }
        let is_there = content.blob(container, name).is_some();
        if before.is_some() && is_there {
            self.report("I2", &format!("data {name} was written twice"));
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let manifest = seen.referenced.get(name).cloned();
        drop(seen);
        let is_named = |manifest: &String| {
            let mut containers = content.containers.values();
            containers.any(|container| container.blobs.contains_key(manifest))
        };
        if let Some(manifest) = manifest.filter(|name| !is_there && is_named(name)) {
            self.report("I4", &format!("data {name} of {manifest} was deleted"));
        }
    }
}

/// Whether nothing more happens to a job in this state.
pub(crate) fn is_terminal(state: &str) -> bool {
    matches!(state, "completed" | "failed" | "cancelled" | "missed")
}

fn has_manifest(content: &Content, job: &str) -> bool {
    manifest_blob(content, job).is_some()
}

fn manifest_blob<'a>(content: &'a Content, job: &str) -> Option<&'a Blob> {
    let name = manifest_name(job)?;
    let mut containers = content.containers.values();
    containers.find_map(|container| container.blobs.get(&name))
}

/// The manifest of a job.
fn manifest_of(content: &Content, job: &str) -> Option<Manifest> {
    Manifest::from_json(&manifest_blob(content, job)?.bytes).ok()
}

/// The name of a job's manifest.
pub(crate) fn manifest_name(job: &str) -> Option<String> {
    job.parse().ok().map(|id| Manifest::blob_name(&id))
}
