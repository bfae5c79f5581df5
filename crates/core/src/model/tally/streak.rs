//! Failures, one after the other, since the newest backup of a database.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Line;
use crate::model::{Backup, BackupStatus};

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

/// The oldest failure since the newest backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstFailure {
    /// Key of its line.
    pub key: String,
    /// When it failed.
    pub at: Timestamp,
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
    /// The oldest of them; absent in rows that were written before it was kept.
    #[serde(default)]
    pub first: Option<FirstFailure>,
}

/// How a line ended, as far as it matters to a streak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    Failed,
    Other,
}

impl Outcome {
    pub(super) fn of(line: &Backup) -> Self {
        match line.status {
            status if status.was_completed() => Self::Completed,
            BackupStatus::Failed | BackupStatus::Missed => Self::Failed,
            _ => Self::Other,
        }
    }
}

impl Streak {
    /// Takes in another line, in whatever order.
    pub fn see(&mut self, line: Line<'_>) {
        match Outcome::of(line.backup) {
            Outcome::Completed => self.good = Some(line.key.to_owned()),
            Outcome::Failed => self.count(line),
            Outcome::Other => {}
        }
    }

    fn count(&mut self, line: Line<'_>) {
        self.failures += 1;
        let is_newest = |latest: &LatestFailure| line.key < latest.key.as_str();
        if self.latest.as_ref().is_none_or(is_newest) {
            self.latest = Some(LatestFailure::of(line));
        }
        let is_oldest = |first: &FirstFailure| line.key > first.key.as_str();
        if self.first.as_ref().is_none_or(is_oldest) {
            self.first = Some(FirstFailure::of(line));
        }
    }

    /// Whether it has to be counted anew.
    pub(super) fn change(&mut self, before: Option<Outcome>, after: Line<'_>) -> bool {
        let before = before.unwrap_or(Outcome::Other);
        let outcome = Outcome::of(after.backup);
        let is_past = self.good.as_deref().is_some_and(|good| good <= after.key);
        if is_past || (before, outcome) == (Outcome::Other, Outcome::Other) {
            return false;
        }
        let latest = self.latest.as_ref().map(|latest| latest.key.as_str());
        let is_newest = latest.is_none_or(|latest| after.key <= latest);
        match (before, outcome) {
            (_, Outcome::Completed) if is_newest => {
                *self = Self {
                    good: Some(after.key.to_owned()),
                    ..Self::default()
                };
                false
            }
            _ if self.failures > 0 && self.first.is_none() => true,
            (Outcome::Other, Outcome::Failed) => {
                self.count(after);
                false
            }
            (Outcome::Failed, Outcome::Failed) => {
                self.tell_again(after);
                false
            }
            _ => true,
        }
    }

    /// Takes in what a line says that was counted already.
    fn tell_again(&mut self, line: Line<'_>) {
        if let Some(latest) = self.latest.as_mut().filter(|it| it.key == line.key) {
            *latest = LatestFailure::of(line);
        }
        if let Some(first) = self.first.as_mut().filter(|it| it.key == line.key) {
            *first = FirstFailure::of(line);
        }
    }
}

fn failed_at(backup: &Backup) -> Timestamp {
    backup.completed_at.unwrap_or(backup.created_at)
}

impl FirstFailure {
    fn of(line: Line<'_>) -> Self {
        Self {
            key: line.key.to_owned(),
            at: failed_at(line.backup),
        }
    }
}

impl LatestFailure {
    fn of(line: Line<'_>) -> Self {
        let backup = line.backup;
        let reason = backup.failure.as_ref().map_or("", |it| it.message.as_str());
        Self {
            key: line.key.to_owned(),
            at: failed_at(backup),
            reason: reason.chars().take(500).collect(),
        }
    }
}
