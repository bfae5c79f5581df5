//! Retention, as the scheduler carries it out once a day.

use dilux_core::Result;
use dilux_core::expiry::{Expiry, ExpiryReport};

use crate::Scheduler;

impl Scheduler {
    /// One run of retention over all databases. An error means that storage did not answer or that
    /// a clock is wrong; then nothing more is decided until the next run.
    pub async fn expire(&self) -> Result<ExpiryReport> {
        let report = Expiry::new(self.installation.clone()).run().await?;
        tracing::info!(
            elsewhere = report.is_elsewhere,
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
        Ok(report)
    }
}
