//! What is known of a database's backups without a look at its history: the newest good one, and
//! how often attempts failed since.

use jiff::Timestamp;

use super::{BackupId, DatabaseId};

/// The newest good backup of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPoint {
    /// The backup.
    pub backup_id: BackupId,
    /// The instant that it takes one back to: the start of its dump.
    pub at: Timestamp,
}

/// The state of a database's backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseState {
    /// The database.
    pub database_id: DatabaseId,
    /// The newest good backup.
    pub recovery_point: Option<RecoveryPoint>,
    /// Attempts that failed since, one after the other.
    pub failures: u32,
    /// When the last of them failed.
    pub failed_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

impl DatabaseState {
    /// A database of which nothing is known.
    pub fn unknown(database_id: DatabaseId) -> Self {
        Self {
            database_id,
            recovery_point: None,
            failures: 0,
            failed_at: None,
            reason: None,
        }
    }

    /// A backup was committed. Noting it again, or an older one, changes nothing.
    pub fn succeed(&mut self, backup_id: &BackupId, at: Timestamp) {
        if self
            .recovery_point
            .as_ref()
            .is_none_or(|known| known.at < at)
        {
            self.recovery_point = Some(RecoveryPoint {
                backup_id: backup_id.clone(),
                at,
            });
        }
        if self.failed_at.is_none_or(|failed| failed <= at) {
            self.failures = 0;
            self.failed_at = None;
            self.reason = None;
        }
    }

    /// A backup is no good any more. If it was the newest good one, `newest` is now.
    pub fn lose(&mut self, backup_id: &BackupId, newest: Option<&RecoveryPoint>) {
        let is_point = |point: &RecoveryPoint| point.backup_id == *backup_id;
        if self.recovery_point.as_ref().is_some_and(is_point) {
            self.recovery_point = newest.cloned();
        }
    }

    /// An attempt at a backup failed.
    pub fn fail(&mut self, at: Timestamp, reason: &str) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(at);
        self.reason = Some(reason.chars().take(500).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + second).unwrap()
    }

    fn state() -> DatabaseState {
        DatabaseState::unknown("db".parse().unwrap())
    }

    #[test]
    fn a_success_ends_the_failures_and_an_older_one_neither_does_nor_moves_the_recovery_point() {
        let mut state = state();
        let (old, new) = ("old".parse().unwrap(), "new".parse().unwrap());
        state.succeed(&new, at(100));
        state.fail(at(200), "down");
        state.succeed(&old, at(50));
        assert_eq!(state.recovery_point.as_ref().unwrap().backup_id, new);
        assert_eq!(state.failures, 1);
        state.succeed(&old, at(300));
        assert_eq!(state.recovery_point.as_ref().unwrap().at, at(300));
        assert_eq!((state.failures, state.failed_at), (0, None));
    }
}
