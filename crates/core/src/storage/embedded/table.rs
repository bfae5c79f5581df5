//! The table port over SQLite.

mod numbering;

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};

use super::EmbeddedStore;
use super::codec;
use super::database::Durability::Durable;
use super::fault::Fault;
use super::filter::{KeyRange, key_range, matches, names_keys_only};
use super::schema::{Holder, tick};
use crate::storage::limits::check_entity;
use crate::storage::{
    Condition, Continuation, ETag, Entity, EntityKey, Nth, Page, Query, Span, StorageErrorKind,
    StorageResult, StoredEntity, TableName, TableOperation, TableStore, Value,
};

/// Rows that one page looks at before it ends, found or not, so that no call takes long.
const SCAN_LIMIT: usize = 5_000;
/// Bytes of properties that one page carries, as Azure's pages end at 4 MiB.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
const PAGE_ROWS: usize = 1_000;

/// Table names differ by more than case, as in Azure.
fn stored_name(table: &TableName) -> String {
    table.as_str().to_ascii_lowercase()
}

#[async_trait]
impl TableStore for EmbeddedStore {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        let name = stored_name(table);
        let created = self
            .inner
            .database
            .write(Durable, move |tx| Holder::Table.create(tx, &name));
        created
            .await
            .map_err(|fault| self.inner.error("create table", fault))
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        let (name, key) = (stored_name(table), key.clone());
        let found = self.inner.database.read(move |connection| {
            let table = Holder::Table.id(connection, &name)?;
            let Some(row) = load(connection, table, &key)? else {
                return Ok(None);
            };
            row.into_stored(key).map(Some)
        });
        found
            .await
            .map_err(|fault| self.inner.error("read entity", fault))
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        let (name, query, from) = (stored_name(table), query.clone(), from.cloned());
        let page = self.inner.database.read(move |connection| {
            let table = Holder::Table.id(connection, &name)?;
            let after = from.as_ref().map(codec::position).transpose()?;
            scan(connection, table, &query, after.as_ref())
        });
        page.await
            .map_err(|fault| self.inner.error("query entities", fault))
    }

    async fn nth(&self, table: &TableName, span: &Span, number: usize) -> StorageResult<Nth> {
        let (name, span) = (stored_name(table), span.clone());
        let found = self.inner.database.read(move |connection| {
            let table = Holder::Table.id(connection, &name)?;
            numbering::nth(connection, table, &span, number)
        });
        found
            .await
            .map_err(|fault| self.inner.error("number entities", fault))
    }

    async fn table_version(&self, table: &TableName) -> StorageResult<Option<ETag>> {
        let name = stored_name(table);
        let version = self.inner.database.read(move |connection| {
            let table = Holder::Table.id(connection, &name)?;
            let mut statement =
                connection.prepare_cached("SELECT version FROM tables WHERE id = ?1")?;
            Ok(statement.query_row([table], |row| row.get(0))?)
        });
        let version = version.await.map(|version| Some(codec::etag(version)));
        version.map_err(|fault| self.inner.error("read version of table", fault))
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        let (name, now) = (stored_name(table), self.inner.now());
        let written = self.inner.database.write(Durable, move |tx| {
            let table = Holder::Table.id(tx, &name)?;
            let etag = apply(tx, table, operation, now)?;
            renew_version(tx, table, now)?;
            Ok(etag)
        });
        written
            .await
            .map_err(|fault| self.inner.error("write entity", fault))
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        let (name, now) = (stored_name(table), self.inner.now());
        let written = self.inner.database.write(Durable, move |tx| {
            let table = Holder::Table.id(tx, &name)?;
            let writes = operations.into_iter().enumerate();
            let etags = writes
                .map(|(index, operation)| {
                    apply(tx, table, operation, now).map_err(|fault| fault.at(index))
                })
                .collect::<Result<_, Fault>>()?;
            renew_version(tx, table, now)?;
            Ok(etags)
        });
        written
            .await
            .map_err(|fault| self.inner.error("write batch", fault))
    }
}

struct Row {
    version: i64,
    properties: BTreeMap<String, Value>,
}

impl Row {
    fn into_stored(self, key: EntityKey) -> Result<StoredEntity, Fault> {
        Ok(StoredEntity {
            entity: Entity {
                key,
                properties: self.properties,
            },
            etag: codec::etag(self.version),
            timestamp: codec::instant(self.version)?,
        })
    }
}

fn load(connection: &Connection, table: i64, key: &EntityKey) -> Result<Option<Row>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT version, properties FROM entities
         WHERE table_id = ?1 AND partition_key = ?2 AND row_key = ?3",
    )?;
    let row: Option<(i64, String)> = statement
        .query_row(params![table, key.partition, key.row], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    row.map(|(version, text)| {
        Ok(Row {
            version,
            properties: codec::decode(&text)?,
        })
    })
    .transpose()
}

fn store(tx: &Transaction<'_>, table: i64, entity: &Entity, now: i64) -> Result<ETag, Fault> {
    let version = tick(tx, now)?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO entities
         (table_id, partition_key, row_key, version, properties) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET version = excluded.version, properties = excluded.properties",
    )?;
    let properties = codec::encode(&entity.properties)?;
    let EntityKey { partition, row } = &entity.key;
    statement.execute(params![table, partition, row, version, properties])?;
    Ok(codec::etag(version))
}

/// Gives the table a version that it never had.
fn renew_version(tx: &Transaction<'_>, table: i64, now: i64) -> Result<(), Fault> {
    let version = tick(tx, now)?;
    let mut statement = tx.prepare_cached("UPDATE tables SET version = ?2 WHERE id = ?1")?;
    statement.execute([table, version])?;
    Ok(())
}

fn apply(
    tx: &Transaction<'_>,
    table: i64,
    operation: TableOperation,
    now: i64,
) -> Result<Option<ETag>, Fault> {
    let present = load(tx, table, operation.key())?;
    match operation {
        TableOperation::Insert(_) if present.is_some() => Err(Fault::refused(
            StorageErrorKind::AlreadyExists,
            "the row exists already",
        )),
        TableOperation::Insert(entity) => store(tx, table, &entity, now).map(Some),
        TableOperation::Replace(entity, condition) => {
            check(&condition, present.as_ref())?;
            store(tx, table, &entity, now).map(Some)
        }
        TableOperation::Merge(entity, condition) => {
            check(&condition, present.as_ref())?;
            let mut properties = present.map(|row| row.properties).unwrap_or_default();
            properties.extend(entity.properties);
            let merged = Entity {
                key: entity.key,
                properties,
            };
            check_entity(&merged)?;
            store(tx, table, &merged, now).map(Some)
        }
        TableOperation::Delete(key, condition) => {
            if condition == Condition::None {
                let message = "a delete must say which version it expects";
                return Err(Fault::refused(StorageErrorKind::Invalid, message));
            }
            check(&condition, present.as_ref())?;
            let mut statement = tx.prepare_cached(
                "DELETE FROM entities WHERE table_id = ?1 AND partition_key = ?2 AND row_key = ?3",
            )?;
            statement.execute(params![table, key.partition, key.row])?;
            Ok(None)
        }
    }
}

fn check(condition: &Condition, present: Option<&Row>) -> Result<(), Fault> {
    match (condition, present) {
        (Condition::None, _) | (Condition::Exists, Some(_)) => Ok(()),
        (_, None) => Err(Fault::refused(
            StorageErrorKind::NotFound,
            "the row does not exist",
        )),
        (Condition::Matches(etag), Some(row)) if codec::etag(row.version) == *etag => Ok(()),
        (Condition::Matches(_), Some(_)) => Err(Fault::refused(
            StorageErrorKind::PreconditionFailed,
            "the row has been changed since that version",
        )),
    }
}

/// Whether no property is asked for, neither to be shown nor by the filter.
fn reads_keys_only(query: &Query) -> bool {
    query.select.as_ref().is_some_and(Vec::is_empty)
        && query.filter.as_ref().is_none_or(names_keys_only)
}

/// The statement that walks `range`, and its parameters after the table's id.
fn walk<'a>(
    range: &'a KeyRange,
    after: Option<&'a (String, String)>,
    is_keys_only: bool,
) -> (String, Vec<&'a dyn ToSql>) {
    let properties = if is_keys_only { "'{}'" } else { "properties" };
    let mut sql = format!(
        "SELECT partition_key, row_key, version, {properties} FROM entities WHERE table_id = ?"
    );
    let mut values: Vec<&dyn ToSql> = Vec::new();
    let (partition, row) = (&range.partition, &range.row);
    if partition.low.is_some() && partition.low == partition.high {
        sql.push_str(" AND partition_key = ?");
        values.push(&partition.low);
    } else {
        for (bound, clause) in [
            (&partition.low, " AND partition_key >= ?"),
            (&partition.high, " AND partition_key <= ?"),
        ] {
            if bound.is_some() {
                sql.push_str(clause);
                values.push(bound);
            }
        }
    }
    for (bound, clause) in [
        (&row.low, " AND row_key >= ?"),
        (&row.high, " AND row_key <= ?"),
    ] {
        if bound.is_some() {
            sql.push_str(clause);
            values.push(bound);
        }
    }
    if let Some((partition, row)) = after {
        sql.push_str(" AND (partition_key, row_key) > (?, ?)");
        values.extend([partition as &dyn ToSql, row]);
    }
    sql.push_str(" ORDER BY partition_key, row_key");
    (sql, values)
}

fn scan(
    connection: &Connection,
    table: i64,
    query: &Query,
    after: Option<&(String, String)>,
) -> Result<Page, Fault> {
    let range = match &query.filter {
        None => Some(KeyRange::default()),
        Some(filter) => key_range(filter),
    };
    let mut page = Page {
        entities: Vec::new(),
        next: None,
    };
    let Some(range) = range else { return Ok(page) };
    let is_keys_only = reads_keys_only(query);
    let (sql, values) = walk(&range, after, is_keys_only);
    let mut statement = connection.prepare_cached(&sql)?;
    let all = std::iter::once(&table as &dyn ToSql).chain(values);
    let mut rows = statement.query(rusqlite::params_from_iter(all))?;
    let most = query
        .top
        .map_or(PAGE_ROWS, |top| (top.get() as usize).min(PAGE_ROWS));
    let (mut looked_at, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        let key = EntityKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        let text = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
        let stored = Row {
            version: row.get(2)?,
            properties: codec::decode(text)?,
        };
        let is_match = |entity: &Entity| {
            query
                .filter
                .as_ref()
                .is_none_or(|filter| matches(filter, entity))
        };
        let last = (key.partition.clone(), key.row.clone());
        let mut stored = stored.into_stored(key)?;
        looked_at += 1;
        if is_match(&stored.entity) {
            bytes += text.len();
            if let Some(names) = &query.select {
                stored
                    .entity
                    .properties
                    .retain(|name, _| names.contains(name));
            }
            page.entities.push(stored);
        }
        if page.entities.len() == most || looked_at == SCAN_LIMIT || bytes >= PAGE_BYTES {
            if rows.next()?.is_some() {
                page.next = Some(codec::continuation(&last)?);
            }
            break;
        }
    }
    Ok(page)
}
