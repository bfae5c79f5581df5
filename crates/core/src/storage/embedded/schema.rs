//! The layout of the SQLite file.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::fault::Fault;
use crate::storage::StorageErrorKind;

const VERSION: i64 = 2;

/// Times are ticks of 100 ns since 1970; a row's or blob's version is the tick of its write.
const TABLES: &str = "
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    ticks INTEGER NOT NULL
) STRICT;
INSERT INTO clock (id, ticks) VALUES (1, 0);

CREATE TABLE tables (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE queues (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    receipt TEXT NOT NULL,
    body TEXT NOT NULL,
    inserted_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    dequeue_count INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_visibility ON messages (queue_id, visible_at, sequence);

CREATE TABLE containers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE blobs (
    container_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    file TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    version INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (container_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE stagings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    container_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    file TEXT NOT NULL UNIQUE,
    boot TEXT NOT NULL,
    length INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    UNIQUE (container_id, name)
) STRICT;
CREATE TABLE blocks (
    staging_id INTEGER NOT NULL,
    block BLOB NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (staging_id, block)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE key_check (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL
) STRICT;
";

/// With the rows beside the index of their keys: within it, a row of more than a quarter of a page
/// takes a whole page more.
const ENTITIES: &str = "
CREATE TABLE entities (
    table_id INTEGER NOT NULL,
    partition_key TEXT NOT NULL,
    row_key TEXT NOT NULL,
    version INTEGER NOT NULL,
    properties TEXT NOT NULL,
    PRIMARY KEY (table_id, partition_key, row_key)
) STRICT;
";

/// Since layout 2 tables have versions, and rows stand beside the index of their keys.
const FROM_1: [&str; 3] = [
    "ALTER TABLE tables ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE entities RENAME TO entities_of_layout_1;",
    ENTITIES,
    "INSERT INTO entities SELECT * FROM entities_of_layout_1;
     DROP TABLE entities_of_layout_1;",
];

/// Brings the file to this version's layout; refuses a newer one.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        VERSION => {}
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(ENTITIES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        1 => {
            transaction.execute_batch(&FROM_1.concat())?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        newer => {
            return Err(Fault::refused(
                StorageErrorKind::Invalid,
                format!(
                    "the store has layout {newer}, this program knows {VERSION}; run the version \
                     that wrote it, or a later one"
                ),
            ));
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The next version: later than every version before, in any process, also when the clock has
/// been set back.
pub(super) fn tick(transaction: &Transaction<'_>, now: i64) -> Result<i64, Fault> {
    let mut statement = transaction
        .prepare_cached("UPDATE clock SET ticks = max(ticks + 1, ?1) RETURNING ticks")?;
    Ok(statement.query_row([now], |row| row.get(0))?)
}

/// What is addressed by a name and holds things: tables, queues, containers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holder {
    Table,
    Queue,
    Container,
}

impl Holder {
    const fn insert(self) -> &'static str {
        match self {
            Self::Table => "INSERT INTO tables (name) VALUES (?1) ON CONFLICT DO NOTHING",
            Self::Queue => "INSERT INTO queues (name) VALUES (?1) ON CONFLICT DO NOTHING",
            Self::Container => "INSERT INTO containers (name) VALUES (?1) ON CONFLICT DO NOTHING",
        }
    }

    const fn select(self) -> &'static str {
        match self {
            Self::Table => "SELECT id FROM tables WHERE name = ?1",
            Self::Queue => "SELECT id FROM queues WHERE name = ?1",
            Self::Container => "SELECT id FROM containers WHERE name = ?1",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Queue => "queue",
            Self::Container => "container",
        }
    }

    /// Makes sure that it exists.
    pub(super) fn create(self, connection: &Connection, name: &str) -> Result<(), Fault> {
        connection.prepare_cached(self.insert())?.execute([name])?;
        Ok(())
    }

    /// Its id; `NotFound` when it is missing.
    pub(super) fn id(self, connection: &Connection, name: &str) -> Result<i64, Fault> {
        let mut statement = connection.prepare_cached(self.select())?;
        let id = statement.query_row([name], |row| row.get(0)).optional()?;
        id.ok_or_else(|| {
            let message = format!("the {} '{name}' does not exist", self.word());
            Fault::refused(StorageErrorKind::NotFound, message)
        })
    }
}
