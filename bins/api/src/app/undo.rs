//! Taking back what a change of several steps has done, when a later step fails.

use dilux_core::Result;
use dilux_core::model::{Engine, EngineId};
use dilux_core::repository::{Version, Versioned};
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::StorageResult;

use super::Application;

/// One step and how to take it back.
#[derive(Debug)]
enum Step {
    /// A secret was written; this was there before.
    Secret(SecretName, Option<SecretValue>),
    /// An engine was registered.
    Engine(EngineId, Version),
}

/// The steps done so far.
#[derive(Debug)]
pub(super) struct Undo<'a> {
    app: &'a Application,
    steps: Vec<Step>,
}

impl<'a> Undo<'a> {
    /// Nothing done yet.
    pub(super) fn new(app: &'a Application) -> Self {
        Self {
            app,
            steps: Vec::new(),
        }
    }

    /// Writes a secret over what is there, unless it is the same.
    pub(super) async fn set_secret(
        &mut self,
        name: &SecretName,
        value: &SecretValue,
    ) -> Result<()> {
        let secrets = &self.app.installation.storage.secrets;
        let before = secrets.get(name).await?;
        if before
            .as_ref()
            .is_some_and(|it| it.expose() == value.expose())
        {
            return Ok(());
        }
        // Noted first: a write without an answer may have happened.
        self.steps.push(Step::Secret(name.clone(), before));
        secrets.set(name, value).await?;
        Ok(())
    }

    /// Registers an engine.
    pub(super) async fn insert_engine(&mut self, engine: Engine) -> Result<Versioned<Engine>> {
        let engines = &self.app.installation.repositories.engines;
        let stored = engines.insert(engine).await?;
        self.steps.push(Step::Engine(
            stored.value.id.clone(),
            stored.version.clone(),
        ));
        Ok(stored)
    }

    /// Hands `outcome` on, after taking everything back if it is a failure.
    pub(super) async fn settle<T>(mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            while let Some(step) = self.steps.pop() {
                if let Err(error) = self.take_back(&step).await {
                    tracing::error!(%error, ?step, "a failed change could not be taken back");
                }
            }
        }
        outcome
    }

    async fn take_back(&self, step: &Step) -> StorageResult<()> {
        let installation = &self.app.installation;
        match step {
            Step::Secret(name, Some(before)) => {
                installation.storage.secrets.set(name, before).await
            }
            Step::Secret(name, None) => installation.storage.secrets.delete(name).await,
            Step::Engine(id, version) => {
                installation.repositories.engines.delete(id, version).await
            }
        }
    }
}

impl Application {
    /// Deletes a secret that nothing refers to any more. A failure leaves it unused in the store,
    /// which harms nobody, and is noted in the log.
    pub(super) async fn forget_secret(&self, name: &SecretName) {
        if let Err(error) = self.installation.storage.secrets.delete(name).await {
            tracing::warn!(%error, secret = name.as_str(), "an unused secret could not be deleted");
        }
    }
}
