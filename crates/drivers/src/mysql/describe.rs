//! What must be known of a database before it is dumped: what a restore needs, what a person
//! should know, and whether the account sees everything. MySQL leaves out silently what an account
//! may not see, so that is asked for first.

use std::collections::BTreeSet;

use dilux_core::model::{DatabaseName, DatabaseTraits, ServerIdentity};
use dilux_core::transfer::{Failure, FailureKind};

use super::identity_from;
use super::session::Session;
use crate::process::escape_controls;

/// Rows of a tag and its values.
const DESCRIBE: &str = "
SELECT 'server', version(), @@version_comment;
SELECT 'schema', default_character_set_name, default_collation_name
FROM information_schema.schemata WHERE schema_name = DATABASE();
SELECT 'unsafe', table_name, engine FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
  AND engine NOT IN ('InnoDB', 'ROCKSDB', 'TokuDB', 'ndbcluster', 'PERFORMANCE_SCHEMA')
ORDER BY table_name;
SELECT 'particular', table_name, column_name FROM information_schema.columns
WHERE table_schema = DATABASE()
  AND (extra LIKE '%VIRTUAL GENERATED%' OR extra LIKE '%STORED GENERATED%' OR data_type = 'vector')
ORDER BY table_name, ordinal_position;
SELECT 'versioned', table_name FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'SYSTEM VERSIONED' ORDER BY table_name;
SET @host = SUBSTRING_INDEX(CURRENT_USER(), '@', -1);
SET @user = LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(@host) - 1);
SET @me = CONCAT('''', @user, '''@''', @host, '''');
SELECT 'privilege', privilege_type FROM information_schema.user_privileges WHERE grantee = @me;
SELECT 'privilege', privilege_type FROM information_schema.schema_privileges
WHERE grantee = @me AND DATABASE() LIKE table_schema;
SELECT 'privilege', 'mysql.proc' FROM information_schema.table_privileges
WHERE grantee = @me AND table_schema = 'mysql' AND table_name = 'proc' AND privilege_type = 'SELECT';
SELECT 'all privileges', privilege_type FROM information_schema.user_privileges
WHERE grantee = @me AND privilege_type = 'SELECT';
SELECT 'me', CURRENT_USER();
";

/// Asked by itself, as servers before roles do not know it.
const ROLE: &str = "SELECT IFNULL(CURRENT_ROLE(), 'NONE');\n";

/// What a dump needs: without any of these, something is left out silently or late.
const NEEDED: [&str; 4] = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT"];

/// Privileges of which one makes stored routines visible, so that the dump fails if it may not
/// read one of them.
const SHOW_ROUTINES: [&str; 6] = [
    "EXECUTE",
    "ALTER ROUTINE",
    "CREATE ROUTINE",
    "SHOW_ROUTINE",
    "SHOW CREATE ROUTINE",
    "mysql.proc",
];

/// Tables named in a note.
const NAMED: usize = 5;

/// A database about to be dumped.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) server: ServerIdentity,
    pub(super) traits: DatabaseTraits,
    pub(super) notes: Vec<String>,
    /// Columns that only the dump tool of the server's own family writes properly, for people.
    pub(super) particular_columns: Option<String>,
}

#[derive(Debug, Default)]
struct Answers {
    server: Option<ServerIdentity>,
    traits: DatabaseTraits,
    unsafe_tables: Vec<String>,
    versioned_tables: Vec<String>,
    particular_columns: Vec<String>,
    privileges: BTreeSet<String>,
    sees_everything: bool,
    account: String,
}

impl Answers {
    fn take(&mut self, row: &[String]) {
        let row: Vec<_> = row.iter().map(String::as_str).collect();
        match row.as_slice() {
            ["server", version, comment] => self.server = Some(identity_from(version, comment)),
            ["schema", character_set, collation] => {
                self.traits
                    .insert("character_set".to_owned(), (*character_set).to_owned());
                self.traits
                    .insert("collation".to_owned(), (*collation).to_owned());
            }
            ["unsafe", table, engine] => self.unsafe_tables.push(format!("{table} ({engine})")),
            ["particular", table, column] => {
                self.particular_columns.push(format!("{table}.{column}"));
            }
            ["versioned", table] => self.versioned_tables.push((*table).to_owned()),
            ["privilege", privilege] => {
                self.privileges.insert((*privilege).to_owned());
            }
            ["all privileges", ..] => self.sees_everything = true,
            ["me", account] => (*account).clone_into(&mut self.account),
            _ => {}
        }
    }

    /// The privileges that are missing, by the names to grant them with.
    fn missing(&self) -> Vec<&'static str> {
        let mut missing: Vec<_> = NEEDED
            .into_iter()
            .filter(|needed| !self.privileges.contains(*needed))
            .collect();
        let sees_routines = self.sees_everything
            || SHOW_ROUTINES
                .iter()
                .any(|privilege| self.privileges.contains(*privilege));
        if !sees_routines {
            missing.push("EXECUTE");
        }
        missing
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.unsafe_tables.is_empty() {
            let names = some(&self.unsafe_tables);
            notes.push(format!("these tables have no transactions and may be of a later moment than the rest of this backup: {names}"));
        }
        if !self.versioned_tables.is_empty() {
            let names = some(&self.versioned_tables);
            notes.push(format!("of these system-versioned tables only the present rows are in this backup, not their history: {names}"));
        }
        notes
    }
}

/// Asks.
pub(super) async fn describe(
    session: &Session<'_>,
    database: &DatabaseName,
) -> Result<Description, Failure> {
    let mut answers = Answers::default();
    for row in session.rows(Some(database), DESCRIBE).await? {
        answers.take(&row);
    }
    let missing = answers.missing();
    let mut notes = answers.notes();
    if !missing.is_empty() {
        let (privileges, account) = (missing.join(", "), escape_controls(&answers.account));
        if !has_role(session).await {
            let database = escape_controls(database.as_str());
            return Err(Failure::new(
                FailureKind::Permission,
                format!(
                    "account {account} would silently leave things out of the backup of '{database}', as it lacks: {privileges}; grant them on that database"
                ),
            ));
        }
        notes.push(format!("account {account} has a role, so it could not be checked that it may read everything; make sure that it has: {privileges}"));
    }
    let server = answers.server.ok_or_else(|| {
        Failure::new(
            FailureKind::Internal,
            "the server gave no answer to a question about itself",
        )
    })?;
    let particular = &answers.particular_columns;
    let particular_columns = (!particular.is_empty()).then(|| some(particular));
    Ok(Description {
        server,
        traits: answers.traits,
        notes,
        particular_columns,
    })
}

/// Whether the account acts in a role, whose privileges are listed elsewhere and differently by
/// each server. A server that does not know the question has no roles.
async fn has_role(session: &Session<'_>) -> bool {
    match session.rows(None, ROLE).await {
        Ok(rows) => rows
            .iter()
            .flatten()
            .any(|role| role != "NONE" && role != "NULL"),
        Err(_) => false,
    }
}

fn some(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(NAMED)
        .map(|name| escape_controls(name))
        .collect::<Vec<_>>();
    let more = names.len().saturating_sub(NAMED);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", shown.join(", "))
}
