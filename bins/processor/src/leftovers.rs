//! Databases that interrupted rehearsals left on servers: named after their job and attempt, so that
//! nothing else can be meant by them.

use std::time::Duration;

use dilux_core::model::{AttemptEnd, DatabaseName, InvalidName, Job, JobState, VerifyWork, Work};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Driver, REHEARSAL_PREFIX, Target};

use crate::Processor;

/// Attempts whose databases are looked for: each before the last ones looked too.
const MOST_LEFT: u64 = 8;

/// Between two tries at a server that does not let itself be cleared up.
pub(crate) const CLEAR_UP_AGAIN: Duration = Duration::from_mins(5);

/// How often the message of a job that is over is taken up for that, at most.
pub(crate) const MOST_CLEAR_UPS: u32 = 12;

/// The database of one attempt. A later attempt knows what an earlier one may have left, and an
/// earlier one that wakes up drops no other than its own.
pub(crate) fn rehearsal_name(job: &Job, epoch: u64) -> Result<DatabaseName, Failure> {
    let id = job.id.as_str();
    let hash = id.rsplit('.').next().unwrap_or(id);
    let name = format!("{REHEARSAL_PREFIX}{hash}_{epoch}");
    name.parse()
        .map_err(|error: InvalidName| Failure::new(FailureKind::Internal, error.to_string()))
}

/// Drops what the attempts of a job before `end` left.
pub(crate) async fn drop_before(
    end: u64,
    job: &Job,
    driver: &dyn Driver,
    target: &Target,
) -> Result<(), Failure> {
    for epoch in end.saturating_sub(MOST_LEFT).max(1)..end {
        let left = rehearsal_name(job, epoch)?;
        driver.drop_rehearsal(target, &left).await?;
    }
    Ok(())
}

impl Processor {
    /// Drops what dead workers left of a job that is over, if it was a rehearsal: nobody comes after
    /// them. Doing it again does no harm.
    pub(crate) async fn clear_up(&self, job: &Job) -> Result<(), Failure> {
        let is_lost = job
            .log
            .iter()
            .any(|attempt| attempt.end == Some(AttemptEnd::Lost));
        let Work::Verify(VerifyWork {
            backup_id,
            rehearse_on: Some(engine),
        }) = &job.work
        else {
            return Ok(());
        };
        if !is_lost || matches!(job.state, JobState::Completed { .. }) {
            return Ok(());
        }
        let driver = self.drivers.for_engine(job.engine_type)?;
        let target = match self.manifest_of(backup_id).await {
            Ok(manifest) => self.restore_target(engine, &manifest).await?,
            // The backup may be gone by now.
            Err(_) => self.engine_target(&self.engine(engine).await?).await?,
        };
        drop_before(job.epoch + 1, job, &*driver, &target).await
    }
}
