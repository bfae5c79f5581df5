//! Dead letters: list them, throw one away.

use dilux_core::model::{AuditAction, AuditResourceType, DeadLetter, DeadLetterId, JobId};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::storage::StorageErrorKind;
use dilux_core::{Error, Result};
use serde_json::json;

use super::audit::Event;
use super::page::newest_first;
use super::{Application, Listed, Page};
use crate::caller::Caller;
use crate::wire::page::PageWish;

impl Application {
    /// The dead letters, newest first.
    pub(crate) async fn list_dead_letters(&self, wish: &PageWish) -> Result<Listed<DeadLetter>> {
        let Listing { items, damaged } = self.installation.repositories.dead_letters.list().await?;
        let items = items.into_iter().map(|row| row.value).collect();
        let page = Page::cut(items, &wish.start(), wish.limit(), |letter: &DeadLetter| {
            (newest_first(letter.at), letter.id.to_string())
        });
        Ok(Listed { page, damaged })
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
