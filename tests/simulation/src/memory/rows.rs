//! The table operations.

use std::collections::BTreeMap;
use std::ops::Bound;

use dilux_core::storage::{
    Condition, Continuation, ETag, Entity, EntityKey, Page, Query, StorageErrorKind, StorageResult,
    StoredEntity, TableName, TableOperation, Value,
};
use jiff::Timestamp;

use super::select::{matches, partition_of};
use crate::defect::Defect;

use super::{Content, Memory, Properties, cut, error, etag, verb};

/// Rows of a page when the query does not say.
const PAGE: usize = 1000;

/// A stored row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What it holds.
    pub(crate) properties: Properties,
    version: u64,
    written_at: Timestamp,
}

impl Row {
    /// A text property; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.properties.get(name) {
            Some(Value::String(text)) => text,
            _ => "",
        }
    }

    /// A numeric property; 0 when there is none.
    pub(crate) fn number(&self, name: &str) -> i64 {
        match self.properties.get(name) {
            Some(Value::I64(number)) => *number,
            Some(Value::I32(number)) => i64::from(*number),
            _ => 0,
        }
    }

    fn to_stored(&self, key: &EntityKey, select: Option<&[String]>) -> StoredEntity {
        let properties = match select {
            None => self.properties.clone(),
            Some(names) => names
                .iter()
                .filter_map(|name| self.properties.get_key_value(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        };
        StoredEntity {
            entity: Entity {
                key: key.clone(),
                properties,
            },
            etag: etag(self.version),
            timestamp: self.written_at,
        }
    }
}

type Rows = BTreeMap<EntityKey, Row>;

impl Memory {
    pub(crate) fn make_table(&self, table: &TableName) {
        self.content().tables.entry(table.clone()).or_default();
    }

    pub(crate) fn get_row(
        &self,
        table: &TableName,
        key: &EntityKey,
    ) -> StorageResult<Option<StoredEntity>> {
        let content = self.content();
        let rows = rows(&content, table, "get entity")?;
        Ok(rows.get(key).map(|row| row.to_stored(key, None)))
    }

    pub(crate) fn query_rows(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        const OPERATION: &str = "query entities";
        let content = self.content();
        let rows = rows(&content, table, OPERATION)?;
        let partition = query.filter.as_ref().and_then(partition_of);
        let start = match from {
            Some(continuation) => Bound::Excluded(parse(continuation)?),
            None => match partition {
                Some(partition) => Bound::Included(EntityKey::new(partition, "")),
                None => Bound::Unbounded,
            },
        };
        let most = query.top.map_or(PAGE, |top| top.get() as usize);
        let mut page = Page {
            entities: Vec::new(),
            next: None,
        };
        let mut last: Option<&EntityKey> = None;
        for (key, row) in rows.range((start, Bound::Unbounded)) {
            if partition.is_some_and(|partition| partition != key.partition) {
                break;
            }
            if !query
                .filter
                .as_ref()
                .is_none_or(|filter| matches(filter, key, &row.properties))
            {
                continue;
            }
            if page.entities.len() == most {
                page.next = last.map(continuation);
                break;
            }
            page.entities
                .push(row.to_stored(key, query.select.as_deref()));
            last = Some(key);
        }
        Ok(page)
    }

    pub(crate) fn write_row(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        let now = self.now();
        let mut content = self.content();
        let present = rows(&content, table, verb(&operation))?;
        if !self.has(Defect::IgnoresVersions) {
            check(present, &operation)?;
        }
        if self.has(Defect::LosesRows) && content.number().is_multiple_of(97) {
            return Ok(Some(etag(content.number())));
        }
        Ok(self.apply(&mut content, table, operation, now))
    }

    pub(crate) fn write_rows(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        let now = self.now();
        let mut content = self.content();
        let present = rows(&content, table, "write batch")?;
        for (index, operation) in operations.iter().enumerate() {
            check(present, operation).map_err(|error| error.with_batch_index(Some(index)))?;
        }
        let written = operations
            .into_iter()
            .map(|operation| self.apply(&mut content, table, operation, now));
        Ok(written.collect())
    }

    /// Carries out a write whose condition holds.
    fn apply(
        &self,
        content: &mut Content,
        table: &TableName,
        operation: TableOperation,
        now: Timestamp,
    ) -> Option<ETag> {
        let version = content.number();
        let rows = content.tables.entry(table.clone()).or_default();
        let key = operation.key().clone();
        let before = rows.remove(&key);
        let properties = match operation {
            TableOperation::Insert(entity) | TableOperation::Replace(entity, _) => {
                Some(entity.properties)
            }
            TableOperation::Merge(entity, _) => {
                let mut merged = before
                    .as_ref()
                    .map(|row| row.properties.clone())
                    .unwrap_or_default();
                merged.extend(entity.properties);
                Some(merged)
            }
            TableOperation::Delete(..) => None,
        };
        let written = properties.map(|mut properties| {
            for value in properties.values_mut() {
                if let Value::DateTime(instant) = value {
                    *instant = cut(*instant);
                }
            }
            let row = Row {
                properties,
                version,
                written_at: now,
            };
            rows.insert(key.clone(), row);
            etag(version)
        });
        if let Some(witness) = &self.witness {
            witness.row_changed(content, table, &key, before.as_ref());
        }
        written
    }
}

fn rows<'a>(
    content: &'a Content,
    table: &TableName,
    operation: &'static str,
) -> StorageResult<&'a Rows> {
    content.tables.get(table).ok_or_else(|| {
        let message = format!("there is no table '{table}'");
        error(StorageErrorKind::NotFound, operation, message)
    })
}

fn check(rows: &Rows, operation: &TableOperation) -> StorageResult<()> {
    let refuse = |kind, message| Err(error(kind, verb(operation), message));
    let present = rows.get(operation.key());
    let condition = match operation {
        TableOperation::Insert(_) if present.is_some() => {
            return refuse(StorageErrorKind::AlreadyExists, "the row exists already");
        }
        TableOperation::Insert(_) => return Ok(()),
        TableOperation::Replace(_, condition)
        | TableOperation::Merge(_, condition)
        | TableOperation::Delete(_, condition) => condition,
    };
    match (condition, present) {
        (Condition::None, _) | (Condition::Exists, Some(_)) => Ok(()),
        (Condition::Exists | Condition::Matches(_), None) => {
            refuse(StorageErrorKind::NotFound, "the row does not exist")
        }
        (Condition::Matches(wanted), Some(row)) if etag(row.version) == *wanted => Ok(()),
        (Condition::Matches(_), Some(_)) => refuse(
            StorageErrorKind::PreconditionFailed,
            "the row has another version",
        ),
    }
}

/// Where the page after `last` starts; its lengths keep any two keys apart.
fn continuation(last: &EntityKey) -> Continuation {
    Continuation::new(format!(
        "{}|{}{}",
        last.partition.len(),
        last.partition,
        last.row
    ))
}

fn parse(continuation: &Continuation) -> StorageResult<EntityKey> {
    let parse = || {
        let (length, keys) = continuation.as_str().split_once('|')?;
        let (partition, row) = keys.split_at_checked(length.parse().ok()?)?;
        Some(EntityKey::new(partition, row))
    };
    parse().ok_or_else(|| {
        let message = "the continuation was not made here";
        error(StorageErrorKind::Invalid, "query entities", message)
    })
}
