//! I10 for alerts: a database whose newest backup failed has one that says so, and no other has.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use dilux_core::alert::{Alert, of_database};
use dilux_core::model::{Compression, CredentialSource, Database, PolicySource, Streak};
use dilux_core::rpo::rpo;
use jiff::Timestamp;

use super::Facts;
use crate::memory::{Content, Row};
use crate::world::Subject;

/// Every database whose alert is not what its history says.
pub(super) fn check(content: &Content, facts: &Facts<'_>, found: &mut Vec<String>) {
    for subject in facts.subjects {
        let failed = failed_since_the_newest_backup(content, subject);
        let wanted = failed.last().map(|first| (failed.len() as u64, *first));
        let Some(database) = registered(subject, facts.began_at) else {
            found.push(format!("I10: {} has no valid name", subject.id));
            continue;
        };
        let alert = told(content, &database, facts.ended_at);
        let told = alert.map(|alert| (alert.count, alert.since));
        if told != wanted {
            found.push(format!(
                "I10: {}: {wanted:?} failed in a row, since when; its alert says {told:?}",
                subject.id
            ));
        }
    }
}

/// When the backups failed that were booked after the newest one that was made, newest first.
fn failed_since_the_newest_backup(content: &Content, subject: &Subject) -> Vec<Timestamp> {
    let instant = |row: &Row, name| row.text(name).parse::<Timestamp>().ok();
    let lines = content.rows("backuphistory");
    let mut lines: Vec<_> = lines
        .filter(|(_, line)| line.text("database_id") == subject.id)
        .map(|(_, line)| (Reverse(instant(line, "created_at")), line.text("id"), line))
        .collect();
    lines.sort_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
    let was_made = |line: &Row| matches!(line.text("status"), "completed" | "damaged" | "deleted");
    let since = lines.iter().take_while(|(_, _, line)| !was_made(line));
    let failed = since.filter(|(_, _, line)| matches!(line.text("status"), "failed" | "missed"));
    failed
        .filter_map(|(_, _, line)| instant(line, "completed_at"))
        .collect()
}

/// What an installation with this content tells of the backups of a database. Whether an objective
/// is breached does not matter here.
fn told(content: &Content, database: &Database, now: Timestamp) -> Option<Alert> {
    let mut tallies = content.rows("backuptallies");
    let tally = tallies.find(|(key, _)| key.row == database.id.as_str());
    let streak = tally.and_then(|(_, tally)| serde_json::from_str(tally.text("streak")).ok());
    let streak: Streak = streak.unwrap_or_default();
    of_database(database, &streak, &rpo(database, None, None, now))
}

fn registered(subject: &Subject, at: Timestamp) -> Option<Database> {
    Some(Database {
        id: subject.id.parse().ok()?,
        engine_id: "engine".parse().ok()?,
        label: subject.name.parse().ok()?,
        database_name: subject.name.parse().ok()?,
        credentials: CredentialSource::Engine,
        policy: PolicySource::Engine,
        enabled: true,
        rpo_minutes: None,
        compression: Compression::None,
        destination: None,
        tags: BTreeMap::new(),
        created_at: at,
        updated_at: at,
        created_by: None,
    })
}
