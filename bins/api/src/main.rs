//! The API as a process of its own.

use std::sync::Arc;

use anyhow::Context as _;
use dilux_api::{Context, check_address, serve};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::storage::Profile;
use dilux_core::{service, telemetry};
use dilux_drivers::Drivers;
use dilux_process_plumbing::give_back_freed_blocks;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    give_back_freed_blocks();
    let settings = Settings::from_environment()?;
    telemetry::start(&settings);
    let address = settings.api_address;
    check_address(address)?;
    let shutdown = service::shutdown_on_signal()?;
    let installation = Installation::open(settings, Profile::Interactive)?;
    installation.prepare().await?;
    let drivers = Arc::new(Drivers::discover(&installation.settings).await);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    serve(Context::new(installation, drivers), listener, shutdown).await
}
