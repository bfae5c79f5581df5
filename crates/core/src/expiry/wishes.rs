//! Deletions that a person asks for: announced as those of retention are, with the same grace
//! period, and carried out by it. A person may go below what the policy keeps, but never take the
//! last good copy.

use jiff::{SignedDuration, Timestamp};

use super::holdings::Holding;
use super::run::Run;
use super::{Expiry, is_lost_race};
use crate::error::{Error, Result};
use crate::model::{Backup, BackupId, DatabaseId, Deletion, Fate, Mark, RetentionState, Tombstone};
use crate::repository::Versioned;
use crate::retention::{Candidate, Verdict};

/// Why the last good copy stays.
const LAST_VERIFIED: &str =
    "it is the only verified backup of its database that is left; verify another one first";
const LAST_SOUND: &str =
    "it is the last good backup of its database; it can be deleted when there is another one";

impl Expiry {
    /// Announces the deletion of backups of one database, as `mark` asks. Gives for each its line
    /// as it is then, or why it stays. Asked again for the same one, nothing changes.
    pub async fn request_deletions(
        &self,
        database: &DatabaseId,
        backups: &[Backup],
        mark: &Mark,
    ) -> Result<Vec<(BackupId, Result<Backup>)>> {
        let now = self.trusted_time().await?;
        let holdings = self
            .holdings(database, None)
            .await
            .map_err(refuse_unreadable)?;
        let mut good: Vec<Candidate> = holdings
            .backups
            .iter()
            .filter(|holding| is_wanted(&holding.state))
            .map(Holding::candidate)
            .collect();
        let mut outcomes = Vec::new();
        for backup in backups {
            let outcome = if let Some(reason) = last_good(&mut good, &backup.id) {
                Err(Error::Refused(reason.to_owned()))
            } else {
                let wish = self.tombstone(now, mark);
                self.change_and_show(backup, |state| state.request_deletion(wish.clone()))
                    .await
            };
            if outcome.is_ok() {
                good.retain(|candidate| candidate.id != backup.id);
            }
            outcomes.push((backup.id.clone(), outcome));
        }
        Ok(outcomes)
    }

    fn tombstone(&self, now: Timestamp, mark: &Mark) -> Tombstone {
        let days = i64::from(self.installation.settings.retention.grace_days);
        let grace = SignedDuration::from_hours(24 * days);
        let note = mark.note.as_ref();
        let note = note.map_or_else(String::new, |note| format!(": {note}"));
        Tombstone {
            set_at: now,
            deletes_after: now.saturating_add(grace).unwrap_or(now),
            reason: Tombstone::REQUESTED.to_owned(),
            sentence: format!("{} asked for its deletion{note}", mark.by),
        }
    }

    /// Carries out what was asked for, oldest first. One that has become the last good copy since
    /// is kept after all.
    pub(super) async fn grant_wishes(
        &self,
        run: &mut Run,
        unwanted: &mut [Holding],
        wanted: &[Candidate],
    ) -> Result<()> {
        unwanted.sort_by_key(|holding| holding.manifest.started_at);
        for holding in unwanted {
            if holding.candidate().is_last_good(wanted) {
                self.carry_out(run, holding, &Verdict::Keep(Vec::new()))
                    .await?;
            } else {
                self.delete_when_due(run, holding).await?;
            }
        }
        Ok(())
    }

    /// Carries out what was asked for a backup whose manifest is gone: its history line tells what
    /// the manifest would.
    pub(super) async fn grant_wish_without_manifest(
        &self,
        run: &mut Run,
        state: Versioned<RetentionState>,
        lines: &[Backup],
    ) -> Result<()> {
        let Fate::Tombstoned(tombstone) = &state.value.fate else {
            return Ok(());
        };
        let line = lines.iter().find(|line| line.id == state.value.backup_id);
        let (true, Some(line)) = (tombstone.is_requested(), line) else {
            return Ok(());
        };
        let Some(blob) = &line.blob_name else {
            return Ok(());
        };
        if tombstone.deletes_after > run.now {
            run.report.waiting += 1;
            return Ok(());
        }
        if self.is_budget_used_up(run) {
            return Ok(());
        }
        let container = &self.installation.settings.container;
        let deletion = Deletion {
            since: run.now,
            reason: tombstone.reason.clone(),
            sentence: tombstone.sentence.clone(),
            booked_at: line.created_at,
            container: line
                .container
                .clone()
                .unwrap_or_else(|| container.as_str().to_owned()),
            blob: blob.clone(),
        };
        let restores = self.restores_of(&state.value).await?;
        let is_over = |job: &crate::model::JobId| restores.get(job).copied().flatten();
        let Ok(begun) = state.value.begin_deletion(deletion, is_over) else {
            run.report.blocked += 1;
            return Ok(());
        };
        let states = &self.installation.repositories.retention;
        match states.put(begun, Some(&state.version)).await {
            Ok(begun) => self.finish_deletion(run, begun, None).await,
            Err(error) if is_lost_race(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why this one cannot go; `None` when something as good is left without it.
fn last_good(good: &mut Vec<Candidate>, id: &BackupId) -> Option<&'static str> {
    let place = good.iter().position(|candidate| candidate.id == *id)?;
    let candidate = good.swap_remove(place);
    let is_last = candidate.is_last_good(good.iter());
    let is_alone = !good.iter().any(Candidate::is_sound);
    good.push(candidate);
    match (is_last, is_alone) {
        (false, _) => None,
        (true, true) => Some(LAST_SOUND),
        (true, false) => Some(LAST_VERIFIED),
    }
}

/// Whether it stays as far as people are concerned.
pub(super) fn is_wanted(state: &RetentionState) -> bool {
    match &state.fate {
        Fate::Kept => true,
        Fate::Tombstoned(tombstone) => !tombstone.is_requested(),
        Fate::Deleting(_) | Fate::Deleted(_) => false,
    }
}

/// A manifest that cannot be used keeps everything of its database where it is.
fn refuse_unreadable(error: Error) -> Error {
    match error {
        Error::Internal { message, .. } => Error::Refused(message),
        other => other,
    }
}
