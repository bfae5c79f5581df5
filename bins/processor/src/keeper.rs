//! The keeper of a running job: renews lease and message, saves progress, hears of cancellation,
//! and fences the job when the store stays silent.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::model::{Progress, Stage};
use dilux_core::storage::{MessageId, QueueName, QueueStore, Receipt, StorageErrorKind};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_pipeline::Control;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::claim::{Claim, ClaimError, StopReason};

/// How often progress is saved while bytes flow.
const PROGRESS_PERIOD: Duration = Duration::from_secs(2);

/// What the work says of itself.
#[derive(Debug)]
pub(crate) struct Activity {
    stage: std::sync::Mutex<Option<(Stage, Instant)>>,
    pub(crate) control: Control,
}

impl Activity {
    /// Work that `cancel` stops.
    pub(crate) fn new(cancel: CancellationToken) -> Self {
        Self {
            stage: std::sync::Mutex::new(None),
            control: Control {
                cancel,
                ..Control::default()
            },
        }
    }

    /// Waits for `work`, or drops it when the job has to stop. For calls that clean up when they
    /// are dropped.
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.control.cancel.cancelled() => {
                Err(Failure::new(FailureKind::Cancelled, "the job was asked to stop"))
            }
            outcome = work => outcome,
        }
    }

    /// The work enters a stage.
    pub(crate) fn enter(&self, stage: Stage) {
        let mut current = self
            .stage
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *current = Some((stage, Instant::now()));
    }

    /// How far the work came; it is in no stage any more.
    pub(crate) fn final_progress(&self) -> Progress {
        Progress {
            stage: None,
            ..self.progress()
        }
    }

    /// How far the work is.
    pub(crate) fn progress(&self) -> Progress {
        let stage = *self
            .stage
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let plain_bytes = self.control.progress.plain_bytes();
        let elapsed = stage.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        let milliseconds = u64::try_from(elapsed.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        Progress {
            stage: stage.map(|(stage, _)| stage),
            plain_bytes,
            stored_bytes: self.control.progress.stored_bytes(),
            bytes_per_second: plain_bytes.saturating_mul(1000) / milliseconds,
        }
    }
}

/// The message that brought the job, with its newest receipt.
#[derive(Debug)]
pub(crate) struct HeldMessage {
    queues: Arc<dyn QueueStore>,
    queue: QueueName,
    id: MessageId,
    receipt: Mutex<Option<Receipt>>,
}

impl HeldMessage {
    pub(crate) fn new(
        queues: Arc<dyn QueueStore>,
        queue: QueueName,
        id: MessageId,
        receipt: Receipt,
    ) -> Self {
        Self {
            queues,
            queue,
            id,
            receipt: Mutex::new(Some(receipt)),
        }
    }

    /// No message: the job was taken without waiting for its own, which will find it over.
    pub(crate) fn none(queues: Arc<dyn QueueStore>, queue: QueueName) -> Self {
        Self {
            queues,
            queue,
            id: MessageId(String::new()),
            receipt: Mutex::new(None),
        }
    }

    /// Hides the message for `visibility` from now. A message that is not ours any more is let go:
    /// the job row decides, not the message.
    pub(crate) async fn hide(&self, visibility: Duration) {
        let mut held = self.receipt.lock().await;
        let Some(receipt) = held.as_ref() else { return };
        match self
            .queues
            .renew(&self.queue, &self.id, receipt, visibility)
            .await
        {
            Ok(newer) => *held = Some(newer),
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => *held = None,
            Err(error) => tracing::warn!(%error, "message cannot be renewed"),
        }
    }

    /// Deletes the message.
    pub(crate) async fn delete(&self) {
        let mut held = self.receipt.lock().await;
        let Some(receipt) = held.take() else { return };
        match self.queues.delete(&self.queue, &self.id, &receipt).await {
            Ok(()) => {}
            Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => {}
            Err(error) => tracing::warn!(%error, "message cannot be deleted; it will come again"),
        }
    }
}

/// Keeps `claim` alive until it is dropped or the work has to stop.
pub(crate) async fn keep(
    claim: &Claim,
    message: &HeldMessage,
    activity: &Activity,
    lease: Duration,
) {
    let period = PROGRESS_PERIOD.min(lease / 3);
    let mut last_success = Instant::now();
    let mut last_message = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = claim.stop_token().cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        if last_message.elapsed() >= lease / 3 {
            message.hide(lease).await;
            last_message = Instant::now();
        }
        let progress = activity.progress();
        match claim.renew(|job| job.progress = progress).await {
            Ok(job) if job.cancel_requested => return claim.stop(StopReason::Cancelled),
            Ok(_) => last_success = Instant::now(),
            Err(ClaimError::Lost | ClaimError::Transition(_)) => {
                return claim.stop(StopReason::LeaseLost);
            }
            Err(ClaimError::Storage(error)) => {
                tracing::warn!(%error, "lease cannot be renewed");
                if last_success.elapsed() >= lease * 2 / 3 {
                    return claim.stop(StopReason::LeaseLost);
                }
            }
        }
    }
}
