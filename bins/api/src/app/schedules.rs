//! Schedules: the timetable of a database, and what a policy will do.

use dilux_core::Result;
use dilux_core::model::{BackupPolicy, DatabaseId, PolicyId};
use dilux_core::repository::Versioned;
use dilux_core::schedule::{Run, next_runs};
use dilux_core::timetable::{TIMETABLE_RUNS, Timetable};

use super::Application;

impl Application {
    /// The timetable of a database.
    pub(crate) async fn view_schedule(&self, id: &DatabaseId) -> Result<Timetable> {
        Timetable::read(&self.installation, id).await
    }

    /// The next runs of a policy, for a database whose backups are all up to date.
    pub(crate) async fn preview_policy(
        &self,
        id: &PolicyId,
    ) -> Result<(Versioned<BackupPolicy>, Vec<Run>)> {
        let (policy, _) = self.view_policy(id).await?;
        let now = self.installation.clock.now();
        let runs = next_runs(&policy.value, now, TIMETABLE_RUNS);
        Ok((policy, runs))
    }
}
