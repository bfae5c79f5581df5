//! Conditional writes whose answer got lost: the retry meets its own effect and is refused.

use crate::storage::{
    Condition, ETag, StorageErrorKind, StorageResult, TableName, TableOperation, TableStore,
};

/// Carries out an insert, or a write on a version. A refusal counts as success when the row holds
/// just what was to be written, or is gone as it was to be: then an earlier try had its effect.
/// Not for rows that several writers write alike and only one may win.
pub(super) async fn write_settled(
    tables: &dyn TableStore,
    table: &TableName,
    operation: TableOperation,
) -> StorageResult<Option<ETag>> {
    let error = match tables.write(table, operation.clone()).await {
        Err(error) if is_refusal(error.kind()) => error,
        outcome => return outcome,
    };
    match operation {
        TableOperation::Insert(wanted) | TableOperation::Replace(wanted, Condition::Matches(_)) => {
            match tables.get(table, &wanted.key).await? {
                Some(found) if found.entity == wanted => Ok(Some(found.etag)),
                _ => Err(error),
            }
        }
        TableOperation::Delete(key, Condition::Matches(_)) => {
            match tables.get(table, &key).await? {
                None => Ok(None),
                Some(_) => Err(error),
            }
        }
        _ => Err(error),
    }
}

fn is_refusal(kind: StorageErrorKind) -> bool {
    matches!(
        kind,
        StorageErrorKind::AlreadyExists
            | StorageErrorKind::PreconditionFailed
            | StorageErrorKind::NotFound
    )
}
