//! Cleaning: secrets that a change left behind when it was cut off.

use jiff::{SignedDuration, Timestamp};

use super::{Custody, SecretNote, is_ours};
use crate::error::Result;
use crate::repository::Noted;
use crate::storage::StorageResult;

/// How long a noted name is left alone: no change is under way for so long.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// What a cleaning found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleaning {
    /// Secrets that no row names, deleted.
    pub deleted: u64,
    /// Names of changes that had come through.
    pub named: u64,
    /// Names that are too young to be judged.
    pub waiting: u64,
    /// Names of which it cannot be said now whether a row names them; they are kept.
    pub unclear: u64,
}

impl Custody {
    /// Deletes the secrets that changes left behind a day ago or earlier, by the store's clock, and
    /// that the row of their owner does not name. What cannot be read is not taken for unused.
    pub async fn clean(&self) -> Result<Cleaning> {
        let mut cleaning = Cleaning::default();
        let notes = self.installation.repositories.secret_notes.list().await?;
        cleaning.unclear += notes.damaged;
        if notes.items.is_empty() {
            return Ok(cleaning);
        }
        let now = self.installation.storage_time().await?;
        for noted in notes.items {
            if !is_old(&noted, now) {
                cleaning.waiting += 1;
                continue;
            }
            match self.judge(&noted).await {
                Ok(true) => cleaning.deleted += 1,
                Ok(false) => cleaning.named += 1,
                Err(error) => {
                    let SecretNote { name, owner } = &noted.note;
                    tracing::warn!(%error, secret = name.as_str(), %owner, "it cannot be said whether a secret is used; it is kept");
                    cleaning.unclear += 1;
                }
            }
        }
        Ok(cleaning)
    }

    /// Gives whether the secret was unused.
    async fn judge(&self, noted: &Noted) -> StorageResult<bool> {
        let is_unused = is_ours(&noted.note.name) && self.delete_unless_named(&noted.note).await?;
        let repositories = &self.installation.repositories;
        repositories.secret_notes.forget_read(noted).await?;
        Ok(is_unused)
    }
}

fn is_old(noted: &Noted, now: Timestamp) -> bool {
    now.duration_since(noted.at) >= PATIENCE
}
