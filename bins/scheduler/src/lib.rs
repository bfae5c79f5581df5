//! The planning service: reconciles what policies owe with what is booked, and keeps the timers.
//!
//! Any number of schedulers may run: a job's id is a hash of what it is for, and booking is
//! insert-if-absent, so the same slot is booked once; a slot of a timer is run by one of them.

mod audit;
mod catalogue;
mod expire;
mod plan;
mod secrets;
mod tick;
mod timers;
mod withdraw;

use std::time::Duration;

use dilux_core::component::{Component, ComponentKind};
use dilux_core::installation::Installation;
use dilux_core::random::uuid_text;
use dilux_core::timer::{Timer, TimerRule};
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use tick::TickReport;
pub use timers::TimerLook;

/// How long a bell may stay unheard beyond a lease before it is rung again.
const PATIENCE: Duration = Duration::from_secs(30);

/// How soon a tick that failed is repeated, at first and at the latest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// The scheduler of an installation.
#[derive(Debug, Clone)]
pub struct Scheduler {
    installation: Installation,
    /// Tells schedulers apart.
    name: String,
}

impl Scheduler {
    /// A scheduler.
    pub fn new(installation: Installation) -> Self {
        let name = uuid_text(&*installation.random);
        Self { installation, name }
    }

    /// Ticks at once, then on every whole multiple of the period, and soon again after a tick that
    /// failed; sweeps in between, and keeps the timers, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        // Dropped with this future, and its tasks with it.
        let mut timers = JoinSet::new();
        for timer in Timer::SHARED {
            let (scheduler, stop) = (self.clone(), shutdown.clone());
            timers.spawn(async move { scheduler.keep_timer(timer, &stop).await });
        }
        let (installation, stop) = (self.installation.clone(), shutdown.clone());
        timers.spawn(async move {
            let version = env!("CARGO_PKG_VERSION");
            let component = Component::starting(&installation, ComponentKind::Scheduler, version);
            component.keep_alive(&installation, &stop).await;
        });
        self.keep_planning(&shutdown).await;
        while let Some(ended) = timers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a timer ended before its time");
            }
        }
        tracing::info!("scheduler has stopped");
    }

    async fn keep_planning(&self, shutdown: &CancellationToken) {
        let settings = self.installation.settings.clone();
        let rule = TimerRule::every(settings.tick);
        tracing::info!(tick.seconds = settings.tick.as_secs(), "scheduler is ready");
        let mut next_tick = self.installation.clock.now();
        let mut pause = FIRST_PAUSE;
        loop {
            if self.installation.clock.now() >= next_tick {
                let is_done = self.tick_and_log().await;
                let now = self.installation.clock.now();
                next_tick = rule.next(now);
                if is_done {
                    pause = FIRST_PAUSE;
                } else {
                    next_tick = now
                        .saturating_add(pause)
                        .map_or(next_tick, |at| at.min(next_tick));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
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
    }

    /// Whether the tick could decide.
    async fn tick_and_log(&self) -> bool {
        let started_at = self.installation.clock.now();
        match self.tick().await {
            Ok(report) => {
                tracing::info!(
                    databases = report.databases,
                    booked = report.booked,
                    failed = report.failed,
                    damaged = report.damaged,
                    "tick is done"
                );
                self.note_tick(started_at, &report).await;
                true
            }
            Err(error) => {
                tracing::error!(%error, "tick did not get to its end; it is repeated soon");
                false
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
