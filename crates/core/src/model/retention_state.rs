//! What is wished and known about keeping one backup: pin, hold, leases, what was last found of
//! its data, and how far its deletion is.
//!
//! ```text
//! Kept ─► Tombstoned(deletes_after) ─► Deleting ─► Deleted
//!   ▲            │        ▲               │ the store refuses
//!   │            │        └───────────────┘
//!   └────────────┘ pin, hold, undelete, or a plan that keeps it again
//! ```
//!
//! Each change is one compare-and-swap of one row, so a pin or a lease and a deletion cannot both
//! win.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BackupId, DatabaseId, JobId};

/// How long a restore's lease stands although its job was never booked: far longer than the moment
/// between the two writes.
const BOOKING_TIME: SignedDuration = SignedDuration::from_hours(1);

/// Who set something, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// Who: an e-mail, or the name of a service.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub note: Option<String>,
}

/// A restore that reads the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreLease {
    /// Its job.
    pub job: JobId,
    /// When it was taken.
    pub since: Timestamp,
}

/// What is wrong with the data of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// It is not there.
    Missing,
    /// It has another length than the manifest says.
    Truncated,
    /// The manifest is not there.
    ManifestMissing,
    /// A verification read it and found it damaged.
    VerificationFailed,
}

/// What was last found of the data of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// It was read to its end and is whole.
    Verified {
        /// When the look at it began.
        at: Timestamp,
    },
    /// It cannot be restored.
    Damaged {
        /// When that was noticed.
        at: Timestamp,
        /// What is wrong.
        kind: DamageKind,
        /// One sentence.
        reason: String,
    },
}

/// A backup that is to be deleted, unless somebody objects in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// When it was set.
    pub set_at: Timestamp,
    /// Not deleted before.
    pub deletes_after: Timestamp,
    /// Why, for programs.
    pub reason: String,
    /// Why, one sentence.
    pub sentence: String,
}

impl Tombstone {
    /// The reason of one that a person asked for.
    pub const REQUESTED: &str = "requested";

    /// Whether a person asked for it. The rules did not set it, so they do not take it back.
    pub fn is_requested(&self) -> bool {
        self.reason == Self::REQUESTED
    }
}

/// A deletion, with all that is needed to finish it from any point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it began.
    pub since: Timestamp,
    /// Why, for programs.
    pub reason: String,
    /// Why, one sentence.
    pub sentence: String,
    /// When the job was booked: the key of the history line.
    pub booked_at: Timestamp,
    /// Container of the data.
    pub container: String,
    /// Blob of the data.
    pub blob: String,
}

/// How far the deletion of a backup is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// Nobody wants it gone.
    #[default]
    Kept,
    /// It goes after the grace period.
    Tombstoned(Tombstone),
    /// It is going; there is no way back.
    Deleting(Deletion),
    /// It is gone; the history keeps its line.
    Deleted(Deletion),
}

impl Fate {
    /// The name in rows and on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Tombstoned(_) => "tombstoned",
            Self::Deleting(_) => "deleting",
            Self::Deleted(_) => "deleted",
        }
    }
}

/// Why a backup's retention state was not changed: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RetentionRefusal(pub String);

/// The retention state of one backup. One that was never touched has the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionState {
    /// Database.
    pub database_id: DatabaseId,
    /// Backup.
    pub backup_id: BackupId,
    /// Kept until unpinned; an operator's wish.
    pub pin: Option<Mark>,
    /// Kept until released, whatever anybody wishes.
    pub hold: Option<Mark>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Until when handed out links and streams may read it.
    pub downloads_until: Option<Timestamp>,
    /// Restores that read it.
    pub restores: Vec<RestoreLease>,
    /// What was last found of its data.
    pub finding: Option<Finding>,
    /// Since when it is known to be damaged in the way that was last found.
    pub damaged_since: Option<Timestamp>,
    /// How far its deletion is.
    pub fate: Fate,
}

impl RetentionState {
    /// The state of a backup that nobody ever touched.
    pub fn untouched(database_id: DatabaseId, backup_id: BackupId) -> Self {
        Self {
            database_id,
            backup_id,
            pin: None,
            hold: None,
            labels: BTreeMap::new(),
            downloads_until: None,
            restores: Vec::new(),
            finding: None,
            damaged_since: None,
            fate: Fate::Kept,
        }
    }

    /// Pins it. A tombstone goes.
    pub fn pin(mut self, mark: Mark) -> Result<Self, RetentionRefusal> {
        self.come_back()?;
        self.pin = Some(mark);
        Ok(self)
    }

    /// Takes the pin off.
    #[must_use]
    pub fn unpin(mut self) -> Self {
        self.pin = None;
        self
    }

    /// Holds it. A tombstone goes.
    pub fn hold(mut self, mark: Mark) -> Result<Self, RetentionRefusal> {
        self.come_back()?;
        self.hold = Some(mark);
        Ok(self)
    }

    /// Releases the hold.
    #[must_use]
    pub fn release(mut self) -> Self {
        self.hold = None;
        self
    }

    /// Gives it these labels in place of those that it has.
    #[must_use]
    pub fn label(mut self, labels: BTreeMap<String, String>) -> Self {
        self.labels = labels;
        self
    }

    /// Takes a tombstone back and pins the backup, since the rules that set it have not changed.
    pub fn undelete(mut self, mark: Mark) -> Result<Self, RetentionRefusal> {
        if self.fate == Fate::Kept {
            return Err(RetentionRefusal(
                "this backup is not about to be deleted".to_owned(),
            ));
        }
        self.come_back()?;
        self.pin.get_or_insert(mark);
        Ok(self)
    }

    /// Takes a tombstone back because the rules keep the backup again.
    pub fn withdraw(mut self) -> Result<Self, RetentionRefusal> {
        self.come_back()?;
        Ok(self)
    }

    /// Announces its deletion.
    pub fn bury(mut self, tombstone: Tombstone) -> Result<Self, RetentionRefusal> {
        self.refuse_protected()?;
        if self.fate != Fate::Kept {
            return Err(RetentionRefusal(
                "its deletion is announced already".to_owned(),
            ));
        }
        self.fate = Fate::Tombstoned(tombstone);
        Ok(self)
    }

    /// Announces its deletion because a person asks for it, also where the rules have announced it
    /// already: then it is deleted no later than they said. Asked again, nothing changes.
    pub fn request_deletion(mut self, mut wish: Tombstone) -> Result<Self, RetentionRefusal> {
        self.refuse_going()?;
        self.refuse_protected()?;
        if let Fate::Tombstoned(present) = &self.fate {
            if present.is_requested() {
                return Ok(self);
            }
            wish.deletes_after = wish.deletes_after.min(present.deletes_after);
        }
        self.fate = Fate::Tombstoned(wish);
        Ok(self)
    }

    /// Whether a person asked for its deletion, which has not begun.
    pub fn is_unwanted(&self) -> bool {
        matches!(&self.fate, Fate::Tombstoned(tombstone) if tombstone.is_requested())
    }

    /// Begins the deletion: no way back. Only after the grace period, without pin, hold or lease;
    /// `is_over` says whether the job of a restore is over, `None` when there is no such job.
    pub fn begin_deletion(
        mut self,
        deletion: Deletion,
        is_over: impl Fn(&JobId) -> Option<bool>,
    ) -> Result<Self, RetentionRefusal> {
        self.refuse_protected()?;
        let now = deletion.since;
        match &self.fate {
            Fate::Tombstoned(tombstone) if tombstone.deletes_after <= now => {}
            _ => {
                return Err(RetentionRefusal(
                    "its time to be deleted has not come".to_owned(),
                ));
            }
        }
        if self.downloads_until.is_some_and(|until| until > now) {
            return Err(RetentionRefusal("somebody is downloading it".to_owned()));
        }
        let is_live = |lease: &RestoreLease| match is_over(&lease.job) {
            Some(is_over) => !is_over,
            None => now.duration_since(lease.since) < BOOKING_TIME,
        };
        if let Some(lease) = self.restores.iter().find(|lease| is_live(lease)) {
            return Err(RetentionRefusal(format!(
                "job '{}' is restoring it",
                lease.job
            )));
        }
        self.restores.clear();
        self.fate = Fate::Deleting(deletion);
        Ok(self)
    }

    /// The store refuses the deletion that was begun: it stays announced until another time.
    #[must_use]
    pub fn postpone_deletion(mut self, tombstone: Tombstone) -> Self {
        if let Fate::Deleting(_) = self.fate {
            self.fate = Fate::Tombstoned(tombstone);
        }
        self
    }

    /// The deletion is done.
    #[must_use]
    pub fn finish_deletion(mut self) -> Self {
        if let Fate::Deleting(deletion) = self.fate {
            self.fate = Fate::Deleted(deletion);
        }
        self
    }

    /// Lets links and streams read it until `until`.
    pub fn lease_download(mut self, until: Timestamp) -> Result<Self, RetentionRefusal> {
        self.refuse_going()?;
        self.downloads_until = Some(self.downloads_until.map_or(until, |held| held.max(until)));
        Ok(self)
    }

    /// Lets a restore read it until the job is over.
    pub fn lease_restore(mut self, lease: RestoreLease) -> Result<Self, RetentionRefusal> {
        self.refuse_going()?;
        self.restores.retain(|held| held.job != lease.job);
        self.restores.push(lease);
        Ok(self)
    }

    /// Notes what was found of its data; `None` forgets what was found before. Damage that is found
    /// again is known since it was found first.
    #[must_use]
    pub fn found(mut self, finding: Option<Finding>) -> Self {
        self.damaged_since = match (&self.finding, &finding) {
            (
                Some(Finding::Damaged {
                    at, kind: known, ..
                }),
                Some(Finding::Damaged { kind, .. }),
            ) if kind == known => self.damaged_since.or(Some(*at)),
            (_, Some(Finding::Damaged { at, .. })) => Some(*at),
            _ => None,
        };
        self.finding = finding;
        self
    }

    fn come_back(&mut self) -> Result<(), RetentionRefusal> {
        self.refuse_going()?;
        self.fate = Fate::Kept;
        Ok(())
    }

    fn refuse_going(&self) -> Result<(), RetentionRefusal> {
        match &self.fate {
            Fate::Kept | Fate::Tombstoned(_) => Ok(()),
            Fate::Deleting(deletion) | Fate::Deleted(deletion) => Err(RetentionRefusal(format!(
                "this backup is deleted: {}",
                deletion.sentence
            ))),
        }
    }

    fn refuse_protected(&self) -> Result<(), RetentionRefusal> {
        let reason = match (&self.pin, &self.hold) {
            (_, Some(_)) => "it is held; release it first",
            (Some(_), None) => "it is pinned; unpin it first",
            (None, None) => return Ok(()),
        };
        Err(RetentionRefusal(reason.to_owned()))
    }
}

#[cfg(test)]
mod tests;
