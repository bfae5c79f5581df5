//! The processes of the installation.

use std::time::Duration;

use dilux_core::Result;
use dilux_core::component::{Component, ComponentKind};
use dilux_core::repository::DamagedRow;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Application;

/// The processes of the installation.
#[derive(Debug)]
pub(crate) struct ComponentsView {
    /// By kind, the youngest first.
    pub(crate) items: Vec<Component>,
    /// Rows that cannot be read.
    pub(crate) damaged: Vec<DamagedRow>,
    /// Now.
    pub(crate) now: Timestamp,
    /// Time between two heartbeats.
    pub(crate) heartbeat: Duration,
}

impl Application {
    /// The processes that live, and those that fell silent in the last day.
    pub(crate) async fn view_components(&self) -> Result<ComponentsView> {
        let listing = self.installation.repositories.components.list().await?;
        let mut items: Vec<Component> = listing.items.into_iter().map(|row| row.value).collect();
        items.sort_by(|one, other| {
            let kinds = one.kind.cmp(&other.kind);
            kinds.then(other.started_at.cmp(&one.started_at))
        });
        Ok(ComponentsView {
            items,
            damaged: listing.damaged,
            now: self.installation.clock.now(),
            heartbeat: self.installation.settings.heartbeat,
        })
    }

    /// Notes that this process lives until `stop`.
    pub(crate) async fn keep_alive(&self, stop: &CancellationToken) {
        let version = env!("CARGO_PKG_VERSION");
        let component = Component::starting(&self.installation, ComponentKind::Api, version);
        let component = self.drivers.describe(component);
        component.keep_alive(&self.installation, stop).await;
    }
}
