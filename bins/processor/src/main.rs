//! The processor as a process of its own.

use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::storage::Profile;
use dilux_core::{service, telemetry};
use dilux_processor::{Processor, discover_drivers};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    telemetry::start(&settings);
    let shutdown = service::shutdown_on_signal()?;
    let installation = Installation::open(settings, Profile::Worker)?;
    installation.prepare().await?;
    let drivers = discover_drivers(&installation.settings).await;
    Processor::new(installation, drivers).run(shutdown).await;
    Ok(())
}
