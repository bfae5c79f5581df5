//! One attempt at a job, from claim to the last line of bookkeeping.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dilux_core::crash;
use dilux_core::model::{Job, JobState, Work};
use dilux_core::transfer::{Failure, FailureKind};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::Processor;
use crate::claim::{Claim, ClaimError, StopReason};
use crate::entry::bell_in;
use crate::keeper::{Activity, HeldMessage, keep};

impl Processor {
    /// Runs a claimed job to the end of this attempt and settles its row and message.
    pub(crate) async fn run_claimed(
        &self,
        claim: Claim,
        message: HeldMessage,
        shutdown: &CancellationToken,
    ) {
        let job = claim.job().await;
        let span = tracing::info_span!("job", job.id = %job.id, job.epoch = claim.epoch());
        async {
            tracing::info!(database = %job.database_label, kind = job.work.kind(), "job starts");
            let claim = Arc::new(claim);
            let _watch = self.watch_shutdown(&claim, shutdown);
            let activity = Activity::new(claim.stop_token().clone());
            let outcome = {
                let keeper = keep(
                    &claim,
                    &message,
                    &activity,
                    self.installation.settings.worker.lease,
                );
                let work = AssertUnwindSafe(Box::pin(self.attempt(&claim, &job, &activity)))
                    .catch_unwind();
                tokio::pin!(work);
                tokio::pin!(keeper);
                // The keeper ends early only when the work has to stop; the work then winds up.
                tokio::select! {
                    biased;
                    outcome = &mut work => outcome,
                    () = &mut keeper => work.await,
                }
            };
            let outcome = outcome.unwrap_or_else(|_| {
                Err(Failure::new(
                    FailureKind::Internal,
                    "this is a defect of Dilux: the worker stumbled over the job; see its log",
                ))
            });
            Box::pin(self.settle(&claim, &message, outcome)).await;
            let dispatcher = &self.installation.dispatcher;
            if let Err(error) = dispatcher.release(&job.id, claim.epoch()).await {
                tracing::warn!(%error, "place is not freed; it ends with the job's lease");
            }
        }
        .instrument(span)
        .await;
    }

    async fn attempt(&self, claim: &Claim, job: &Job, activity: &Activity) -> Result<(), Failure> {
        match &job.work {
            Work::Backup(work) => self.back_up(claim, job, work, activity).await,
            Work::Restore(work) => self.restore(claim, job, work, activity).await,
            Work::Verify(work) => self.verify(claim, job, work, activity).await,
        }
    }

    /// Gives running jobs the grace time once the process is asked to end.
    fn watch_shutdown(
        &self,
        claim: &Arc<Claim>,
        shutdown: &CancellationToken,
    ) -> tokio_util::task::AbortOnDropHandle<()> {
        let grace = self.installation.settings.worker.shutdown_grace;
        let (claim, shutdown) = (claim.clone(), shutdown.clone());
        tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
            shutdown.cancelled().await;
            tokio::time::sleep(grace).await;
            claim.stop(StopReason::Shutdown);
        }))
    }

    async fn settle(&self, claim: &Claim, message: &HeldMessage, outcome: Result<(), Failure>) {
        let settled = match outcome {
            Ok(()) if !claim.job().await.is_terminal() => {
                let job = claim.job().await;
                let now = self.installation.clock.now();
                message.hide(bell_in(job.not_before, now)).await;
                Ok(())
            }
            Ok(()) => {
                message.delete().await;
                crash::point("after-message-deleted");
                tracing::info!("job is done");
                Ok(())
            }
            Err(failure) => self.settle_failure(claim, message, failure).await,
        };
        if let Err(error) = settled {
            tracing::error!(%error, "outcome cannot be saved; the job is taken up again later");
        }
    }

    async fn settle_failure(
        &self,
        claim: &Claim,
        message: &HeldMessage,
        failure: Failure,
    ) -> Result<(), ClaimError> {
        let now = self.installation.clock.now();
        let rule = self.installation.settings.worker.retry;
        let failure = match claim.stop_reason() {
            Some(StopReason::LeaseLost) => {
                tracing::warn!("another worker may have the job; this one lets go");
                return Ok(());
            }
            Some(StopReason::Shutdown) => {
                claim.change(|job| job.release(now)).await?;
                crash::point("after-release");
                message.hide(Duration::ZERO).await;
                tracing::info!("job is given back unfinished");
                return Ok(());
            }
            Some(StopReason::Cancelled) => {
                Failure::new(FailureKind::Cancelled, "the job was cancelled")
            }
            None => failure,
        };
        if failure.kind == FailureKind::LeaseLost {
            return Ok(());
        }
        let fail = |job: Job| {
            let rule = job.work.retry_rule(rule);
            job.fail(now, failure.clone(), rule)
        };
        let failed = fail(claim.job().await)?;
        let saved = match self.finish_committed(claim, &failed).await {
            Ok(false) => self.record_failure(&failed, &failure).await,
            Ok(true) => {
                message.delete().await;
                return Ok(());
            }
            Err(reason) => Err(reason),
        };
        if let Err(reason) = saved {
            tracing::error!(%reason, "failure cannot be saved; the job is taken up again later");
            return Ok(());
        }
        crash::point("after-failure-recorded");
        let job = claim.change(fail).await?;
        crash::point("after-attempt-failed");
        self.announce_failure(&job, &failure).await;
        if matches!(job.state, JobState::Retrying { .. }) {
            tracing::warn!(kind = ?failure.kind, reason = %failure, retry.at = %job.not_before, "attempt failed; it will be retried");
            let wait = Duration::try_from(job.not_before.duration_since(now)).unwrap_or_default();
            message.hide(wait + Duration::from_secs(1)).await;
        } else {
            tracing::error!(kind = ?failure.kind, reason = %failure, detail = %failure.detail, "job failed");
            self.finish(&job, message, 0).await;
        }
        Ok(())
    }
}
