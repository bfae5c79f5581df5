//! The new database of a restore: made, finished, and dropped again when the restore fails.

use dilux_core::model::{DatabaseName, DatabaseTraits};
use dilux_core::transfer::{Failure, FailureKind};
use serde::Deserialize;

use super::PostgreSqlDriver;
use super::dump::SETTING;
use super::session::{identifier, literal};
use crate::driver::Target;
use crate::process::escape_controls;

/// A database that this restore created. Dropped as a value without [`Created::keep`] or
/// [`Created::drop_database`], it is dropped on the server in the background.
pub(super) struct Created {
    driver: PostgreSqlDriver,
    target: Target,
    pub(super) name: DatabaseName,
    /// Survives renames, so that nobody else's database is ever dropped.
    oid: u32,
    is_ours: bool,
}

#[derive(Debug, Deserialize)]
struct OidRow {
    oid: u32,
}

impl Created {
    /// Creates the database.
    pub(super) async fn new(
        driver: &PostgreSqlDriver,
        target: &Target,
        (name, traits): (&DatabaseName, &DatabaseTraits),
    ) -> Result<Self, Failure> {
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
        Ok(Self {
            driver: driver.clone(),
            target: target.clone(),
            name: name.clone(),
            oid: row.oid,
            is_ours: true,
        })
    }

    /// Gives it what a dump does not hold: settings and comment. After the data, as a setting such
    /// as a read-only default would stand in the way.
    pub(super) async fn complete(&self, traits: &DatabaseTraits) -> Result<(), Failure> {
        let name = identifier(self.name.as_str());
        let mut script = Vec::new();
        for (key, value) in traits {
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
        if let Some(comment) = traits.get("comment") {
            script.push(format!(
                "COMMENT ON DATABASE {name} IS {};\n",
                literal(comment)
            ));
        }
        if script.is_empty() {
            return Ok(());
        }
        let session = self.driver.session(&self.target);
        session
            .maintenance_rows::<serde_json::Value>(&format!("BEGIN;\n{}COMMIT;\n", script.concat()))
            .await
            .map(|_nothing| ())
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
        let message = match drop_by_oid(&self.driver, &self.target, self.oid).await {
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
        let (driver, target, oid) = (self.driver.clone(), self.target.clone(), self.oid);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(failure) = drop_by_oid(&driver, &target, oid).await {
                    tracing::error!(error = %failure, database.oid = oid, "an abandoned restore left its database behind");
                }
            });
        }
    }
}

/// Drops the database of this oid, whatever its name is by now. A killed client's session may
/// still be at work in it.
async fn drop_by_oid(driver: &PostgreSqlDriver, target: &Target, oid: u32) -> Result<(), Failure> {
    let script = format!(
        "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE oid = {oid} \\gexec\n"
    );
    let session = driver.session(target);
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

fn exists(name: &DatabaseName) -> Failure {
    let name = escape_controls(name.as_str());
    Failure::new(
        FailureKind::TargetExists,
        format!(
            "there is a database '{name}' already; restore under another name, or drop that one first"
        ),
    )
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
