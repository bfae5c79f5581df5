//! The rules that hold at the end, when everything had time to settle.

mod alerts;
mod blackouts;
mod points;
pub(crate) mod rebuild;
mod restores;
mod slots;

use std::collections::BTreeSet;
use std::io::Read as _;

use data_encoding::HEXLOWER;
use dilux_core::model::{Compression, Manifest, Work};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::memory::{Content, Row};
use crate::observer::{MANIFESTS, decayed_since, is_terminal, manifest_name};
use crate::source::Sources;
use crate::world::Subject;

/// Dumps of one database that fail one after the other within a day.
const MOST_DUMPS_A_DAY: usize = 30;

/// How long retention may take to come by, after the disturbances have ended.
const SWEEPING: SignedDuration = SignedDuration::from_hours(4);

/// What is known of a run besides the stored content.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) subjects: &'a [Subject],
    /// Age in hours at which data that no manifest names is removed.
    pub(crate) orphan_hours: u32,
    /// A text that must be nowhere but in the store of secrets.
    pub(crate) canary: &'a str,
    /// Slots from here on…
    pub(crate) began_at: Timestamp,
    /// …until here are looked at: the last tick may leave one that falls due after it to the next,
    /// while another job of the database is at work.
    pub(crate) planned_until: Timestamp,
    /// When planning ended.
    pub(crate) ended_at: Timestamp,
}

/// What a row of a job owes.
pub(crate) fn work_of(job: &Row) -> Option<Work> {
    serde_json::from_str(job.text("work")).ok()
}

/// SHA-256 as lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Every rule that the settled content breaks.
pub(crate) fn violations(content: &Content, facts: &Facts<'_>) -> Vec<String> {
    let mut found = Vec::new();
    jobs(content, facts, &mut found);
    alerts::check(content, facts, &mut found);
    manifests(content, facts, &mut found);
    blackouts::check(content, facts, &mut found);
    restores::check(content, facts, &mut found);
    points::check(content, facts, &mut found);
    slots::check(content, facts, &mut found);
    dumps(facts, &mut found);
    secrets(content, facts, &mut found);
    garbage(content, facts, &mut found);
    deletions(content, &mut found);
    found
}

/// I1, I3, I10: every job is over, its history says the same, and nothing waits for it.
fn jobs(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    for (key, job) in content.rows("jobs") {
        let (id, state) = (key.row.as_str(), job.text("state"));
        if !is_terminal(state) {
            found.push(format!("I3: job {id} is {state} for ever"));
            continue;
        }
        if matches!(work_of(job), Some(Work::Restore(_) | Work::Verify(_))) {
            continue;
        }
        let may_be_missed = |subject: &Subject| subject.is_toggled && subject.id == key.partition;
        // One that was withdrawn: its slots have another job, or are recorded as missed.
        let is_withdrawn = state == "missed" && job.number("epoch") == 0;
        if state == "missed" && !is_withdrawn && !facts.subjects.iter().any(may_be_missed) {
            let reason = job.text("reason");
            found.push(format!("I3: job {id} was missed for no reason: {reason}"));
        }
        let manifest = manifest_name(id).and_then(|name| {
            let mut containers = content.containers.values();
            containers.find_map(|container| container.blobs.get(&name))
        });
        let ended_at = job.text("state_at").parse::<Timestamp>();
        // A manifest that was on its way when the job was given up: the next run of retention
        // brings the history into line with it.
        let is_late = state == "failed"
            && manifest.is_some_and(|blob| ended_at.is_ok_and(|end| blob.written_at > end));
        if is_late {
            continue;
        }
        if manifest.is_some() && !matches!(state, "completed" | "cancelled") {
            found.push(format!("I1: job {id} has a manifest and is {state}"));
        }
        for table in ["backuphistory", "backupindex"] {
            let line = content
                .rows(table)
                .find(|(_, line)| line.text("job_id") == id);
            match line {
                None if matches!(state, "completed" | "failed") => {
                    found.push(format!("I10: job {id} is {state} and not in {table}"));
                }
                // What was made outranks the wish to have it stopped.
                Some((_, line))
                    if state == "cancelled"
                        && manifest.is_some()
                        && line.text("status") == "completed" => {}
                // It decayed since, and somebody noticed.
                Some((_, line))
                    if state == "completed"
                        && line.text("status") == "damaged"
                        && decayed_since(content, id).is_some() => {}
                // Retention had it deleted since.
                Some((_, line)) if line.text("status") == "deleted" && manifest.is_none() => {}
                Some((_, line)) if line.text("status") != state => {
                    let says = line.text("status");
                    found.push(format!("I10: job {id} is {state}, {table} says {says}"));
                }
                _ => {}
            }
        }
    }
    for (key, _) in content.rows("jobindex") {
        if key.partition == "active" {
            found.push(format!("I3: {} is listed as active for ever", key.row));
        }
    }
}

/// I1, I2: each manifest is of a job, and its data is what the database held.
fn manifests(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    for (container, name, blob) in content.containers.iter().flat_map(|(name, container)| {
        let blobs = container.blobs.iter();
        blobs.map(move |(blob_name, blob)| (name.as_str(), blob_name.as_str(), blob))
    }) {
        if !name.starts_with(MANIFESTS) {
            continue;
        }
        let Ok(manifest) = Manifest::from_json(&blob.bytes) else {
            found.push(format!("I1: {name} cannot be read"));
            continue;
        };
        let id = manifest.job_id.as_str();
        if !content.rows("jobs").any(|(key, _)| key.row == id) {
            found.push(format!("I1: {name} belongs to no job"));
        }
        if content.decayed.contains_key(&manifest.data.blob) {
            continue;
        }
        let Some(data) = content.blob(container, &manifest.data.blob) else {
            found.push(format!("I1: {name} has no data"));
            continue;
        };
        let plain = decompress(&data.bytes, manifest.data.compression);
        let objection = match plain {
            None => Some("it cannot be decompressed".to_owned()),
            Some(plain) if sha256(&plain) != manifest.data.plain_sha256 => {
                Some("its plain hash is another".to_owned())
            }
            Some(plain) => facts
                .sources
                .objection(&plain, manifest.database_name.as_str()),
        };
        if let Some(objection) = objection {
            found.push(format!("I1: the data of {name}: {objection}"));
        }
    }
}

fn decompress(stored: &[u8], compression: Compression) -> Option<Vec<u8>> {
    match compression {
        Compression::None => Some(stored.to_vec()),
        Compression::Gzip => {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(stored)
                .read_to_end(&mut plain)
                .ok()?;
            Some(plain)
        }
        Compression::Zstd => None,
    }
}

/// I5: data that no manifest names is gone some time after it has come of age.
fn garbage(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    let age = SignedDuration::from_hours(i64::from(facts.orphan_hours)) + SWEEPING;
    let named: BTreeSet<String> = content
        .containers
        .values()
        .flat_map(|container| &container.blobs)
        .filter(|(name, _)| name.starts_with(MANIFESTS))
        .filter_map(|(_, blob)| Manifest::from_json(&blob.bytes).ok())
        .map(|manifest| manifest.data.blob)
        .collect();
    for container in content.containers.values() {
        for (name, blob) in &container.blobs {
            let is_old = facts.ended_at.duration_since(blob.written_at) > age;
            if is_old && !name.starts_with(MANIFESTS) && !named.contains(name) {
                found.push(format!("I5: {name} of {} is garbage", blob.written_at));
            }
        }
    }
}

/// I7: each deletion stands in the audit log, once.
fn deletions(content: &Content, found: &mut Vec<String>) {
    let deleted = content
        .rows("retentionstate")
        .filter(|(_, row)| row.text("fate") == "deleted");
    for (key, _) in deleted {
        let of_it = content.rows("auditlogs").filter(|(_, entry)| {
            entry.text("action") == "backup_deleted_retention"
                && entry.text("resource_id") == key.row
        });
        let count = of_it.count();
        if count != 1 {
            let id = &key.row;
            found.push(format!(
                "I7: the deletion of {id} was audited {count} times"
            ));
        }
    }
}

/// I11: a database that cannot be dumped is left in peace.
fn dumps(facts: &Facts<'_>, found: &mut Vec<String>) {
    let dumps = facts.sources.dumps();
    for subject in facts.subjects {
        // Dumps that failed one after the other.
        let mut vain: Vec<Timestamp> = Vec::new();
        for dump in dumps.iter().filter(|dump| dump.database == subject.name) {
            if dump.is_whole {
                vain.clear();
                continue;
            }
            let day = SignedDuration::from_hours(24);
            vain.retain(|at| dump.started_at.duration_since(*at) < day);
            vain.push(dump.started_at);
            if vain.len() > MOST_DUMPS_A_DAY {
                let id = &subject.id;
                found.push(format!(
                    "I11: {id} failed more than {MOST_DUMPS_A_DAY} times a day"
                ));
                break;
            }
        }
    }
}

/// I6: the password is in no row, message or blob.
fn secrets(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    let is_in = |text: &str| text.contains(facts.canary);
    for (table, rows) in &content.tables {
        let texts = rows.values().flat_map(|row| row.properties.values());
        let leaks = texts.filter(
            |value| matches!(value, dilux_core::storage::Value::String(text) if is_in(text)),
        );
        if leaks.count() > 0 {
            found.push(format!("I6: the password stands in table {table}"));
        }
    }
    if content.messages().any(is_in) {
        found.push("I6: the password stands in a message".to_owned());
    }
    for container in content.containers.values() {
        for (name, blob) in &container.blobs {
            if name.starts_with(MANIFESTS) && is_in(&String::from_utf8_lossy(&blob.bytes)) {
                found.push(format!("I6: the password stands in {name}"));
            }
        }
    }
}
