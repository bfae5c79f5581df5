//! The processor as a process of its own.

use std::sync::Arc;

use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::storage::Profile;
use dilux_core::{service, telemetry};
use dilux_drivers::Drivers;
use dilux_process_plumbing::give_back_freed_blocks;
use dilux_processor::Processor;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    give_back_freed_blocks();
    let settings = Settings::from_environment()?;
    telemetry::start(&settings);
    let shutdown = service::shutdown_on_signal()?;
    let installation = Installation::open(settings, Profile::Worker)?;
    installation.prepare().await?;
    let drivers = Arc::new(Drivers::discover(&installation.settings).await);
    Processor::new(installation, drivers).run(shutdown).await;
    Ok(())
}
