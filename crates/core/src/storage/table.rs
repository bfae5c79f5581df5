//! The table port: schemaless rows addressed by two keys, with optimistic concurrency.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Comparison, Filter, Property, StorageError, StorageErrorKind, StorageResult};

/// Name of a table: 3–63 letters and digits, not starting with a digit
/// (Azure: "Understanding the Table service data model").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName(String);

impl TableName {
    /// Parses a table name.
    pub fn new(name: impl Into<String>) -> StorageResult<Self> {
        let name = name.into();
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_valid = (3..=63).contains(&name.len())
            && starts_well
            && name
                .chars()
                .all(|character| character.is_ascii_alphanumeric());
        if is_valid {
            Ok(Self(name))
        } else {
            Err(StorageError::new(
                StorageErrorKind::Invalid,
                "name table",
                format!("'{name}' is not 3–63 letters and digits starting with a letter"),
            ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Version of a row or blob: opaque, compared as text only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(String);

impl ETag {
    /// Wraps the text that a store gave.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A typed property. An absent property stands for null; there is no null value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, at most 32 Ki UTF-16 code units.
    String(String),
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// Double.
    F64(f64),
    /// Boolean.
    Bool(bool),
    /// Instant, kept to 100 nanoseconds.
    DateTime(Timestamp),
    /// GUID.
    Guid(Uuid),
    /// Bytes, at most 64 KiB.
    Binary(Bytes),
}

/// The two keys of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityKey {
    /// Partition key.
    pub partition: String,
    /// Row key, unique in the partition.
    pub row: String,
}

impl EntityKey {
    /// Both keys: at most 1 KiB each, without `/ \ # ?`, control characters, or `%`.
    pub fn new(partition: impl Into<String>, row: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            row: row.into(),
        }
    }
}

/// A row to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Where it stands.
    pub key: EntityKey,
    /// What it holds, at most 252 properties and 1 MiB.
    pub properties: BTreeMap<String, Value>,
}

impl Entity {
    /// A row without properties.
    pub fn new(key: EntityKey) -> Self {
        Self {
            key,
            properties: BTreeMap::new(),
        }
    }

    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: Value) -> Self {
        self.properties.insert(name.into(), value);
        self
    }
}

/// A row as read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntity {
    /// The row.
    pub entity: Entity,
    /// Its version.
    pub etag: ETag,
    /// When the store wrote it, by the store's clock.
    pub timestamp: Timestamp,
}

/// What must hold for a write to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: create it where it is missing. Not allowed for deletes.
    None,
    /// It exists, in any version.
    Exists,
    /// It exists in this version.
    Matches(ETag),
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum TableOperation {
    /// Creates the row; `AlreadyExists` when it is there.
    Insert(Entity),
    /// Writes the row whole: properties not named are gone afterwards.
    Replace(Entity, Condition),
    /// Writes the named properties and leaves the others.
    Merge(Entity, Condition),
    /// Removes the row.
    Delete(EntityKey, Condition),
}

impl TableOperation {
    /// The row that it touches.
    pub fn key(&self) -> &EntityKey {
        match self {
            Self::Insert(entity) | Self::Replace(entity, _) | Self::Merge(entity, _) => &entity.key,
            Self::Delete(key, _) => key,
        }
    }
}

/// Where the next page starts. Opaque: it is handed back as it came, and never made by callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation(String);

impl Continuation {
    /// Wraps the text that a store gave.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Which rows; all when absent.
    pub filter: Option<Filter>,
    /// Which properties; all when absent. Keys always come.
    pub select: Option<Vec<String>>,
    /// Rows a page, 1–1000; 1000 when absent.
    pub top: Option<NonZeroU32>,
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The rows, ascending by partition key, then row key, both in ordinal (byte) order. May be
    /// empty although more follow.
    pub entities: Vec<StoredEntity>,
    /// Where the next page starts; `None` means that this was the last one.
    pub next: Option<Continuation>,
}

/// Rows of one partition, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Partition key.
    pub partition: String,
    /// Only rows whose keys sort before this one; all when absent.
    pub end: Option<String>,
}

impl Span {
    /// A whole partition.
    pub fn partition(key: impl Into<String>) -> Self {
        Self {
            partition: key.into(),
            end: None,
        }
    }

    /// The query for its keys.
    fn keys(&self) -> Query {
        let mut filter = Filter::partition(&self.partition);
        if let Some(end) = &self.end {
            let end = Value::String(end.clone());
            filter = filter.and(Filter::compare(Property::RowKey, Comparison::Less, end));
        }
        Query {
            filter: Some(filter),
            select: Some(Vec::new()),
            top: None,
        }
    }
}

/// What stands at a number in a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nth {
    /// The row with this row key.
    Row(String),
    /// None: there are only so many rows.
    Fewer(usize),
}

/// Rows addressed by (partition key, row key).
///
/// # Contract
/// - A write is durable and visible to every reader when it returns.
/// - Writes to one row are linearised: of N writers with `Matches` on the same version, or N
///   inserts of the same key, exactly one succeeds. The others get `PreconditionFailed` or
///   `AlreadyExists`.
/// - A condition on a missing row gives `NotFound`. A missing table gives `NotFound` for every
///   operation but `create_table`. A lookup of a missing row in a present table is `Ok(None)`.
/// - Each write gives the row a new ETag that no earlier version of that row had.
/// - "Unavailable" is never read as "empty".
#[async_trait]
pub trait TableStore: Send + Sync + fmt::Debug {
    /// Makes sure that the table exists. Idempotent.
    async fn create_table(&self, table: &TableName) -> StorageResult<()>;

    /// Reads one row.
    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>>;

    /// Reads a page of rows. Callers go on until `next` is `None`, also past empty pages.
    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page>;

    /// The `number`th row of a span, from 1. Reads the keys of all rows before it, a page at a time,
    /// from a store that has no better way.
    async fn nth(&self, table: &TableName, span: &Span, number: usize) -> StorageResult<Nth> {
        let query = span.keys();
        let (mut passed, mut from) = (0, None);
        loop {
            let page = self.query(table, &query, from.as_ref()).await?;
            let wanted = number.saturating_sub(passed + 1);
            if let Some(row) = page.entities.get(wanted) {
                return Ok(Nth::Row(row.entity.key.row.clone()));
            }
            passed += page.entities.len();
            if page.next.is_none() {
                return Ok(Nth::Fewer(passed));
            }
            from = page.next;
        }
    }

    /// A version that every write to the table changes, for readers that keep what they have read;
    /// `None` from a store that has none.
    async fn table_version(&self, _table: &TableName) -> StorageResult<Option<ETag>> {
        Ok(None)
    }

    /// Carries out one write. Answers the new version, `None` for a delete.
    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>>;

    /// Carries out 1–100 writes to one partition, each to another row, all or nothing. On failure
    /// the error is that of the first write that failed, with its `batch_index`, and nothing has
    /// changed. Answers the new versions in order.
    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>>;
}
