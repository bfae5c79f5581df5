//! `dilux up`: the three services in one process, one Ctrl-C.

use std::sync::Arc;

use anyhow::Context as _;
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::storage::Profile;
use dilux_core::{service, telemetry};
use dilux_drivers::Drivers;
use dilux_processor::Processor;
use dilux_scheduler::Scheduler;
use tokio::task::JoinSet;

pub(crate) async fn run() -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    telemetry::start(&settings);
    let shutdown = service::shutdown_on_signal()?;
    // The services share nothing but storage here too; only their patience differs.
    let worker = Installation::open(settings.clone(), Profile::Worker)?;
    let interactive = Installation::open(settings, Profile::Interactive)?;
    worker.prepare().await?;
    let drivers = Arc::new(Drivers::discover(&worker.settings).await);
    dilux_api::check_address(worker.settings.api_address)?;
    let listener = tokio::net::TcpListener::bind(worker.settings.api_address)
        .await
        .with_context(|| format!("listen on {}", worker.settings.api_address))?;
    let mut services = JoinSet::new();
    let api = dilux_api::Context::new(interactive, drivers.clone());
    services.spawn(dilux_api::serve(api, listener, shutdown.clone()));
    services.spawn({
        let scheduler = Scheduler::new(worker.clone());
        let shutdown = shutdown.clone();
        async move {
            scheduler.run(shutdown).await;
            Ok(())
        }
    });
    services.spawn({
        let processor = Processor::new(worker, drivers);
        let shutdown = shutdown.clone();
        async move {
            processor.run(shutdown).await;
            Ok(())
        }
    });
    let mut outcome = Ok(());
    while let Some(ended) = services.join_next().await {
        // One service down means that all go down: half an installation protects nobody.
        shutdown.cancel();
        if outcome.is_ok() {
            outcome = ended.map_err(anyhow::Error::from).and_then(|result| result);
        }
    }
    outcome
}
