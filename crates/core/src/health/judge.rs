//! From facts to verdicts. Pure.

use jiff::Timestamp;

use super::{HealthCheck, HealthFacts, HealthReport, HealthStatus};
use crate::timer::{Timer, TimerOutcome, TimerState};

/// Seconds that the clocks of machine and store may be apart; beyond, nothing expires, and slots
/// are at wrong times.
const MOST_SKEW_SECONDS: u64 = 300;

/// Percent of the backups of a day that must succeed.
const LEAST_SUCCESS: u64 = 90;

/// The verdict on each thing.
pub(super) fn checks(facts: &HealthFacts) -> Vec<HealthCheck> {
    let all = [
        ("storage", storage(facts)),
        ("clock", clock(facts)),
        ("databases", databases(facts)),
        ("backups", backups(facts)),
        ("jobs", jobs(facts)),
        ("dead_letters", dead_letters(facts)),
        ("changes", changes(facts)),
        ("rows", rows(facts)),
        ("retention", retention(facts)),
    ];
    let checks = all
        .into_iter()
        .map(|(name, (status, message))| HealthCheck {
            name: name.to_owned(),
            status,
            message,
        });
    checks.collect()
}

type Verdict = (HealthStatus, String);

fn healthy(message: impl Into<String>) -> Verdict {
    (HealthStatus::Healthy, message.into())
}

fn degraded(message: impl Into<String>) -> Verdict {
    (HealthStatus::Degraded, message.into())
}

fn unhealthy(message: impl Into<String>) -> Verdict {
    (HealthStatus::Unhealthy, message.into())
}

fn storage(facts: &HealthFacts) -> Verdict {
    if facts.silent_stores.is_empty() {
        return healthy("tables, queue and blobs answer");
    }
    let silent = facts
        .silent_stores
        .iter()
        .map(|silent| format!("{} ({})", silent.store, silent.reason));
    let silent: Vec<String> = silent.collect();
    unhealthy(format!("these do not answer: {}", silent.join(", ")))
}

fn clock(facts: &HealthFacts) -> Verdict {
    if let Some(doubt) = &facts.clock_doubt {
        return unhealthy(doubt.clone());
    }
    let skew = facts.clock_skew_seconds;
    let apart = format!(
        "the clocks of scheduler and store are {} s apart",
        skew.abs()
    );
    if skew.unsigned_abs() > MOST_SKEW_SECONDS {
        unhealthy(format!(
            "{apart}: backups start at wrong times, and nothing expires; set the clock"
        ))
    } else {
        healthy(apart)
    }
}

fn databases(facts: &HealthFacts) -> Verdict {
    let counts = &facts.databases;
    let message = format!(
        "{} enabled of {}: {} met their objective, {} at risk, {} breached; {} without objective, \
         {} failing",
        counts.enabled,
        counts.total,
        counts.met,
        counts.at_risk,
        counts.breached,
        counts.unknown,
        counts.failing
    );
    if counts.breached > 0 {
        unhealthy(message)
    } else if counts.at_risk > 0 {
        degraded(message)
    } else {
        healthy(message)
    }
}

fn backups(facts: &HealthFacts) -> Verdict {
    let counts = &facts.backups;
    let Some(percent) = counts.success_percent() else {
        return healthy("no backup was tried in the last 24 h");
    };
    let message = format!(
        "{percent} % of the backups of the last 24 h succeeded: {} completed, {} failed, {} missed",
        counts.completed, counts.failed, counts.missed
    );
    if percent < LEAST_SUCCESS {
        degraded(message)
    } else {
        healthy(message)
    }
}

fn jobs(facts: &HealthFacts) -> Verdict {
    let counts = &facts.jobs;
    if counts.stuck > 0 {
        return degraded(format!(
            "{} jobs have been due for more than an hour, and no worker has them: see that enough \
             processors run, and the limits on jobs",
            counts.stuck
        ));
    }
    healthy(format!(
        "{} wait, {} run, {} wait for another attempt",
        counts.waiting, counts.running, counts.retrying
    ))
}

fn dead_letters(facts: &HealthFacts) -> Verdict {
    match facts.dead_letters {
        0 => healthy("none"),
        count => degraded(format!(
            "{count} wait for a decision: requeue or discard them"
        )),
    }
}

fn changes(facts: &HealthFacts) -> Verdict {
    match facts.unfinished_changes {
        0 => healthy("every change that was begun today has a known result"),
        count => degraded(format!(
            "{count} changes of today were begun and have no known result: see 'dilux audit \
             unfinished', and look whether they were made"
        )),
    }
}

fn rows(facts: &HealthFacts) -> Verdict {
    match facts.damaged_rows {
        0 => healthy("every row can be read"),
        count => unhealthy(format!(
            "{count} rows cannot be read, and what they say is not done: mend or remove them"
        )),
    }
}

fn retention(facts: &HealthFacts) -> Verdict {
    let retention = &facts.retention;
    if !retention.is_on {
        return healthy("switched off: it runs by 'dilux retention run' only");
    }
    let last = retention.last.as_ref().map(|run| {
        let outcome = run.outcome.as_str();
        format!("the run of {} is {outcome}: {}", run.slot, run.message)
    });
    let outcome = retention.last.as_ref().map(|run| run.outcome);
    let is_well = !retention.is_late && matches!(outcome, None | Some(TimerOutcome::Done));
    let late = match retention.next {
        Some(next) if retention.is_late => format!("it has been due since {next}; "),
        _ => String::new(),
    };
    let message = format!(
        "{late}{}",
        last.unwrap_or_else(|| "it has not run yet".to_owned())
    );
    if is_well {
        healthy(message)
    } else {
        degraded(message)
    }
}

/// How an installation stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The verdict; `None` while nobody has looked.
    pub status: Option<HealthStatus>,
    /// Whether what is known is older than it may be: then no scheduler is at work.
    pub is_stale: bool,
    /// Why, for people.
    pub message: String,
}

/// How an installation stands at `now`, by its last report and by whether its schedulers live.
pub fn standing(report: Option<&HealthReport>, timers: &[TimerState], now: Timestamp) -> Standing {
    let is_late = |timer: &&TimerState| timer.timer != Timer::Retention && timer.is_late(now);
    let late: Vec<String> = timers.iter().filter(is_late).map(lateness).collect();
    if !late.is_empty() {
        return Standing {
            status: Some(HealthStatus::Unhealthy),
            is_stale: true,
            message: format!(
                "{}: see that a scheduler runs and reaches the storage",
                late.join("; ")
            ),
        };
    }
    let message = match report {
        None => "no scheduler has reported yet; its first report follows its start".to_owned(),
        Some(report) => report
            .complaints()
            .unwrap_or_else(|| "all is well".to_owned()),
    };
    Standing {
        status: report.map(|report| report.status),
        is_stale: false,
        message,
    }
}

fn lateness(state: &TimerState) -> String {
    let what = match state.timer {
        Timer::Planning => "no scheduler has planned backups",
        Timer::Retention => "retention has not run",
        Timer::Health => "nobody has looked at the health",
    };
    match &state.last {
        Some(run) => format!("{what} since {}", run.ended_at),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests;
