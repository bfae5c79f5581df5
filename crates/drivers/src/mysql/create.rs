//! The new database of a restore: made, and dropped again when the restore fails.

use dilux_core::model::{DatabaseName, DatabaseTraits};
use dilux_core::transfer::{Failure, FailureKind};

use super::MySqlDriver;
use super::session::{Session, identifier, literal};
use crate::driver::Target;
use crate::process::escape_controls;

/// A database that this restore created. Dropped as a value without [`Created::keep`] or
/// [`Created::drop_database`], it is dropped on the server in the background.
pub(super) struct Created {
    driver: MySqlDriver,
    target: Target,
    pub(super) name: DatabaseName,
    is_ours: bool,
}

impl Created {
    /// Creates the database; the server itself refuses one that exists.
    pub(super) async fn new(
        driver: &MySqlDriver,
        target: &Target,
        (name, traits): (&DatabaseName, &DatabaseTraits),
    ) -> Result<Self, Failure> {
        let session = driver.session(target);
        session
            .rows(None, &create_statement(name, traits))
            .await
            .map_err(|failure| {
                if failure.detail.contains("ERROR 1007 (") {
                    exists(name)
                } else {
                    failure
                }
            })?;
        let (driver, target) = (driver.clone(), target.clone());
        Ok(Self {
            driver,
            target,
            name: name.clone(),
            is_ours: true,
        })
    }

    /// The database is good: it stays.
    pub(super) fn keep(mut self) {
        self.is_ours = false;
    }

    /// Drops the database and adds to `failure` whether that worked.
    pub(super) async fn drop_database(mut self, failure: Failure) -> Failure {
        self.is_ours = false;
        let name = escape_controls(self.name.as_str());
        let Failure {
            kind,
            message,
            detail,
        } = failure;
        let message = match drop_by_name(&self.driver, &self.target, &self.name).await {
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
        let (driver, target, name) = (self.driver.clone(), self.target.clone(), self.name.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(failure) = drop_by_name(&driver, &target, &name).await {
                    tracing::error!(error = %failure, database.name = %escape_controls(name.as_str()), "an abandoned restore left its database behind");
                }
            });
        }
    }
}

async fn drop_by_name(
    driver: &MySqlDriver,
    target: &Target,
    name: &DatabaseName,
) -> Result<(), Failure> {
    let session = driver.session(target);
    // Without it the drop only waits longer.
    end_sessions(&session, name).await.ok();
    let statement = format!("DROP DATABASE {};\n", identifier(name.as_str()));
    session.rows(None, &statement).await.map(drop)
}

/// Ends what still works in the database: the session of a killed client lives on until the
/// server looks at its connection, and holds locks till then.
async fn end_sessions(session: &Session<'_>, name: &DatabaseName) -> Result<(), Failure> {
    let query = format!(
        "SELECT id FROM information_schema.processlist WHERE db = {} AND id <> CONNECTION_ID();\n",
        literal(name.as_str())
    );
    for id in session.rows(None, &query).await?.into_iter().flatten() {
        if let Ok(id) = id.parse::<u64>() {
            // It may have gone by itself.
            session.rows(None, &format!("KILL {id};\n")).await.ok();
        }
    }
    Ok(())
}

fn create_statement(name: &DatabaseName, traits: &DatabaseTraits) -> String {
    let option = |keyword: &str, name: &str| {
        traits
            .get(name)
            .map(|value| format!(" {keyword} {}", literal(value)))
            .unwrap_or_default()
    };
    let (character_set, collation) = (
        option("CHARACTER SET", "character_set"),
        option("COLLATE", "collation"),
    );
    format!(
        "CREATE DATABASE {}{character_set}{collation};\n",
        identifier(name.as_str())
    )
}

fn exists(name: &DatabaseName) -> Failure {
    let name = escape_controls(name.as_str());
    Failure::new(
        FailureKind::TargetExists,
        format!(
            "there is a database '{name}' already; restore under another name, or drop that one first"
        ),
    )
}
