//! One write, as a request of its own and as a part of a batch.

use azure_core::http::Method;

use super::{entity, odata};
use crate::storage::{
    Condition, StorageError, StorageErrorKind, StorageResult, TableName, TableOperation,
};

/// What is sent for a write.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) method: Method,
    /// Behind the endpoint's path, percent-encoded.
    pub(super) path: String,
    pub(super) if_match: Option<String>,
    /// JSON; none for a delete.
    pub(super) body: Option<String>,
}

impl Write {
    /// Prepares `operation`.
    pub(super) fn new(table: &TableName, operation: &TableOperation) -> StorageResult<Self> {
        let path = odata::entity_path(table, operation.key());
        Ok(match operation {
            TableOperation::Insert(row) => Self {
                method: Method::Post,
                path: table.as_str().to_owned(),
                if_match: None,
                body: Some(entity::to_json(row)?),
            },
            TableOperation::Replace(row, condition) => Self {
                method: Method::Put,
                path,
                if_match: if_match(condition),
                body: Some(entity::to_json(row)?),
            },
            // The service's own verb is MERGE; it takes PATCH for the same.
            TableOperation::Merge(row, condition) => Self {
                method: Method::Patch,
                path,
                if_match: if_match(condition),
                body: Some(entity::to_json(row)?),
            },
            TableOperation::Delete(_, Condition::None) => {
                return Err(StorageError::new(
                    StorageErrorKind::Invalid,
                    "delete entity",
                    "a delete needs a condition: that the row exists, or its version",
                ));
            }
            TableOperation::Delete(_, condition) => Self {
                method: Method::Delete,
                path,
                if_match: if_match(condition),
                body: None,
            },
        })
    }
}

fn if_match(condition: &Condition) -> Option<String> {
    match condition {
        Condition::None => None,
        Condition::Exists => Some("*".to_owned()),
        Condition::Matches(etag) => Some(etag.as_str().to_owned()),
    }
}
