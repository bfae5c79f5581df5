//! The configuration as a whole: export, and import of what another installation exported.

mod apply;
mod databases;
mod engines;
mod plan;
mod policies;

use dilux_core::model::{AppSettings, BackupPolicy, Database, Engine};
use dilux_core::repository::{DamagedRow, Listing, Versioned};
use dilux_core::{Error, Result};

pub(crate) use plan::{ImportAction, ImportPlan, PlannedItem};

use super::Application;
use crate::caller::Caller;
use crate::wire::configuration::ConfigurationImport;
use plan::Present;

/// Everything that an installation is told to do.
#[derive(Debug)]
pub(crate) struct ConfigurationView {
    /// The settings.
    pub(crate) settings: AppSettings,
    /// By id.
    pub(crate) policies: Vec<BackupPolicy>,
    /// By id.
    pub(crate) engines: Vec<Engine>,
    /// By id.
    pub(crate) databases: Vec<Database>,
    /// Rows that cannot be read.
    pub(crate) damaged: Vec<DamagedRow>,
}

impl Application {
    /// The configuration.
    pub(crate) async fn export_configuration(&self) -> Result<ConfigurationView> {
        let repositories = &self.installation.repositories;
        let (settings, _) = self.view_settings().await?;
        let mut damaged = Vec::new();
        Ok(ConfigurationView {
            settings,
            policies: values(repositories.policies.list().await?, &mut damaged),
            engines: values(repositories.engines.list().await?, &mut damaged),
            databases: values(repositories.databases.list().await?, &mut damaged),
            damaged,
        })
    }

    /// Brings about what a document says, unless it is only asked what that would change. Nothing
    /// is changed when an entry cannot be brought about; nothing is ever deleted. After a failure in
    /// the middle the same document brings about the rest.
    pub(crate) async fn import_configuration(
        &self,
        import: &ConfigurationImport,
        dry_run: bool,
        caller: &Caller,
    ) -> Result<ImportPlan> {
        // Names are looked for and taken in one go.
        let turn = self.registration.take().await?;
        self.require_no_removal().await?;
        let present = self.present_configuration().await?;
        let now = self.installation.clock.now();
        let plan = ImportPlan::new(self, import, present, (now, caller));
        if dry_run {
            return Ok(plan);
        }
        let conflicts = plan.conflicts();
        if !conflicts.is_empty() {
            return Err(Error::Invalid(conflicts));
        }
        self.carry_out(&plan, &turn, caller).await?;
        Ok(plan)
    }

    async fn present_configuration(&self) -> Result<Present> {
        let repositories = &self.installation.repositories;
        Ok(Present {
            settings: repositories.settings.get().await?,
            policies: repositories.policies.list().await?.items,
            engines: repositories.engines.list().await?.items,
            databases: repositories.databases.list().await?.items,
        })
    }
}

/// The good rows of a listing, which is in the order of ids; the others are noted.
fn values<T>(listing: Listing<Versioned<T>>, damaged: &mut Vec<DamagedRow>) -> Vec<T> {
    damaged.extend(listing.damaged);
    listing.items.into_iter().map(|row| row.value).collect()
}
