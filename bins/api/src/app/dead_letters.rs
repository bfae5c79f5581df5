//! Dead letters: list them, give one another chance, throw one away.

use dilux_core::model::{
    AuditAction, AuditResourceType, DeadLetter, DeadLetterId, DeadLetterReason, JobId,
};
use dilux_core::repository::{DamagedRow, Versioned};
use dilux_core::storage::StorageErrorKind;
use dilux_core::{Error, Result, crash};
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

    /// Puts a letter back: its message into the queue, or for a job that failed for good its work
    /// into a new job, whose id is answered. The letter goes last, so that a crash leaves it.
    pub(crate) async fn requeue(
        &self,
        id: &DeadLetterId,
        caller: &Caller,
    ) -> Result<Option<JobId>> {
        let letter = self.dead_letter(id).await?;
        let exhausted = letter
            .value
            .job_id
            .as_ref()
            .filter(|_| letter.value.reason == DeadLetterReason::ExhaustedJob);
        let job = if let Some(job) = exhausted {
            Some(self.book_again(id, job).await?)
        } else {
            let dispatcher = &self.installation.dispatcher;
            dispatcher.resend(&letter.value.text).await?;
            letter.value.job_id.clone()
        };
        crash::point("after-requeue");
        self.forget(&letter).await?;
        let event = event(AuditAction::DeadLetterRequeued, &letter.value);
        self.record(caller, event).await;
        Ok(job)
    }

    /// Throws a letter away.
    pub(crate) async fn discard(&self, id: &DeadLetterId, caller: &Caller) -> Result<()> {
        let letter = self.dead_letter(id).await?;
        self.forget(&letter).await?;
        let event = event(AuditAction::DeadLetterDiscarded, &letter.value);
        self.record(caller, event).await;
        Ok(())
    }

    /// Books the work of a job that failed for good anew. Its id comes from the letter, so asking
    /// twice books once.
    async fn book_again(&self, letter: &DeadLetterId, id: &JobId) -> Result<JobId> {
        let failed = self.installation.repositories.jobs.get(id).await?;
        let failed = failed.map(|job| job.value).ok_or_else(|| {
            Error::Refused(format!("the job '{id}' is gone; discard this letter"))
        })?;
        let key = format!("requeue|{letter}|{id}");
        let booked = self.book_anew(failed, &key).await?;
        Ok(booked.job.id)
    }

    async fn dead_letter(&self, id: &DeadLetterId) -> Result<Versioned<DeadLetter>> {
        let found = self.installation.repositories.dead_letters.get(id).await?;
        found.ok_or_else(|| Error::NotFound {
            what: "Dead letter",
            id: id.to_string(),
        })
    }

    /// Deletes a letter; one that is gone already has been dealt with by somebody else.
    async fn forget(&self, letter: &Versioned<DeadLetter>) -> Result<()> {
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

fn event(action: AuditAction, letter: &DeadLetter) -> Event {
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
