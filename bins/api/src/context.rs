//! What the service works with.

use std::sync::Arc;

use dilux_core::installation::Installation;
use dilux_drivers::Drivers;

/// The installation and the drivers. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Context {
    /// Settings, stores, repositories, clock.
    pub installation: Installation,
    /// Drivers of the engine types.
    pub drivers: Arc<Drivers>,
}

impl Context {
    /// A context over a prepared installation.
    pub fn new(installation: Installation, drivers: Arc<Drivers>) -> Self {
        Self {
            installation,
            drivers,
        }
    }
}
