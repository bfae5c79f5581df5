//! A committed backup as the planner sees it.

use jiff::Timestamp;

use crate::model::{BackupId, Tier};

/// What is known of the data of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Soundness {
    /// It is there, and a verification read it to its end and found it whole.
    Verified,
    /// It is there in its full length; nobody has read it since.
    Unverified,
    /// It is gone, truncated, or failed a verification. Such a backup protects nothing.
    Unsound,
}

impl Soundness {
    /// A number that grows with what may be relied on.
    fn rank(self) -> u8 {
        match self {
            Self::Unsound => 0,
            Self::Unverified => 1,
            Self::Verified => 2,
        }
    }
}

/// A committed backup: one whose manifest exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Id.
    pub id: BackupId,
    /// When its dump began: the state of the database that it holds.
    pub taken_at: Timestamp,
    /// Tiers that it serves; empty for a manual one.
    pub tiers: Vec<Tier>,
    /// The slot that it was made for; nothing for a manual one.
    pub slot: Option<Timestamp>,
    /// What is known of its data.
    pub soundness: Soundness,
    /// Whether somebody pinned it.
    pub is_pinned: bool,
    /// Whether it is held.
    pub is_held: bool,
}

impl Candidate {
    /// Whether it could be restored, as far as is known.
    pub fn is_sound(&self) -> bool {
        self.soundness != Soundness::Unsound
    }

    /// Whether nothing as good would be left without it: it is sound and none of `others` is, or
    /// the only verified one.
    pub fn is_last_good<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> bool {
        self.is_sound()
            && others
                .into_iter()
                .all(|other| other.soundness.rank() < self.soundness.rank())
    }

    /// Whether it takes a place in a tier: it is sound, and nothing else keeps it already.
    pub(super) fn is_counted(&self) -> bool {
        self.is_sound() && !self.is_pinned && !self.is_held
    }
}
