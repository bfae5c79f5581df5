//! The timers: retention once a day, the health monitor every few hours. Each has a task of its
//! own, so that a long run delays neither the tick nor the other timer.
//!
//! What was run last stands in the store, and a run is claimed by compare-and-swap: of N schedulers
//! one runs a slot, and another takes over when it dies. Time is the store's, so schedulers whose
//! own clocks differ agree on it.

use std::collections::BTreeMap;
use std::time::Duration;

use dilux_core::health::{HealthStatus, examine};
use dilux_core::repository::{Version, Versioned};
use dilux_core::storage::{StorageError, StorageErrorKind};
use dilux_core::timer::{
    Decision, TIMER_LEASE, Timer, TimerOutcome, TimerRule, TimerRun, TimerState, decide,
};
use dilux_core::{Error, Result};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{Scheduler, TickReport};

/// How long a run may take to give its claims back once a stop was asked for.
const FAREWELL: Duration = Duration::from_secs(5);

/// The longest wait before a timer that failed is looked at again.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Attempts to change a state that others change too.
const RACES: usize = 8;

/// What became of a look at a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerLook {
    /// It is not due, or another scheduler runs it.
    NotDue,
    /// It was run.
    Ran(TimerOutcome),
    /// Its run was interrupted, or has to wait for somebody who does the same; it is still owed.
    Owed,
    /// Another scheduler took the run over, because this one was silent for too long.
    TakenOver,
}

/// A run that ended well enough not to be repeated.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: TimerOutcome,
    pub(crate) message: String,
    /// The same in numbers.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// A run under way.
struct Turn {
    timer: Timer,
    rule: Option<TimerRule>,
    slot: Timestamp,
    /// When it began, by the store's clock.
    since: Timestamp,
    /// How far the store's clock is ahead of ours.
    skew: SignedDuration,
}

impl Scheduler {
    /// Looks at a timer in every sweep, and less often while it fails, until `stop`.
    pub(crate) async fn keep_timer(&self, timer: Timer, stop: &CancellationToken) {
        let farewell = async {
            stop.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::pin!(farewell);
        let mut failures = 0;
        loop {
            let look = tokio::select! {
                biased;
                () = &mut farewell => return,
                look = self.look_at(timer, stop) => look,
            };
            failures = if look.is_err() { failures + 1 } else { 0 };
            let pause = pause(self.installation.settings.sweep, failures);
            match look {
                Ok(TimerLook::TakenOver) => {
                    tracing::warn!(%timer, "another scheduler took the run over");
                }
                Ok(_) => {}
                Err(error) => {
                    let seconds = pause.as_secs();
                    tracing::error!(%timer, %error, retry.seconds = seconds, "timer failed; it is tried again");
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks at a timer, and runs it when it is due and nobody else does. `stop` ends the run. An
    /// error means that storage did not answer, or that the run failed; it is still owed then.
    pub async fn look_at(&self, timer: Timer, stop: &CancellationToken) -> Result<TimerLook> {
        let rule = self.installation.settings.timer_rule(timer);
        let stored = self.installation.repositories.timers.get(&timer).await?;
        let (known, version) = match stored {
            Some(Versioned { value, version }) => (value, Some(version)),
            None => (TimerState::unknown(timer), None),
        };
        let local = self.installation.clock.now();
        if decide(&known, rule, &self.name, local) == Decision::Wait {
            return Ok(TimerLook::NotDue);
        }
        let since = self.installation.storage_time().await?;
        match decide(&known, rule, &self.name, since) {
            Decision::Wait => Ok(TimerLook::NotDue),
            Decision::Note(state) => {
                self.write(*state, version.as_ref()).await?;
                Ok(TimerLook::NotDue)
            }
            Decision::Run(slot) => {
                let claimed = known.claimed(slot, &self.name, since);
                if !self.write(claimed, version.as_ref()).await? {
                    return Ok(TimerLook::NotDue);
                }
                let turn = Turn {
                    timer,
                    rule,
                    slot,
                    since,
                    skew: since.duration_since(local),
                };
                self.take_turn(&turn, stop).await
            }
        }
    }

    async fn take_turn(&self, turn: &Turn, stop: &CancellationToken) -> Result<TimerLook> {
        tracing::info!(timer = %turn.timer, slot = %turn.slot, "timer is due");
        let outcome = tokio::select! {
            biased;
            // On the heap: a run holds a lot, and whoever looks at a timer would hold it as well.
            outcome = Box::pin(self.work(turn.timer, stop)) => outcome,
            () = self.keep_claim(turn) => return Ok(TimerLook::TakenOver),
        };
        match outcome {
            Ok(Some(finished)) => {
                let outcome = finished.outcome;
                let is_noted = self.note_end(turn, finished).await?;
                Ok(if is_noted {
                    TimerLook::Ran(outcome)
                } else {
                    TimerLook::TakenOver
                })
            }
            Ok(None) => {
                let give_back = |state: TimerState| state.given_back(&self.name);
                self.change(turn.timer, give_back).await?;
                Ok(TimerLook::Owed)
            }
            Err(error) => {
                let failed = Finished {
                    outcome: TimerOutcome::Failed,
                    message: error.to_string(),
                    counts: BTreeMap::new(),
                };
                if let Err(second) = self.note_end(turn, failed).await {
                    tracing::warn!(timer = %turn.timer, error = %second, "the failure cannot be noted");
                }
                Err(error)
            }
        }
    }

    /// Does what a timer is for. Nothing is given when it is still owed.
    async fn work(&self, timer: Timer, stop: &CancellationToken) -> Result<Option<Finished>> {
        match timer {
            Timer::Retention => self.expire(stop).await,
            Timer::Health => tokio::select! {
                biased;
                () = stop.cancelled() => Ok(None),
                report = self.report_health() => report.map(Some),
            },
            // Every scheduler ticks by itself.
            Timer::Planning => Ok(None),
        }
    }

    async fn report_health(&self) -> Result<Finished> {
        let report = examine(&self.installation).await?;
        self.installation.repositories.health.put(&report).await?;
        let complaints = report.complaints();
        let status = report.status.as_str();
        if report.status == HealthStatus::Healthy {
            tracing::info!("the installation is healthy");
        } else {
            tracing::warn!(status, complaints, "the installation is not healthy");
        }
        self.note_checkpoint().await;
        self.clean_secrets().await;
        Ok(Finished {
            outcome: TimerOutcome::Done,
            message: complaints.map_or_else(
                || status.to_owned(),
                |complaints| format!("{status}: {complaints}"),
            ),
            counts: BTreeMap::new(),
        })
    }

    /// Logs where the audit log ends now: a log is kept elsewhere than the tables, and so shows
    /// later whether they were put back.
    async fn note_checkpoint(&self) {
        match self.installation.repositories.audit.checkpoint().await {
            Ok(Some(checkpoint)) => {
                tracing::info!(audit.checkpoint = %checkpoint, "the audit log ends here");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the end of the audit log cannot be read"),
        }
    }

    /// Renews the claim on a run. Ends when the claim is lost.
    async fn keep_claim(&self, turn: &Turn) {
        let third = Duration::try_from(TIMER_LEASE / 3).unwrap_or_default();
        loop {
            tokio::time::sleep(third).await;
            let now = self.now(turn);
            let renew = |state: TimerState| state.renewed(&self.name, now);
            match self.change(turn.timer, renew).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(timer = %turn.timer, %error, "the claim cannot be renewed");
                }
            }
        }
    }

    /// Notes how a run ended. `false` when the claim on it was lost.
    async fn note_end(&self, turn: &Turn, finished: Finished) -> Result<bool> {
        let now = self.now(turn);
        let run = TimerRun {
            slot: turn.slot,
            started_at: turn.since,
            ended_at: now,
            outcome: finished.outcome,
            message: finished.message.chars().take(1000).collect(),
            counts: finished.counts,
        };
        let next = turn.rule.map_or(now, |rule| rule.next(now));
        let end = |state: TimerState| state.ended(&self.name, run.clone(), next);
        self.change(turn.timer, end).await
    }

    /// The time by the store's clock.
    fn now(&self, turn: &Turn) -> Timestamp {
        let now = self.installation.clock.now();
        now.saturating_add(turn.skew).unwrap_or(now)
    }

    /// Changes a state as long as `change` wants to. `false` when it does not, or the row is gone.
    async fn change(
        &self,
        timer: Timer,
        change: impl Fn(TimerState) -> Option<TimerState>,
    ) -> Result<bool> {
        for _ in 0..RACES {
            let stored = self.installation.repositories.timers.get(&timer).await?;
            let Some(Versioned { value, version }) = stored else {
                return Ok(false);
            };
            let Some(changed) = change(value) else {
                return Ok(false);
            };
            if self.write(changed, Some(&version)).await? {
                return Ok(true);
            }
        }
        Err(Error::Conflict(format!(
            "the state of timer '{timer}' changes faster than it can be written"
        )))
    }

    /// Writes a state in the version that was read. `false` when somebody was faster.
    pub(crate) async fn write(&self, state: TimerState, version: Option<&Version>) -> Result<bool> {
        let timers = &self.installation.repositories.timers;
        let written = match version {
            Some(version) => timers.replace(state, version).await,
            None => timers.insert(state).await,
        };
        match written {
            Ok(_) => Ok(true),
            Err(error) if is_lost_race(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that a tick is done, for those who ask whether a scheduler lives.
    pub(crate) async fn note_tick(&self, started_at: Timestamp, report: &TickReport) {
        let ended_at = self.installation.clock.now();
        let run = TimerRun {
            slot: started_at,
            started_at,
            ended_at,
            outcome: report.outcome(),
            message: report.to_string(),
            counts: BTreeMap::new(),
        };
        let next = TimerRule::every(self.installation.settings.tick).next(ended_at);
        let state = TimerState::after(Timer::Planning, run, next);
        let timers = &self.installation.repositories.timers;
        let noted = async {
            let stored = timers.get(&Timer::Planning).await?;
            self.write(state, stored.as_ref().map(|row| &row.version))
                .await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the tick is done, but cannot be noted");
        }
    }
}

fn is_lost_race(error: &StorageError) -> bool {
    matches!(
        error.kind(),
        StorageErrorKind::PreconditionFailed
            | StorageErrorKind::AlreadyExists
            | StorageErrorKind::NotFound
    )
}

/// How long a timer that failed so often in a row is left alone: twice as long each time.
fn pause(sweep: Duration, failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
    sweep.saturating_mul(factor).min(LONGEST_PAUSE.max(sweep))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_fails_is_tried_less_and_less_often_and_every_ten_minutes_at_least() {
        let sweep = Duration::from_secs(30);
        let pauses = [0, 1, 2, 3, 4, 5, 6, 100].map(|failures| pause(sweep, failures).as_secs());
        assert_eq!(pauses, [30, 30, 60, 120, 240, 480, 600, 600]);
        let hourly = Duration::from_hours(1);
        assert_eq!(pause(hourly, 5), hourly);
    }
}
