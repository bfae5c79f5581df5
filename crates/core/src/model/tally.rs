//! What is known of a database's history in numbers, kept with each change of it so that nobody has
//! to count. Pure.

mod damage;
mod streak;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use damage::{Damage, DamagedBackup};
use streak::Outcome;
pub use streak::{FirstFailure, LatestFailure, Streak};

use super::{Backup, BackupStatus, DatabaseId, EngineType, Label};

/// Hours that are told apart, back from the newest line.
const HOURS: i64 = 48;

/// Days that are told apart, back from the newest line.
const DAYS: i64 = 33;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Lines of a stretch of time, by when they were booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Turnout {
    /// All lines.
    #[serde(rename = "l")]
    pub lines: u64,
    /// Backups that were made, whatever became of them since.
    #[serde(rename = "c")]
    pub completed: u64,
    /// Backups that failed or were never tried.
    #[serde(rename = "f")]
    pub failed: u64,
}

impl Turnout {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.completed += other.completed;
        self.failed += other.failed;
    }

    fn take(&mut self, other: Self) {
        self.lines = self.lines.saturating_sub(other.lines);
        self.completed = self.completed.saturating_sub(other.completed);
        self.failed = self.failed.saturating_sub(other.failed);
    }
}

/// The numbers of a database's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The database.
    pub database_id: DatabaseId,
    /// Key of its newest line.
    pub newest: Option<String>,
    /// Its label in that line, for databases that are registered no more.
    pub label: Option<Label>,
    /// The type of its engine in that line.
    pub engine_type: Option<EngineType>,
    /// Lines that are not of deleted backups.
    pub standing: u64,
    /// Stored bytes of these.
    pub standing_bytes: u64,
    /// Backups that are there and not known to be damaged.
    pub present: u64,
    /// Stored bytes of these.
    pub present_bytes: u64,
    /// All lines ever.
    pub ever: Turnout,
    /// Lines by hour since 1970, of the last two days of the history.
    pub hours: BTreeMap<i64, Turnout>,
    /// Lines by day since 1970, of the last month of the history.
    pub days: BTreeMap<i64, Turnout>,
    /// Failures since the newest backup.
    pub streak: Streak,
    /// Backups that are damaged.
    pub damage: Damage,
    /// How often it was changed.
    pub revision: u64,
}

/// What the tally alone cannot tell any more: it has to be counted from the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct NeedsRecount {
    /// The failures since the newest backup.
    pub streak: bool,
    /// Which damaged backups are the newest.
    pub damage: bool,
}

/// A line as it was counted, or is to be.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its key in the history of its database.
    pub key: &'a str,
    /// What it says.
    pub backup: &'a Backup,
}

impl Tally {
    /// The tally of a database without history.
    pub fn empty(database_id: DatabaseId) -> Self {
        Self {
            database_id,
            newest: None,
            label: None,
            engine_type: None,
            standing: 0,
            standing_bytes: 0,
            present: 0,
            present_bytes: 0,
            ever: Turnout::default(),
            hours: BTreeMap::new(),
            days: BTreeMap::new(),
            streak: Streak::default(),
            damage: Damage::default(),
            revision: 0,
        }
    }

    /// Counts the next older line of a history that is counted from its newest line on.
    pub fn count_older(&mut self, line: Line<'_>) {
        self.name(line);
        self.add(line);
        if self.streak.good.is_none() {
            self.streak.see(line);
        }
    }

    /// Takes in that a line is written, in place of `before` where it stood already.
    pub fn change(&mut self, before: Option<&Backup>, after: Line<'_>) -> NeedsRecount {
        if let Some(before) = before {
            let key = after.key;
            self.subtract(Line {
                key,
                backup: before,
            });
        }
        self.add(after);
        self.name(after);
        NeedsRecount {
            streak: self.streak.change(before.map(Outcome::of), after),
            damage: self.damage.lacks_names(),
        }
    }

    fn name(&mut self, line: Line<'_>) {
        if self.newest.as_deref().is_none_or(|key| line.key <= key) {
            self.newest = Some(line.key.to_owned());
            self.label = Some(line.backup.database_label.clone());
            self.engine_type = Some(line.backup.engine_type);
        }
    }

    fn add(&mut self, Line { key, backup: line }: Line<'_>) {
        let bytes = line.stored_bytes.unwrap_or(0);
        if line.status != BackupStatus::Deleted {
            self.standing += 1;
            self.standing_bytes += bytes;
        }
        if line.status == BackupStatus::Completed {
            self.present += 1;
            self.present_bytes += bytes;
        }
        if line.status == BackupStatus::Damaged {
            self.damage.count += 1;
            self.damage.name(Line { key, backup: line });
        }
        let turnout = turnout(line);
        self.ever.add(turnout);
        let (hour, day) = stretch(line);
        self.hours.entry(hour).or_default().add(turnout);
        self.days.entry(day).or_default().add(turnout);
        forget(&mut self.hours, HOURS);
        forget(&mut self.days, DAYS);
    }

    fn subtract(&mut self, Line { key, backup: line }: Line<'_>) {
        let bytes = line.stored_bytes.unwrap_or(0);
        if line.status != BackupStatus::Deleted {
            self.standing = self.standing.saturating_sub(1);
            self.standing_bytes = self.standing_bytes.saturating_sub(bytes);
        }
        if line.status == BackupStatus::Completed {
            self.present = self.present.saturating_sub(1);
            self.present_bytes = self.present_bytes.saturating_sub(bytes);
        }
        if line.status == BackupStatus::Damaged {
            self.damage.count = self.damage.count.saturating_sub(1);
            self.damage.newest.remove(key);
        }
        let turnout = turnout(line);
        self.ever.take(turnout);
        let (hour, day) = stretch(line);
        if let Some(hour) = self.hours.get_mut(&hour) {
            hour.take(turnout);
        }
        if let Some(day) = self.days.get_mut(&day) {
            day.take(turnout);
        }
    }

    /// The lines of the last `hours` full hours and the one under way, at most two days.
    pub fn of_last_hours(&self, hours: i64, now: Timestamp) -> Turnout {
        let first = now.as_second().div_euclid(HOUR) - hours;
        sum(&self.hours, first)
    }

    /// The lines of the last `days` full days (UTC) and the one under way, at most a month.
    pub fn of_last_days(&self, days: i64, now: Timestamp) -> Turnout {
        let first = now.as_second().div_euclid(DAY) - days;
        sum(&self.days, first)
    }
}

fn sum(stretches: &BTreeMap<i64, Turnout>, first: i64) -> Turnout {
    let mut all = Turnout::default();
    for turnout in stretches.range(first..).map(|(_, turnout)| *turnout) {
        all.add(turnout);
    }
    all
}

fn turnout(line: &Backup) -> Turnout {
    let outcome = Outcome::of(line);
    Turnout {
        lines: 1,
        completed: u64::from(outcome == Outcome::Completed),
        failed: u64::from(outcome == Outcome::Failed),
    }
}

fn stretch(line: &Backup) -> (i64, i64) {
    let second = line.created_at.as_second();
    (second.div_euclid(HOUR), second.div_euclid(DAY))
}

/// Drops what lies further back from the newest stretch than `kept`.
fn forget(stretches: &mut BTreeMap<i64, Turnout>, kept: i64) {
    if let Some(newest) = stretches.keys().next_back().copied() {
        *stretches = stretches.split_off(&(newest - kept));
    }
}
