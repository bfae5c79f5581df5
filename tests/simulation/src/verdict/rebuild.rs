//! I12: tables that are lost come back from the manifests alone.

use std::collections::BTreeMap;

use dilux_core::catalog::Rebuild;
use dilux_core::installation::Installation;
use dilux_core::storage::EntityKey;

use crate::memory::{Content, Memory, Properties};

/// Where the lines of backups are.
const LINES: [&str; 2] = ["backuphistory", "backupindex"];

/// What is lost besides.
const MORE: [&str; 5] = [
    "databasestates",
    "jobindex",
    "jobs",
    "schedulestate",
    "timelinedays",
];

type Lines = BTreeMap<(&'static str, EntityKey), Properties>;

/// Loses the catalogue of a settled store for good, rebuilds it, and tells what is not as it was.
pub(crate) async fn violations(memory: &Memory, installation: &Installation) -> Vec<String> {
    let before = standing(&memory.content());
    lose(&mut memory.content());
    let mut found = Vec::new();
    match installation.rebuild_catalog(Rebuild::Write).await {
        Ok(report) => {
            for (name, reason) in report.unusable {
                found.push(format!("I12: {name} cannot be used: {reason}"));
            }
        }
        Err(error) => found.push(format!("I12: the catalogue cannot be rebuilt: {error}")),
    }
    let after = standing(&memory.content());
    for ((table, key), line) in &before {
        let (partition, row) = (&key.partition, &key.row);
        match after.get(&(*table, key.clone())) {
            None => found.push(format!("I12: {table} {partition} {row} did not come back")),
            Some(again) if again != line => found.push(format!(
                "I12: {table} {partition} {row} was {line:?} and is {again:?}"
            )),
            Some(_) => {}
        }
    }
    match installation.rebuild_catalog(Rebuild::Write).await {
        Ok(again) => {
            let written = again.lines + again.jobs + again.recovery_points + again.slots;
            if written > 0 {
                found.push(format!("I12: a second rebuild writes again: {again:?}"));
            }
        }
        Err(error) => found.push(format!("I12: no second rebuild: {error}")),
    }
    found
}

/// Every line of a backup that is there, with all that retention and people noted.
fn standing(content: &Content) -> Lines {
    let lines = LINES.into_iter().flat_map(|table| {
        let rows = content.rows(table);
        let rows = rows.filter(|(_, line)| matches!(line.text("status"), "completed" | "damaged"));
        rows.map(move |(key, line)| ((table, key.clone()), line.properties.clone()))
    });
    lines.collect()
}

fn lose(content: &mut Content) {
    for (name, rows) in &mut content.tables {
        if LINES.contains(&name.as_str()) || MORE.contains(&name.as_str()) {
            rows.clear();
        }
    }
}
