//! The health of the installation, as the schedulers reported it, and whether they live.

use dilux_core::Result;
use dilux_core::health::{HealthReport, Standing, standing};
use dilux_core::timer::TimerState;
use jiff::Timestamp;

use super::Application;

/// The health of the installation.
#[derive(Debug)]
pub(crate) struct HealthView {
    /// How it stands now.
    pub(crate) standing: Standing,
    /// The newest report.
    pub(crate) report: Option<HealthReport>,
    /// The timers, by name.
    pub(crate) timers: Vec<TimerState>,
    /// Now.
    pub(crate) now: Timestamp,
}

impl Application {
    /// The health of the installation, from what is stored and the clock alone, so that a dead
    /// scheduler shows.
    pub(crate) async fn view_health(&self) -> Result<HealthView> {
        let repositories = &self.installation.repositories;
        let report = repositories.health.latest().await?;
        let timers = repositories.timers.list().await?.items;
        let timers: Vec<TimerState> = timers.into_iter().map(|row| row.value).collect();
        let now = self.installation.clock.now();
        Ok(HealthView {
            standing: standing(report.as_ref(), &timers, now),
            report,
            timers,
            now,
        })
    }
}
