//! The drivers as the settings of an installation want them.

use dilux_core::config::Settings;

use crate::drivers::{DriverSettings, Drivers};
use crate::process::Deadlines;
use crate::tools::{ToolSearch, Tools};

impl Drivers {
    /// The drivers over the client tools of this machine, with the installation's deadlines.
    pub async fn discover(settings: &Settings) -> Self {
        let search = if settings.tool_path.is_empty() {
            ToolSearch::with_usual_places("")
        } else {
            ToolSearch::only(&settings.tool_path)
        };
        let deadlines = Deadlines {
            first_byte: settings.deadlines.first_byte,
            stall: settings.deadlines.stall,
            total: settings.deadlines.total,
            ..Deadlines::default()
        };
        let driver_settings = DriverSettings {
            deadlines,
            networks: settings.allowed_networks.clone(),
            ..DriverSettings::default()
        };
        Self::new(Tools::discover(&search).await, &driver_settings)
    }
}
