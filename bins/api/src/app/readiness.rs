//! Whether the stores answer.

use dilux_core::secret::SecretName;
use dilux_core::storage::StorageError;
use dilux_core::{Error, Result};

use super::Application;

impl Application {
    /// Whether the stores are embedded ones, on this machine.
    pub(crate) fn is_embedded(&self) -> bool {
        self.installation.storage.embedded.is_some()
    }

    /// Asks each store something small. Fails with the name of the first that does not answer.
    pub(crate) async fn check_stores(&self) -> Result<()> {
        let (storage, settings) = (&self.installation.storage, &self.installation.settings);
        let tables = self.installation.repositories.settings.get().await;
        tables.map_err(|error| silent("tables", error))?;
        let queue = storage.queues.approximate_count(&settings.queue).await;
        queue.map_err(|error| silent("queue", error))?;
        let blobs = storage.blobs.list(&settings.container, "", 1, None).await;
        blobs.map_err(|error| silent("blobs", error))?;
        // There is no such secret: a store that says so answers.
        let probe = SecretName::new("dilux-readiness")?;
        let secret = storage.secrets.get(&probe).await;
        secret.map_err(|error| silent("secrets", error))?;
        Ok(())
    }
}

fn silent(store: &str, error: StorageError) -> Error {
    Error::Unavailable {
        message: format!("the store of {store} does not answer"),
        retry_after: error.retry_after(),
        source: Some(Box::new(error)),
    }
}
