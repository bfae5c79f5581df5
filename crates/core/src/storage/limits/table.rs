//! The limits of Azure Table ("Understanding the Table service data model", "Performing entity
//! group transactions").

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{refuse, require};
use crate::storage::{
    Condition, Continuation, ETag, Entity, EntityKey, Filter, Nth, Page, Property, Query, Span,
    StorageResult, StoredEntity, TableName, TableOperation, TableStore, Value,
};

const KEY_BYTES: usize = 1024;
const PROPERTIES: usize = 252;
const PROPERTY_NAME: usize = 255;
const ENTITY_BYTES: usize = 1024 * 1024;
const STRING_UNITS: usize = 32 * 1024;
const BINARY_BYTES: usize = 64 * 1024;
const BATCH: usize = 100;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const PAGE: u32 = 1000;
const COMPARISONS: usize = 15;
/// 1601-01-01T00:00:00Z, the first instant of `Edm.DateTime`.
const FIRST_SECOND: i64 = -11_644_473_600;

/// A table store that refuses what breaks a limit with `Invalid`.
#[derive(Debug)]
pub struct LimitedTableStore<T: ?Sized> {
    inner: Arc<T>,
}

impl<T: TableStore + ?Sized> LimitedTableStore<T> {
    /// Puts the limits above `inner`.
    pub fn new(inner: Arc<T>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl<T: TableStore + ?Sized> TableStore for LimitedTableStore<T> {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.inner.create_table(table).await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        check_key(key)?;
        self.inner.get(table, key).await
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        check_query(query)?;
        self.inner.query(table, query, from).await
    }

    async fn nth(&self, table: &TableName, span: &Span, number: usize) -> StorageResult<Nth> {
        self.inner.nth(table, span, number).await
    }

    async fn table_version(&self, table: &TableName) -> StorageResult<Option<ETag>> {
        self.inner.table_version(table).await
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        check_operation(&operation)?;
        self.inner.write(table, operation).await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        check_batch(&operations)?;
        self.inner.write_batch(table, operations).await
    }
}

fn check_query(query: &Query) -> StorageResult<()> {
    const OPERATION: &str = "query entities";
    if let Some(top) = query.top {
        require(top.get() <= PAGE, OPERATION, || {
            format!("a page of {top} rows is more than {PAGE}")
        })?;
    }
    if let Some(filter) = &query.filter {
        let comparisons = filter.comparisons();
        require(comparisons <= COMPARISONS, OPERATION, || {
            format!("a filter of {comparisons} comparisons is more than {COMPARISONS}")
        })?;
        check_filter_names(filter)?;
    }
    query
        .select
        .iter()
        .flatten()
        .try_for_each(|name| check_name(name, OPERATION))
}

fn check_filter_names(filter: &Filter) -> StorageResult<()> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().try_for_each(check_filter_names),
        Filter::Compare {
            property: Property::Named(name),
            ..
        } => check_name(name, "query entities"),
        Filter::Compare { .. } => Ok(()),
    }
}

fn check_batch(operations: &[TableOperation]) -> StorageResult<()> {
    const OPERATION: &str = "write batch";
    require((1..=BATCH).contains(&operations.len()), OPERATION, || {
        format!("a batch of {} writes is not 1–{BATCH}", operations.len())
    })?;
    let mut partitions = HashSet::new();
    let mut rows = HashSet::new();
    let mut bytes = 0;
    for (index, operation) in operations.iter().enumerate() {
        check_operation(operation).map_err(|error| error.with_batch_index(Some(index)))?;
        partitions.insert(operation.key().partition.as_str());
        let is_new_row = rows.insert(operation.key().row.as_str());
        require(partitions.len() == 1, OPERATION, || {
            "the writes name two partitions".to_owned()
        })
        .and(require(is_new_row, OPERATION, || {
            "two writes name the same row".to_owned()
        }))
        .map_err(|error| error.with_batch_index(Some(index)))?;
        bytes += payload_estimate(operation);
    }
    require(bytes <= BATCH_BYTES, OPERATION, || {
        format!("a batch of about {bytes} bytes is more than 4 MiB; write it in parts")
    })
}

fn check_operation(operation: &TableOperation) -> StorageResult<()> {
    match operation {
        TableOperation::Insert(entity)
        | TableOperation::Replace(entity, _)
        | TableOperation::Merge(entity, _) => check_entity(entity),
        TableOperation::Delete(_, Condition::None) => Err(refuse(
            "delete entity",
            "a delete must say which version it expects",
        )),
        TableOperation::Delete(key, _) => check_key(key),
    }
}

/// Checks a whole row; for a merge, an adapter checks the outcome with it as well.
pub(in crate::storage) fn check_entity(entity: &Entity) -> StorageResult<()> {
    const OPERATION: &str = "write entity";
    check_key(&entity.key)?;
    let count = entity.properties.len();
    require(count <= PROPERTIES, OPERATION, || {
        format!("{count} properties are more than {PROPERTIES}")
    })?;
    let mut size = 4 + 2 * (utf16(&entity.key.partition) + utf16(&entity.key.row));
    for (name, value) in &entity.properties {
        check_name(name, OPERATION)?;
        check_value(name, value)?;
        size += 8 + 2 * utf16(name) + value_bytes(value);
    }
    require(size <= ENTITY_BYTES, OPERATION, || {
        format!("the row takes {size} bytes, more than 1 MiB, counted as the Table service does")
    })
}

fn check_key(key: &EntityKey) -> StorageResult<()> {
    const OPERATION: &str = "address entity";
    for (which, text) in [("partition", &key.partition), ("row", &key.row)] {
        require(is_key_text(text), OPERATION, || {
            format!("the {which} key holds a control character or one of / \\ # ? %")
        })?;
        require(2 * utf16(text) <= KEY_BYTES, OPERATION, || {
            format!("the {which} key is longer than 1 KiB in UTF-16")
        })?;
    }
    Ok(())
}

fn is_key_text(text: &str) -> bool {
    let is_plain =
        |byte: u8| !matches!(byte, b'/' | b'\\' | b'#' | b'?' | b'%') && !byte.is_ascii_control();
    text.bytes().all(is_plain) && (text.is_ascii() || !text.chars().any(char::is_control))
}

fn check_name(name: &str, operation: &'static str) -> StorageResult<()> {
    let is_reserved = matches!(name, "PartitionKey" | "RowKey" | "Timestamp");
    let is_word = if name.is_ascii() {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    } else {
        name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let is_identifier = is_word
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && utf16(name) <= PROPERTY_NAME;
    require(is_identifier && !is_reserved, operation, || {
        format!("{name:?} cannot name a property: letters, digits and '_', not first a digit")
    })
}

fn check_value(name: &str, value: &Value) -> StorageResult<()> {
    let problem = match value {
        Value::String(text) if utf16(text) > STRING_UNITS => "is longer than 32 Ki UTF-16 units",
        Value::Binary(bytes) if bytes.len() > BINARY_BYTES => "is longer than 64 KiB",
        Value::F64(number) if !number.is_finite() => "is not a finite number",
        Value::DateTime(instant) if !is_storable(*instant) => "lies outside the years 1601–9999",
        _ => return Ok(()),
    };
    Err(refuse(
        "write entity",
        format!("property '{name}' {problem}"),
    ))
}

fn is_storable(instant: Timestamp) -> bool {
    instant.as_second() >= FIRST_SECOND
}

fn utf16(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(char::len_utf16).sum()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => 4 + 2 * utf16(text),
        Value::Binary(bytes) => 4 + bytes.len(),
        Value::Bool(_) => 1,
        Value::I32(_) => 4,
        Value::I64(_) | Value::F64(_) | Value::DateTime(_) => 8,
        Value::Guid(_) => 16,
    }
}

/// At least the bytes that the write takes in the body of a batch: headers, keys, and JSON with a
/// type annotation beside each property.
fn payload_estimate(operation: &TableOperation) -> usize {
    const ENVELOPE: usize = 700;
    const ANNOTATION: usize = 48;
    let key = operation.key();
    let keys = 6 * (key.partition.len() + key.row.len());
    let properties = match operation {
        TableOperation::Insert(entity)
        | TableOperation::Replace(entity, _)
        | TableOperation::Merge(entity, _) => &entity.properties,
        TableOperation::Delete(..) => return ENVELOPE + keys,
    };
    let body: usize = properties
        .iter()
        .map(|(name, value)| ANNOTATION + 2 * name.len() + json_bytes(value))
        .sum();
    ENVELOPE + keys + body
}

fn json_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text
            .chars()
            .map(|character| match character {
                '"' | '\\' => 2,
                control if control.is_control() => 6,
                other => other.len_utf8(),
            })
            .sum(),
        Value::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        _ => 40,
    }
}
