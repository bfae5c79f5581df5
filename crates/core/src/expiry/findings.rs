//! What a look at the data found, written where people see it: a backup whose data or manifest is
//! gone is marked as damaged, and as good again once it is back.

use jiff::Timestamp;

use super::holdings::{Holding, Holdings};
use super::run::Run;
use super::{Expiry, is_lost_race, or_untouched};
use crate::error::Result;
use crate::model::{Backup, BackupMarks, BackupStatus, DamageKind, Fate, Finding, RetentionState};
use crate::repository::Version;

impl Expiry {
    /// Notes damage and recovery, and brings the history lines into line with the states.
    pub(super) async fn note_findings(&self, run: &mut Run, holdings: &mut Holdings) -> Result<()> {
        for holding in &mut holdings.backups {
            if holding.is_obscure {
                continue;
            }
            if let Some(news) = news(holding, run.now) {
                report(run, holding, &news);
                let finding = match news {
                    News::Damage(finding) => Some(finding),
                    News::Recovery => None,
                };
                let state = holding.state.clone().found(finding);
                self.write_state(holding, state).await?;
            }
        }
        for line in std::mem::take(&mut holdings.loose_lines) {
            self.note_loose_line(run, line).await?;
        }
        Ok(())
    }

    /// Writes a state in the version that was read. When somebody was faster, the backup is left
    /// alone until the next run, and the answer is `false`.
    pub(super) async fn write_state(
        &self,
        holding: &mut Holding,
        state: RetentionState,
    ) -> Result<bool> {
        let states = &self.installation.repositories.retention;
        match states.put(state, holding.version.as_ref()).await {
            Ok(written) => {
                holding.state = written.value;
                holding.version = Some(written.version);
                Ok(true)
            }
            Err(error) if is_lost_race(&error) => {
                holding.is_obscure = true;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Brings the history line of a backup into line with its state.
    pub(super) async fn show(&self, holding: &mut Holding) -> Result<()> {
        if holding.is_obscure {
            return Ok(());
        }
        let (status, marks) = shown(&holding.state);
        if let Some(line) = &holding.line {
            if line.status == status && line.marks == marks {
                return Ok(());
            }
        } else if !self
            .is_over(&holding.manifest.job_id)
            .await?
            .unwrap_or(true)
        {
            // Its worker has the books still to write.
            return Ok(());
        }
        let mut line = match holding.line.take() {
            Some(line) => line,
            None => Backup::of_manifest(&holding.manifest),
        };
        line.status = status;
        line.marks = marks;
        self.installation.repositories.backups.put(&line).await?;
        self.follow(&line).await?;
        holding.line = Some(line);
        Ok(())
    }

    /// A line that says that there is a backup, although there is no manifest.
    async fn note_loose_line(&self, run: &mut Run, mut line: Backup) -> Result<()> {
        let Some(job) = line.id.job() else {
            // The Python product made no manifests.
            return Ok(());
        };
        if self.has_manifest(&job).await? {
            return Ok(());
        }
        let states = &self.installation.repositories.retention;
        let found = states.get(&line.database_id, &line.id).await?;
        if let Some(state) = &found
            && let Fate::Deleting(_) | Fate::Deleted(_) = &state.value.fate
        {
            (line.status, line.marks) = shown(&state.value);
            self.installation.repositories.backups.put(&line).await?;
            return self.follow(&line).await;
        }
        let (state, version) = or_untouched(found, &line.database_id, &line.id);
        let Some(state) = self
            .note_missing_manifest(run, &line, state, version)
            .await?
        else {
            return Ok(());
        };
        let shown = shown(&state);
        if (line.status, &line.marks) != (shown.0, &shown.1) {
            (line.status, line.marks) = shown;
            self.installation.repositories.backups.put(&line).await?;
        }
        self.follow(&line).await
    }

    /// The state with the finding; `None` when somebody was faster.
    async fn note_missing_manifest(
        &self,
        run: &mut Run,
        line: &Backup,
        state: RetentionState,
        version: Option<Version>,
    ) -> Result<Option<RetentionState>> {
        if matches!(state.finding, Some(Finding::Damaged { .. })) {
            return Ok(Some(state));
        }
        let reason = "its manifest is gone, so it cannot be restored".to_owned();
        tracing::error!(backup.id = %line.id, database = %line.database_label, %reason, "backup is damaged");
        let state = state.found(Some(Finding::Damaged {
            at: run.now,
            kind: DamageKind::ManifestMissing,
            reason,
        }));
        let states = &self.installation.repositories.retention;
        match states.put(state, version.as_ref()).await {
            Ok(written) => {
                run.report.damaged += 1;
                Ok(Some(written.value))
            }
            Err(error) if is_lost_race(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a look at the data says that was not known.
enum News {
    Damage(Finding),
    Recovery,
}

fn news(holding: &Holding, now: Timestamp) -> Option<News> {
    let known = match &holding.state.finding {
        Some(Finding::Damaged { kind, .. }) => Some(*kind),
        _ => None,
    };
    match (&holding.damage, known) {
        (Some((kind, _)), Some(known)) if *kind == known => None,
        (Some((kind, reason)), _) => Some(News::Damage(Finding::Damaged {
            at: now,
            kind: *kind,
            reason: reason.clone(),
        })),
        (None, None | Some(DamageKind::VerificationFailed)) => None,
        (None, Some(_)) => Some(News::Recovery),
    }
}

fn report(run: &mut Run, holding: &Holding, news: &News) {
    let database = &holding.manifest.database_label;
    if let News::Damage(Finding::Damaged { reason, .. }) = news {
        run.report.damaged += 1;
        tracing::error!(backup.id = %holding.id, %database, %reason, "backup is damaged");
    } else {
        tracing::info!(backup.id = %holding.id, %database, "data of a damaged backup is back");
    }
}

/// What the history line shows of a state.
pub(crate) fn shown(state: &RetentionState) -> (BackupStatus, BackupMarks) {
    let mut marks = BackupMarks {
        is_pinned: state.pin.is_some(),
        is_held: state.hold.is_some(),
        labels: state.labels.clone(),
        ..BackupMarks::default()
    };
    let mut status = BackupStatus::Completed;
    match &state.finding {
        Some(Finding::Verified { at }) => marks.verified_at = Some(*at),
        Some(Finding::Damaged { at, kind, reason }) => {
            status = BackupStatus::Damaged;
            marks.damaged_since = Some(state.damaged_since.unwrap_or(*at));
            if *kind == DamageKind::VerificationFailed {
                marks.verification_failed_at = Some(*at);
            }
            marks.sentence = Some(reason.clone());
        }
        None => {}
    }
    match &state.fate {
        Fate::Kept => {}
        Fate::Tombstoned(tombstone) => {
            marks.deletes_after = Some(tombstone.deletes_after);
            marks.reason = Some(tombstone.reason.clone());
            marks.sentence = Some(tombstone.sentence.clone());
        }
        Fate::Deleting(deletion) | Fate::Deleted(deletion) => {
            status = BackupStatus::Deleted;
            marks.deleted_at = Some(deletion.since);
            marks.reason = Some(deletion.reason.clone());
            marks.sentence = Some(deletion.sentence.clone());
        }
    }
    (status, marks)
}
