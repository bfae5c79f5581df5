//! Dead letters: list them, throw one away.

use dilux_core::model::{AuditAction, AuditResourceType, DeadLetter, DeadLetterId, JobId};
use dilux_core::repository::{DamagedRow, Versioned};
use dilux_core::storage::StorageErrorKind;
use dilux_core::{Error, Result};
use serde_json::json;

use super::Application;
use super::audit::Event;
use crate::caller::Caller;

/// The dead letters.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    /// Newest first.
    pub(crate) items: Vec<DeadLetter>,
    /// Rows that cannot be read.
    pub(crate) damaged: Vec<DamagedRow>,
}

impl Application {
    /// All dead letters, newest first.
    pub(crate) async fn dead_letters(&self) -> Result<DeadLetters> {
        let listing = self.installation.repositories.dead_letters.list().await?;
        let mut items: Vec<DeadLetter> = listing.items.into_iter().map(|row| row.value).collect();
        items.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        Ok(DeadLetters {
            items,
            damaged: listing.damaged,
        })
    }

    /// Throws a letter away.
    pub(crate) async fn discard(&self, id: &DeadLetterId, caller: &Caller) -> Result<()> {
        let letter = self.dead_letter(id).await?;
        self.forget(&letter).await?;
        let event = event(AuditAction::DeadLetterDiscarded, &letter.value);
        self.record(caller, event).await;
        Ok(())
    }

    pub(super) async fn dead_letter(&self, id: &DeadLetterId) -> Result<Versioned<DeadLetter>> {
        let found = self.installation.repositories.dead_letters.get(id).await?;
        found.ok_or_else(|| Error::NotFound {
            what: "Dead letter",
            id: id.to_string(),
        })
    }

    /// Deletes a letter; one that is gone already has been dealt with by somebody else.
    pub(super) async fn forget(&self, letter: &Versioned<DeadLetter>) -> Result<()> {
        let letters = &self.installation.repositories.dead_letters;
        match letters.delete(&letter.value.id, &letter.version).await {
            Err(error)
                if !matches!(
                    error.kind(),
                    StorageErrorKind::NotFound | StorageErrorKind::PreconditionFailed
                ) =>
            {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn event(action: AuditAction, letter: &DeadLetter) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::Backup,
        resource_id: letter.id.to_string(),
        resource_name: letter
            .job_id
            .as_ref()
            .map_or_else(|| letter.id.to_string(), JobId::to_string),
        details: json!({
            "reason": letter.reason.as_str(),
            "job_id": letter.job_id.as_ref().map(JobId::as_str),
        }),
        failure: None,
    }
}
