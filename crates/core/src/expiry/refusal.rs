//! What becomes of a deletion that the store refuses, because a rule of its own protects the blob:
//! an immutability policy or a legal hold. It stays announced and is tried again on another day.

use jiff::SignedDuration;

use super::findings::shown;
use super::run::Run;
use super::{Expiry, is_lost_race};
use crate::error::Result;
use crate::model::{Deletion, Fate, Manifest, RetentionState, Tombstone};
use crate::repository::Versioned;
use crate::storage::{BlobName, PutCondition, PutOptions, StorageError, StorageErrorKind};

/// How long the store is left alone.
const ANOTHER_DAY: SignedDuration = SignedDuration::from_hours(24);

const PROTECTED: &str = "; the store protects it by an immutability policy or a legal hold";

impl Expiry {
    /// Takes a deletion back that was begun and that the store refuses. Without a manifest nothing
    /// can be taken back: then data is left that the next run asks for again.
    pub(super) async fn postpone(
        &self,
        run: &mut Run,
        begun: Versioned<RetentionState>,
        manifest: Option<&Manifest>,
        refusal: &StorageError,
    ) -> Result<()> {
        run.report.blocked += 1;
        let backup = begun.value.backup_id.clone();
        tracing::warn!(backup.id = %backup, error = %refusal, "the store refuses to delete a backup; it is asked again another day");
        let (Fate::Deleting(deletion), Some(manifest)) = (begun.value.fate.clone(), manifest)
        else {
            return Ok(());
        };
        self.put_back(manifest).await?;
        let state = begun.value.postpone_deletion(postponed(run, &deletion));
        let states = &self.installation.repositories.retention;
        match states.put(state.clone(), Some(&begun.version)).await {
            Ok(_) => {}
            Err(error) if is_lost_race(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let backups = &self.installation.repositories.backups;
        let job = &manifest.job_id;
        if let Some(line) = backups.get(job, manifest.job_created_at).await? {
            let mut line = line.value;
            (line.status, line.marks) = shown(&state);
            backups.put(&line).await?;
            self.follow(&line).await?;
        }
        Ok(())
    }

    /// Writes a manifest again whose data could not be deleted: with it, it is a backup still.
    async fn put_back(&self, manifest: &Manifest) -> Result<()> {
        let name = BlobName::new(Manifest::blob_name(&manifest.job_id))?;
        let json = manifest.to_json();
        let json = json.map_err(|error| crate::Error::internal("write a manifest", error))?;
        let options = PutOptions {
            condition: PutCondition::Absent,
            ..PutOptions::default()
        };
        let container = &self.installation.settings.container;
        let blobs = &self.installation.storage.blobs;
        match blobs.put(container, &name, json.into(), options).await {
            // It was never gone.
            Err(error) if is_there(&error) => Ok(()),
            put => Ok(put.map(drop)?),
        }
    }
}

fn is_there(error: &StorageError) -> bool {
    matches!(
        error.kind(),
        StorageErrorKind::AlreadyExists | StorageErrorKind::PreconditionFailed
    )
}

fn postponed(run: &Run, deletion: &Deletion) -> Tombstone {
    let reason = deletion.sentence.trim_end_matches(PROTECTED);
    Tombstone {
        set_at: deletion.since,
        deletes_after: run.now.saturating_add(ANOTHER_DAY).unwrap_or(run.now),
        reason: deletion.reason.clone(),
        sentence: format!("{reason}{PROTECTED}"),
    }
}
