//! The worker service: takes messages from the queue, claims their jobs and runs them.
//!
//! The job row is the truth. A message is a doorbell: losing or doubling one does no harm.

mod backup;
mod bookkeeping;
mod claim;
mod entry;
mod inbox;
mod keeper;
mod leftovers;
mod restore;
mod run;
mod subject;
mod timing;
mod verify;

use std::sync::Arc;

use dilux_core::component::{Component, ComponentKind};
use dilux_core::installation::Installation;
use dilux_core::model::WorkerId;
use dilux_drivers::Drivers;
use dilux_pipeline::{Pipeline, Tuning};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A worker process: as many jobs at once as the settings allow.
#[derive(Debug, Clone)]
pub struct Processor {
    installation: Installation,
    drivers: Arc<Drivers>,
    pipeline: Pipeline,
    worker: WorkerId,
}

impl Processor {
    /// A processor with an id of its own.
    pub fn new(installation: Installation, drivers: Arc<Drivers>) -> Self {
        let worker = WorkerId::random(&*installation.random);
        let pipeline = Pipeline::new(
            installation.storage.blobs.clone(),
            installation.random.clone(),
        );
        Self {
            installation,
            drivers,
            pipeline,
            worker,
        }
    }

    /// The same processor, moving bytes in other sizes or ways.
    #[must_use]
    pub fn with_tuning(mut self, tuning: Tuning) -> Self {
        self.pipeline = self.pipeline.with_tuning(tuning);
        self
    }

    /// Works until `shutdown`; then finishes or gives back what it runs, within the grace time.
    pub async fn run(self, shutdown: CancellationToken) {
        let slots = self.installation.settings.worker.slots;
        tracing::info!(worker.id = %self.worker, worker.slots = slots, "processor is ready");
        let mut workers = JoinSet::new();
        let (this, stop) = (self.clone(), shutdown.clone());
        workers.spawn(async move { this.keep_alive(&stop).await });
        for slot in 1..=slots {
            let mut processor = self.clone();
            processor.worker = self.worker.in_slot(slot);
            workers.spawn(inbox::work(Arc::new(processor), shutdown.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "worker slot ended by a defect");
            }
        }
        tracing::info!("processor has stopped");
    }

    async fn keep_alive(&self, stop: &CancellationToken) {
        let version = env!("CARGO_PKG_VERSION");
        let component = Component::starting(&self.installation, ComponentKind::Processor, version);
        let component = Component {
            slots: u32::try_from(self.installation.settings.worker.slots).ok(),
            ..self.drivers.describe(component)
        };
        component.keep_alive(&self.installation, stop).await;
    }
}
