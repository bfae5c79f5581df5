//! The planning service: reconciles what policies owe with what is booked.
//!
//! Any number of schedulers may run: a job's id is a hash of what it is for, and booking is
//! insert-if-absent, so the same slot is booked once.

mod catalogue;
mod expire;
mod plan;
mod tick;

use std::time::Duration;

use dilux_core::installation::Installation;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use tick::TickReport;

/// How long a bell may stay unheard beyond a lease before it is rung again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The scheduler of an installation.
#[derive(Debug)]
pub struct Scheduler {
    installation: Installation,
}

impl Scheduler {
    /// A scheduler.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// Ticks at once, then on every whole multiple of the period, and sweeps in between, until
    /// `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let settings = self.installation.settings.clone();
        tracing::info!(tick.seconds = settings.tick.as_secs(), "scheduler is ready");
        let mut next_tick = self.installation.clock.now();
        loop {
            if self.installation.clock.now() >= next_tick {
                self.tick_and_log().await;
                next_tick = next_multiple(self.installation.clock.now(), settings.tick);
            }
            self.sweep_and_log().await;
            let until_tick = next_tick.duration_since(self.installation.clock.now());
            let until_tick = Duration::try_from(until_tick).unwrap_or_default();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(until_tick.min(settings.sweep)) => {}
            }
        }
        tracing::info!("scheduler has stopped");
    }

    async fn tick_and_log(&self) {
        match self.tick().await {
            Ok(report) => tracing::info!(
                databases = report.databases,
                booked = report.booked,
                failed = report.failed,
                damaged = report.damaged,
                "tick is done"
            ),
            Err(error) => {
                tracing::error!(%error, "tick decided nothing: storage does not answer");
            }
        }
    }

    async fn sweep_and_log(&self) {
        let patience = self.installation.settings.worker.lease + PATIENCE;
        match self.installation.dispatcher.sweep(patience).await {
            Ok(0) => {}
            Ok(rung) => tracing::info!(jobs = rung, "rang again for jobs that nobody had heard"),
            Err(error) => tracing::error!(%error, "sweep is skipped: storage does not answer"),
        }
    }
}

/// The first whole multiple of `period` since 1970 after `now`: quarter hours for 15 minutes.
fn next_multiple(now: Timestamp, period: Duration) -> Timestamp {
    let period = i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1);
    let next = (now.as_second().div_euclid(period) + 1).saturating_mul(period);
    Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_fall_on_quarter_hours() {
        let quarter = Duration::from_mins(15);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            next_multiple(at("2026-03-01T10:07:00Z"), quarter),
            at("2026-03-01T10:15:00Z")
        );
        assert_eq!(
            next_multiple(at("2026-03-01T10:15:00Z"), quarter),
            at("2026-03-01T10:30:00Z")
        );
    }
}
