//! What is known of a database's history in numbers, kept with each change of it so that nobody has
//! to count. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// The newest failure that no backup followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestFailure {
    /// Key of its line.
    pub key: String,
    /// When it failed.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Failures, one after the other, since the newest backup.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Streak {
    /// Key of the line of the newest backup that was made. Keys of newer lines are smaller.
    pub good: Option<String>,
    /// How many.
    pub failures: u64,
    /// The newest of them.
    pub latest: Option<LatestFailure>,
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
    /// How often it was changed.
    pub revision: u64,
}

/// A streak that the tally alone cannot tell any more: it has to be counted from the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct NeedsRecount(pub bool);

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
            revision: 0,
        }
    }

    /// Counts the next older line of a history that is counted from its newest line on.
    pub fn count_older(&mut self, line: Line<'_>) {
        self.name(line);
        self.add(line.backup);
        if self.streak.good.is_none() {
            self.streak.see(line);
        }
    }

    /// Takes in that a line is written, in place of `before` where it stood already.
    pub fn change(&mut self, before: Option<&Backup>, after: Line<'_>) -> NeedsRecount {
        if let Some(before) = before {
            self.subtract(before);
        }
        self.add(after.backup);
        self.name(after);
        self.streak.change(before.map(Outcome::of), after)
    }

    fn name(&mut self, line: Line<'_>) {
        if self.newest.as_deref().is_none_or(|key| line.key <= key) {
            self.newest = Some(line.key.to_owned());
            self.label = Some(line.backup.database_label.clone());
            self.engine_type = Some(line.backup.engine_type);
        }
    }

    fn add(&mut self, line: &Backup) {
        let bytes = line.stored_bytes.unwrap_or(0);
        if line.status != BackupStatus::Deleted {
            self.standing += 1;
            self.standing_bytes += bytes;
        }
        if line.status == BackupStatus::Completed {
            self.present += 1;
            self.present_bytes += bytes;
        }
        let turnout = turnout(line);
        self.ever.add(turnout);
        let (hour, day) = stretch(line);
        self.hours.entry(hour).or_default().add(turnout);
        self.days.entry(day).or_default().add(turnout);
        forget(&mut self.hours, HOURS);
        forget(&mut self.days, DAYS);
    }

    fn subtract(&mut self, line: &Backup) {
        let bytes = line.stored_bytes.unwrap_or(0);
        if line.status != BackupStatus::Deleted {
            self.standing = self.standing.saturating_sub(1);
            self.standing_bytes = self.standing_bytes.saturating_sub(bytes);
        }
        if line.status == BackupStatus::Completed {
            self.present = self.present.saturating_sub(1);
            self.present_bytes = self.present_bytes.saturating_sub(bytes);
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

/// How a line ended, as far as it matters to a streak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Completed,
    Failed,
    Other,
}

impl Outcome {
    fn of(line: &Backup) -> Self {
        match line.status {
            status if status.was_completed() => Self::Completed,
            BackupStatus::Failed | BackupStatus::Missed => Self::Failed,
            _ => Self::Other,
        }
    }
}

impl Streak {
    /// Takes in the next older line.
    pub fn see(&mut self, line: Line<'_>) {
        match Outcome::of(line.backup) {
            Outcome::Completed => self.good = Some(line.key.to_owned()),
            Outcome::Failed => {
                self.failures += 1;
                self.latest.get_or_insert_with(|| LatestFailure::of(line));
            }
            Outcome::Other => {}
        }
    }

    fn change(&mut self, before: Option<Outcome>, after: Line<'_>) -> NeedsRecount {
        let before = before.unwrap_or(Outcome::Other);
        let outcome = Outcome::of(after.backup);
        let is_past = self.good.as_deref().is_some_and(|good| good <= after.key);
        if is_past || (before, outcome) == (Outcome::Other, Outcome::Other) {
            return NeedsRecount(false);
        }
        let latest = self.latest.as_ref().map(|latest| latest.key.as_str());
        let is_newest = latest.is_none_or(|latest| after.key < latest);
        match (before, outcome) {
            (Outcome::Other, Outcome::Failed) => {
                self.failures += 1;
                if is_newest {
                    self.latest = Some(LatestFailure::of(after));
                }
                NeedsRecount(false)
            }
            (Outcome::Failed, Outcome::Failed) => {
                if latest == Some(after.key) {
                    self.latest = Some(LatestFailure::of(after));
                }
                NeedsRecount(false)
            }
            (_, Outcome::Completed) if is_newest || latest == Some(after.key) => {
                *self = Self {
                    good: Some(after.key.to_owned()),
                    ..Self::default()
                };
                NeedsRecount(false)
            }
            _ => NeedsRecount(true),
        }
    }
}

impl LatestFailure {
    fn of(line: Line<'_>) -> Self {
        let backup = line.backup;
        let reason = backup.failure.as_ref().map_or("", |it| it.message.as_str());
        Self {
            key: line.key.to_owned(),
            at: backup.completed_at.unwrap_or(backup.created_at),
            reason: reason.chars().take(500).collect(),
        }
    }
}
