//! The new database of a restore: made, finished, and dropped by its oid.

use async_trait::async_trait;
use dilux_core::model::{DatabaseName, DatabaseTraits};
use dilux_core::transfer::{Failure, FailureKind};
use serde::Deserialize;

use super::PostgreSqlDriver;
use super::dump::SETTING;
use super::session::{Session, identifier, literal};
use crate::created::{Created, NewDatabase, exists};
use crate::driver::Target;

struct PostgreSqlDatabase {
    driver: PostgreSqlDriver,
    target: Target,
    name: DatabaseName,
    traits: DatabaseTraits,
    /// Survives renames, so that nobody else's database is ever dropped.
    oid: u32,
}

#[derive(Debug, Deserialize)]
struct OidRow {
    oid: u32,
}

/// Creates the database.
pub(super) async fn create(
    driver: &PostgreSqlDriver,
    target: &Target,
    (name, traits): (&DatabaseName, &DatabaseTraits),
) -> Result<Created, Failure> {
    let session = driver.session(target);
    let literal_name = literal(name.as_str());
    let find = format!(
        "SELECT json_build_object('oid', oid::bigint) FROM pg_database WHERE datname = {literal_name};\n"
    );
    let existing: Vec<OidRow> = session.maintenance_rows(&find).await?;
    if !existing.is_empty() {
        return Err(exists(name));
    }
    let script = format!("{}{find}", create_statement(name, traits));
    let row: OidRow = session
        .maintenance_row(&script)
        .await
        .map_err(|failure| refused(name, failure))?;
    Ok(Created::new(PostgreSqlDatabase {
        driver: driver.clone(),
        target: target.clone(),
        name: name.clone(),
        traits: traits.clone(),
        oid: row.oid,
    }))
}

#[async_trait]
impl NewDatabase for PostgreSqlDatabase {
    fn name(&self) -> &DatabaseName {
        &self.name
    }

    /// Settings and comment. After the data, as a setting such as a read-only default would stand
    /// in the way.
    async fn complete(&self) -> Result<(), Failure> {
        let name = identifier(self.name.as_str());
        let mut script = Vec::new();
        for (key, value) in &self.traits {
            let Some(setting) = key.strip_prefix(SETTING) else {
                continue;
            };
            let (quoted, text, value) = (identifier(setting), literal(setting), literal(value));
            // By way of the transaction, as lists such as a search path have a syntax of their own.
            script.push(format!(
                "SELECT set_config({text}, {value}, true) \\g /dev/null\n"
            ));
            script.push(format!(
                "ALTER DATABASE {name} SET {quoted} FROM CURRENT;\n"
            ));
        }
        if let Some(comment) = self.traits.get("comment") {
            script.push(format!(
                "COMMENT ON DATABASE {name} IS {};\n",
                literal(comment)
            ));
        }
        if script.is_empty() {
            return Ok(());
        }
        let target = self.target.renewed().await?;
        let session = self.driver.session(&target);
        session
            .maintenance_rows::<serde_json::Value>(&format!("BEGIN;\n{}COMMIT;\n", script.concat()))
            .await
            .map(|_nothing| ())
    }

    /// Whatever its name is by now. A killed client's session may still be at work in it.
    async fn drop_on_server(&self) -> Result<(), Failure> {
        let script = format!(
            "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE oid = {} \\gexec\n",
            self.oid
        );
        let target = self.target.renewed().await?;
        let session = self.driver.session(&target);
        session
            .maintenance_rows::<serde_json::Value>(&script)
            .await
            .map(|_nothing| ())
    }
}

/// Drops a database by its name, whoever still works in it.
pub(super) async fn drop_if_there(
    session: &Session<'_>,
    name: &DatabaseName,
) -> Result<(), Failure> {
    let name = literal(name.as_str());
    let script = format!(
        "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname = {name} \\gexec\n"
    );
    session
        .maintenance_rows::<serde_json::Value>(&script)
        .await
        .map(|_nothing| ())
}

fn create_statement(name: &DatabaseName, traits: &DatabaseTraits) -> String {
    let option = |keyword: &str, name: &str| {
        traits
            .get(name)
            .map(|value| format!(" {keyword} {}", literal(value)))
            .unwrap_or_default()
    };
    let locale = match traits.get("provider").map(String::as_str) {
        Some("i") => [
            " LOCALE_PROVIDER icu".to_owned(),
            option("ICU_LOCALE", "locale"),
            option("ICU_RULES", "icu_rules"),
        ]
        .concat(),
        Some("b") => [
            " LOCALE_PROVIDER builtin".to_owned(),
            option("BUILTIN_LOCALE", "locale"),
        ]
        .concat(),
        _ => String::new(),
    };
    let name = identifier(name.as_str());
    let encoding = option("ENCODING", "encoding");
    let collate = option("LC_COLLATE", "collate");
    let ctype = option("LC_CTYPE", "ctype");
    format!("CREATE DATABASE {name} TEMPLATE template0{encoding}{collate}{ctype}{locale};\n")
}

/// Why the server did not create it.
fn refused(name: &DatabaseName, failure: Failure) -> Failure {
    let words = &failure.detail;
    if words.contains("42P04") {
        return exists(name);
    }
    let is_locale = ["locale", "collation", "LC_COLLATE", "encoding", "provider"];
    if failure.kind == FailureKind::ToolFailed && is_locale.iter().any(|word| words.contains(word))
    {
        let message = format!(
            "the server cannot create a database like the original: {}",
            failure.message
        );
        return Failure::new(FailureKind::Configuration, message).with_detail(words.clone());
    }
    failure
}
