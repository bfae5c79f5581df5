//! The new database of a restore: dropped again unless the restore keeps it.

use std::sync::Arc;

use async_trait::async_trait;
use dilux_core::model::DatabaseName;
use dilux_core::transfer::{Failure, FailureKind};

use crate::process::escape_controls;

/// A database that a driver made on its server.
#[async_trait]
pub(crate) trait NewDatabase: Send + Sync {
    /// Its name.
    fn name(&self) -> &DatabaseName;

    /// Gives it what a dump does not hold, once the data is in.
    async fn complete(&self) -> Result<(), Failure>;

    /// Drops it on the server, whoever still works in it.
    async fn drop_on_server(&self) -> Result<(), Failure>;
}

/// A database that this restore created. Dropped as a value without [`Created::keep`] or
/// [`Created::drop_database`], it is dropped on the server in the background.
pub(crate) struct Created {
    database: Arc<dyn NewDatabase>,
    is_ours: bool,
}

impl Created {
    /// Takes charge of it.
    pub(crate) fn new(database: impl NewDatabase + 'static) -> Self {
        Self {
            database: Arc::new(database),
            is_ours: true,
        }
    }

    /// Gives it what a dump does not hold, once the data is in.
    pub(crate) async fn complete(&self) -> Result<(), Failure> {
        self.database.complete().await
    }

    /// The database is good: it stays.
    pub(crate) fn keep(mut self) {
        self.is_ours = false;
    }

    /// The database has served its purpose: drops it.
    pub(crate) async fn discard(mut self) -> Result<(), Failure> {
        self.is_ours = false;
        let name = escape_controls(self.database.name().as_str());
        self.database.drop_on_server().await.map_err(|left| {
            let message = format!(
                "everything was restored, but the database '{name}' that was made to try it could not be dropped ({left}): drop it by hand"
            );
            Failure::new(FailureKind::Configuration, message).with_detail(left.detail)
        })
    }

    /// Drops the database and adds to `failure` whether that worked.
    pub(crate) async fn drop_database(mut self, failure: Failure) -> Failure {
        self.is_ours = false;
        let name = escape_controls(self.database.name().as_str());
        let Failure {
            kind,
            message,
            detail,
        } = failure;
        let message = match self.database.drop_on_server().await {
            Ok(()) => format!("{message}; the new database '{name}' was dropped again"),
            Err(left) => format!(
                "{message}; the new database '{name}' is incomplete and could not be dropped ({left}): drop it by hand"
            ),
        };
        Failure {
            kind,
            message,
            detail,
        }
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        let database = self.database.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(failure) = database.drop_on_server().await {
                    let name = escape_controls(database.name().as_str());
                    tracing::error!(error = %failure, database.name = %name, "an abandoned restore left its database behind");
                }
            });
        }
    }
}

/// Why a database is not created over one that is there.
pub(crate) fn exists(name: &DatabaseName) -> Failure {
    let name = escape_controls(name.as_str());
    Failure::new(
        FailureKind::TargetExists,
        format!(
            "there is a database '{name}' already; restore under another name, or drop that one first"
        ),
    )
}
