//! Putting dead letters back, once for each idempotency key.

use dilux_core::model::{
    AuditAction, DeadLetter, DeadLetterId, DeadLetterReason, JobId, Requeue, RequeueId, Requeued,
};
use dilux_core::repository::Versioned;
use dilux_core::storage::StorageErrorKind;
use dilux_core::{Error, Result, crash};

use super::dead_letters::event;
use super::{Application, is_lost_race};
use crate::caller::Caller;

impl Application {
    /// Puts a letter back: its message into the queue, or for a job that failed for good its work
    /// into a new job, whose id is answered. The letter goes last, so that a crash leaves it. The
    /// same `key` is the same requeue, also when the letter is gone; then the flag is `false`.
    pub(crate) async fn requeue(
        &self,
        id: &DeadLetterId,
        key: Option<&str>,
        caller: &Caller,
    ) -> Result<(Requeued, bool)> {
        let tried = self.requeue_once(id, key, caller).await;
        if let (Err(Error::NotFound { .. }), Some(key)) = (&tried, key)
            && let Some(done) = self.requeued_before(id, key).await?
        {
            // Another request with the same key was faster.
            return Ok((done, false));
        }
        tried
    }

    async fn requeue_once(
        &self,
        id: &DeadLetterId,
        key: Option<&str>,
        caller: &Caller,
    ) -> Result<(Requeued, bool)> {
        let begun = match key {
            Some(key) => Some(self.begin_requeue(id, key).await?),
            None => None,
        };
        if let Some(begun) = &begun
            && let Some(outcome) = &begun.value.outcome
        {
            self.finish_requeue(&begun.value, caller).await?;
            return Ok((outcome.clone(), false));
        }
        let letter = self.dead_letter(id).await?;
        let outcome = self.put_back(&letter.value).await?;
        crash::point("after-requeue");
        if let Some(begun) = begun {
            self.note_requeue(begun, &letter.value, &outcome).await?;
        }
        self.forget_requeued(&letter, caller).await?;
        if key.is_some() {
            self.forget_requeues().await;
        }
        Ok((outcome, true))
    }

    /// Sends the message of a letter again, or books the work of its job anew.
    async fn put_back(&self, letter: &DeadLetter) -> Result<Requeued> {
        let job_id = match &letter.job_id {
            Some(job) if letter.reason == DeadLetterReason::ExhaustedJob => {
                Some(self.book_again(&letter.id, job).await?)
            }
            job => {
                self.installation.dispatcher.resend(&letter.text).await?;
                job.clone()
            }
        };
        Ok(Requeued { job_id })
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

    /// What came of the requeue with this key, once that is done.
    async fn requeued_before(&self, letter: &DeadLetterId, key: &str) -> Result<Option<Requeued>> {
        let requeues = &self.installation.repositories.requeues;
        match requeues.get(&RequeueId::of_key(key)).await? {
            Some(found) => Ok(of_letter(found, letter)?.value.outcome),
            None => Ok(None),
        }
    }

    /// Notes what is to be done before it is, or finds what was noted for this key.
    async fn begin_requeue(&self, letter: &DeadLetterId, key: &str) -> Result<Versioned<Requeue>> {
        let requeues = &self.installation.repositories.requeues;
        let id = RequeueId::of_key(key);
        if let Some(found) = requeues.get(&id).await? {
            return of_letter(found, letter);
        }
        let present = self.dead_letter(letter).await?;
        let now = self.installation.clock.now();
        match requeues
            .insert(Requeue::new(key, &present.value, now))
            .await
        {
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => {
                let found = requeues.get(&id).await?;
                of_letter(found.ok_or(error)?, letter)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Notes what came of a requeue. Whoever was faster with the same key noted the same.
    async fn note_requeue(
        &self,
        begun: Versioned<Requeue>,
        letter: &DeadLetter,
        outcome: &Requeued,
    ) -> Result<()> {
        let done = Requeue {
            letter_at: letter.at,
            outcome: Some(outcome.clone()),
            ..begun.value
        };
        let requeues = &self.installation.repositories.requeues;
        match requeues.replace(done, &begun.version).await {
            Err(error) if !is_lost_race(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Does what is left of a requeue that was noted and then interrupted: its letter is still
    /// there. One of the same text that was set aside since stays.
    async fn finish_requeue(&self, requeue: &Requeue, caller: &Caller) -> Result<()> {
        let letters = &self.installation.repositories.dead_letters;
        match letters.get(&requeue.letter).await? {
            Some(letter) if requeue.is_of(&letter.value) => {
                self.forget_requeued(&letter, caller).await
            }
            _ => Ok(()),
        }
    }

    async fn forget_requeued(&self, letter: &Versioned<DeadLetter>, caller: &Caller) -> Result<()> {
        self.forget(letter).await?;
        let event = event(AuditAction::DeadLetterRequeued, &letter.value);
        self.record(caller, event).await;
        Ok(())
    }

    /// Drops keys that were remembered for long enough, so that they do not add up. Best effort:
    /// the next requeue tries again.
    async fn forget_requeues(&self) {
        let requeues = &self.installation.repositories.requeues;
        let now = self.installation.clock.now();
        let outcome = async {
            for row in requeues.list().await?.items {
                if row.value.is_over(now) {
                    requeues.delete(&row.value.id, &row.version).await?;
                }
            }
            Ok::<_, dilux_core::storage::StorageError>(())
        };
        if let Err(error) = outcome.await {
            tracing::warn!(%error, "old keys of requeues stay for now");
        }
    }
}

/// What was noted for a key, if that was for the same letter.
fn of_letter(found: Versioned<Requeue>, letter: &DeadLetterId) -> Result<Versioned<Requeue>> {
    if found.value.letter == *letter {
        Ok(found)
    } else {
        Err(Error::Refused(
            "this Idempotency-Key was used for another dead letter; use a new one".to_owned(),
        ))
    }
}
