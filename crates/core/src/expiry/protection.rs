//! Wishes about single backups: pin, hold, take a deletion back; and the leases of those who read
//! one. Each is a compare-and-swap of the retention state, then the history line follows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::findings::shown;
use super::{Expiry, is_lost_race, or_untouched};
use crate::crash;
use crate::error::{Error, Result};
use crate::model::{
    Backup, BackupId, DatabaseId, Finding, JobId, Mark, RestoreLease, RetentionRefusal,
    RetentionState,
};
use crate::repository::Version;

/// How often a change is repeated after it lost a race.
const RACES: usize = 8;

type Transition = Result<RetentionState, RetentionRefusal>;

/// A change of what is wished about a backup.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Retention keeps it until it is unpinned.
    Pin(Mark),
    /// Takes a pin off.
    Unpin,
    /// It stays until the hold is released.
    Hold(Mark),
    /// Releases a hold.
    Release,
    /// Takes an announced deletion back, and pins it.
    Undelete(Mark),
    /// It has these labels in place of those that it had.
    Label(BTreeMap<String, String>),
}

impl Wish {
    fn apply(self, state: RetentionState) -> Transition {
        match self {
            Self::Pin(mark) => state.pin(mark),
            Self::Unpin => Ok(state.unpin()),
            Self::Hold(mark) => state.hold(mark),
            Self::Release => Ok(state.release()),
            Self::Undelete(mark) => state.undelete(mark),
            Self::Label(labels) => Ok(state.label(labels)),
        }
    }
}

impl Expiry {
    /// Pins a backup: retention keeps it until it is unpinned. Gives its line as it is then.
    pub async fn pin(&self, backup: &Backup, mark: &Mark) -> Result<Backup> {
        self.wish(backup, Wish::Pin(mark.clone())).await
    }

    /// Takes a pin off.
    pub async fn unpin(&self, backup: &Backup) -> Result<Backup> {
        self.wish(backup, Wish::Unpin).await
    }

    /// Holds a backup: it stays until the hold is released.
    pub async fn hold(&self, backup: &Backup, mark: &Mark) -> Result<Backup> {
        self.wish(backup, Wish::Hold(mark.clone())).await
    }

    /// Releases a hold.
    pub async fn release(&self, backup: &Backup) -> Result<Backup> {
        self.wish(backup, Wish::Release).await
    }

    /// Takes an announced deletion back and pins the backup, or the next run would announce it
    /// again.
    pub async fn undelete(&self, backup: &Backup, mark: &Mark) -> Result<Backup> {
        self.wish(backup, Wish::Undelete(mark.clone())).await
    }

    async fn wish(&self, backup: &Backup, wish: Wish) -> Result<Backup> {
        let (line, _) = self.wish_if(backup, wish, |_| Ok(())).await?;
        Ok(line)
    }

    /// Changes what is wished about a backup, if `accepts` the version of what was wished before;
    /// `None` is that of a backup about which nobody ever wished anything. Gives its line and the
    /// version that stands then.
    pub async fn wish_if(
        &self,
        backup: &Backup,
        wish: Wish,
        accepts: impl Fn(Option<&Version>) -> Result<()>,
    ) -> Result<(Backup, Option<Version>)> {
        require_committed(backup)?;
        let (database, id) = (&backup.database_id, &backup.id);
        let states = &self.installation.repositories.retention;
        for _ in 0..RACES {
            let found = states.get(database, id).await?;
            accepts(found.as_ref().map(|state| &state.version))?;
            let (state, version) = or_untouched(found, database, id);
            let next = wish.clone().apply(state.clone());
            let next = next.map_err(|refusal| Error::Refused(refusal.to_string()))?;
            if next == state {
                return Ok((self.show_state(backup, &state).await?, version));
            }
            match states.put(next, version.as_ref()).await {
                Ok(written) => {
                    let line = self.show_state(backup, &written.value).await?;
                    return Ok((line, Some(written.version)));
                }
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_races())
    }

    /// The version of what is wished and known about keeping a backup; `None` while that is
    /// nothing.
    pub async fn version(&self, backup: &Backup) -> Result<Option<Version>> {
        let states = &self.installation.repositories.retention;
        let found = states.get(&backup.database_id, &backup.id).await?;
        Ok(found.map(|state| state.version))
    }

    /// What was found of a backup so far; to be asked before a look at it begins.
    pub async fn finding(
        &self,
        database: &DatabaseId,
        backup: &BackupId,
    ) -> Result<Option<Finding>> {
        let states = &self.installation.repositories.retention;
        let found = states.get(database, backup).await?;
        Ok(found.and_then(|state| state.value.finding))
    }

    /// Notes what a verification found, at whose beginning `known` had been found. That it found
    /// nothing wrong does not replace damage that somebody else found meanwhile.
    pub async fn note_verification(
        &self,
        backup: &Backup,
        finding: &Finding,
        known: Option<&Finding>,
    ) -> Result<Backup> {
        let note = |state: RetentionState| match (&state.finding, finding) {
            (Some(present @ Finding::Damaged { .. }), Finding::Verified { .. })
                if Some(present) != known =>
            {
                Ok(state)
            }
            _ => Ok(state.found(Some(finding.clone()))),
        };
        require_committed(backup)?;
        let state = self.change(&backup.database_id, &backup.id, note).await?;
        crash::point("after-finding-stored");
        self.show_state(backup, &state).await
    }

    /// Keeps a backup's data until `until` for somebody who downloads it. Refused once its deletion
    /// has begun.
    pub async fn lease_download(
        &self,
        database: &DatabaseId,
        backup: &BackupId,
        until: Timestamp,
    ) -> Result<()> {
        if backup.job().is_none() {
            // Made by the Python product: retention never deletes it.
            return Ok(());
        }
        let lease = |state: RetentionState| match state.downloads_until {
            Some(held) if held >= until => Ok(state),
            _ => state.lease_download(until),
        };
        self.change(database, backup, lease).await.map(drop)
    }

    /// Keeps a backup's data until the restore job `job` is over. Refused once its deletion has
    /// begun. Taken before the job is booked, and again when a worker begins.
    pub async fn lease_restore(
        &self,
        database: &DatabaseId,
        backup: &BackupId,
        job: &JobId,
    ) -> Result<()> {
        if backup.job().is_none() {
            return Ok(());
        }
        let lease = RestoreLease {
            job: job.clone(),
            since: self.installation.clock.now(),
        };
        let take = |state: RetentionState| {
            if state.restores.iter().any(|held| held.job == *job) {
                Ok(state)
            } else {
                state.lease_restore(lease.clone())
            }
        };
        self.change(database, backup, take).await.map(drop)
    }

    pub(super) async fn change_and_show(
        &self,
        backup: &Backup,
        transition: impl Fn(RetentionState) -> Transition,
    ) -> Result<Backup> {
        require_committed(backup)?;
        let state = self
            .change(&backup.database_id, &backup.id, transition)
            .await?;
        self.show_state(backup, &state).await
    }

    /// Brings the history line of a backup into line with its state. Gives the line.
    async fn show_state(&self, backup: &Backup, state: &RetentionState) -> Result<Backup> {
        let backups = &self.installation.repositories.backups;
        let fresh = backups.get(&backup.job_id, backup.created_at).await?;
        let mut line = fresh.map_or_else(|| backup.clone(), |line| line.value);
        let (status, marks) = shown(state);
        if line.status != status || line.marks != marks {
            (line.status, line.marks) = (status, marks);
            backups.put(&line).await?;
        }
        self.follow(&line).await?;
        Ok(line)
    }

    async fn change(
        &self,
        database: &DatabaseId,
        backup: &BackupId,
        transition: impl Fn(RetentionState) -> Transition,
    ) -> Result<RetentionState> {
        let states = &self.installation.repositories.retention;
        for _ in 0..RACES {
            let found = states.get(database, backup).await?;
            let (state, version) = or_untouched(found, database, backup);
            let next =
                transition(state.clone()).map_err(|refusal| Error::Refused(refusal.to_string()))?;
            if next == state {
                return Ok(state);
            }
            match states.put(next, version.as_ref()).await {
                Ok(written) => return Ok(written.value),
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_races())
    }
}

/// Fails unless there is, or was, something that can be kept.
fn require_committed(backup: &Backup) -> Result<()> {
    if backup.id.job().is_none() {
        return Err(Error::Refused(
            "this backup was made by the Python product; retention never deletes it".to_owned(),
        ));
    }
    if !backup.status.was_completed() {
        return Err(Error::Refused(format!(
            "there is nothing to keep: the status of this backup is '{}'",
            backup.status
        )));
    }
    Ok(())
}

fn too_many_races() -> Error {
    Error::Unavailable {
        message: "others change it all the time; try again in a moment".to_owned(),
        retry_after: None,
        source: None,
    }
}
