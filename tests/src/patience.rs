//! Waiting for conditions.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use dilux_core::installation::Installation;

/// Longest wait: what is stuck for longer is stuck for ever.
const LIMIT: Duration = Duration::from_mins(3);

/// Waits until `holds`; an error says `what` did not come.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds().await? {
        if Instant::now() > deadline {
            bail!("{LIMIT:?} were not enough for this: {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Waits until no job is under way and the queue is empty, hidden messages included.
pub async fn until_idle(installation: &Installation) -> Result<()> {
    let jobs = &installation.repositories.jobs;
    let (queues, queue) = (&installation.storage.queues, &installation.settings.queue);
    let deadline = Instant::now() + LIMIT;
    loop {
        let active = jobs.active(installation.clock.now()).await?;
        let messages = queues.approximate_count(queue).await?;
        if active.is_empty() && messages == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("after {LIMIT:?} there are {messages} messages and these jobs: {active:#?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
