//! Retention, as the scheduler carries it out once a day.

use std::collections::BTreeMap;

use dilux_core::Result;
use dilux_core::expiry::{Expiry, ExpiryReport};
use dilux_core::timer::TimerOutcome;
use tokio_util::sync::CancellationToken;

use crate::Scheduler;
use crate::timers::Finished;

impl Scheduler {
    /// One run of retention over all databases, ended by `stop` wherever it is. Gives nothing when
    /// it was ended so, or when somebody else is at it: then it is still owed. An error means that
    /// storage did not answer or that a clock is wrong.
    pub(crate) async fn expire(&self, stop: &CancellationToken) -> Result<Option<Finished>> {
        let expiry = Expiry::new(self.installation.clone());
        let Some(report) = expiry.run_until(stop).await? else {
            tracing::info!("retention is interrupted, and goes on at the next start");
            return Ok(None);
        };
        if report.is_elsewhere {
            tracing::info!("somebody else carries out retention");
            return Ok(None);
        }
        tracing::info!(
            databases = report.databases,
            failed = report.failed,
            kept = report.kept,
            tombstoned = report.tombstoned,
            withdrawn = report.withdrawn,
            waiting = report.waiting,
            deleted = report.deleted,
            blocked = report.blocked,
            over_budget = report.over_budget,
            damaged = report.damaged,
            orphans = report.orphans,
            "retention is done"
        );
        // The numbers of the dashboard are looked over once a day too. What fails here fails
        // nothing else.
        match self.installation.recount_tallies(stop).await {
            Ok(recount) => tracing::info!(
                databases = recount.databases,
                mended = recount.mended.len(),
                failed = recount.failed,
                "histories are counted"
            ),
            Err(error) => tracing::warn!(%error, "histories could not be counted"),
        }
        Ok(Some(finished(&report)))
    }
}

fn finished(report: &ExpiryReport) -> Finished {
    let outcome = if report.failed == 0 {
        TimerOutcome::Done
    } else {
        TimerOutcome::Partial
    };
    let counts = [
        (report.kept, "backups stay"),
        (report.tombstoned, "are announced"),
        (report.waiting, "wait for their time"),
        (report.deleted, "are deleted"),
        (report.blocked, "are being read"),
        (report.over_budget, "wait because the budget is used up"),
        (report.damaged, "are newly damaged"),
        (
            report.failed,
            "databases could not be looked at, for reasons in the log of the scheduler",
        ),
    ];
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let mut message = format!("{} databases", report.databases);
    for (count, what) in told {
        message = format!("{message}, {count} {what}");
    }
    Finished {
        outcome,
        message,
        counts: in_numbers(report),
    }
}

/// The counts of a run, by the names that the API shows.
fn in_numbers(report: &ExpiryReport) -> BTreeMap<String, u64> {
    let counts = [
        ("databases", report.databases),
        ("failed", report.failed),
        ("kept", report.kept),
        ("announced", report.tombstoned),
        ("withdrawn", report.withdrawn),
        ("waiting", report.waiting),
        ("deleted", report.deleted),
        ("blocked", report.blocked),
        ("over_budget", report.over_budget),
        ("damaged", report.damaged),
        ("orphans", report.orphans),
    ];
    BTreeMap::from(counts.map(|(name, count)| (name.to_owned(), count)))
}
