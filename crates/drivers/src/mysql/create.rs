//! The new database of a restore: made, and dropped by its name.

use async_trait::async_trait;
use dilux_core::model::{DatabaseName, DatabaseTraits};
use dilux_core::transfer::Failure;

use super::MySqlDriver;
use super::session::{Session, identifier, literal};
use crate::created::{Created, NewDatabase, exists};
use crate::driver::Target;

struct MySqlDatabase {
    driver: MySqlDriver,
    target: Target,
    name: DatabaseName,
}

/// Creates the database; the server itself refuses one that exists.
pub(super) async fn create(
    driver: &MySqlDriver,
    target: &Target,
    (name, traits): (&DatabaseName, &DatabaseTraits),
) -> Result<Created, Failure> {
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
    Ok(Created::new(MySqlDatabase {
        driver: driver.clone(),
        target: target.clone(),
        name: name.clone(),
    }))
}

#[async_trait]
impl NewDatabase for MySqlDatabase {
    fn name(&self) -> &DatabaseName {
        &self.name
    }

    /// Its traits are given to it when it is made.
    async fn complete(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn drop_on_server(&self) -> Result<(), Failure> {
        let target = self.target.renewed().await?;
        let session = self.driver.session(&target);
        // Without it the drop only waits longer.
        end_sessions(&session, &self.name).await.ok();
        let statement = format!("DROP DATABASE {};\n", identifier(self.name.as_str()));
        session.rows(None, &statement).await.map(drop)
    }
}

/// Drops a database by its name, whoever still works in it.
pub(super) async fn drop_if_there(
    session: &Session<'_>,
    name: &DatabaseName,
) -> Result<(), Failure> {
    end_sessions(session, name).await.ok();
    let statement = format!("DROP DATABASE IF EXISTS {};\n", identifier(name.as_str()));
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
