//! Audit log: table `auditlogs` by day, newest first.

use std::sync::Arc;

use super::row::RowWriter;
use super::timeline::Timeline;
use crate::model::AuditEntry;
use crate::storage::{StorageResult, TableName, TableStore};

/// Longest details text kept in a row; a property holds 32 Ki UTF-16 code units at most.
const DETAILS_LIMIT: usize = 30_000;

/// The audit log.
#[derive(Debug, Clone)]
pub struct AuditRepository {
    by_day: Timeline,
}

impl AuditRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName, days: TableName) -> Self {
        Self {
            by_day: Timeline::new(tables, table, days),
        }
    }

    pub(super) fn tables(&self) -> [&TableName; 2] {
        [&self.by_day.table, &self.by_day.days]
    }

    /// Appends an entry.
    pub async fn append(&self, entry: &AuditEntry) -> StorageResult<()> {
        let mut row = RowWriter::new(Timeline::key(entry.at, entry.id.as_str()));
        row.text("id", entry.id.as_str());
        row.instant("timestamp", entry.at);
        row.text("user_id", entry.user_id.as_str());
        row.text("user_email", entry.user_email.as_str());
        row.text("action", entry.action.as_str());
        row.text("resource_type", entry.resource_type.as_str());
        row.text("resource_id", entry.resource_id.as_str());
        row.text("resource_name", entry.resource_name.as_str());
        row.text("status", entry.status.as_str());
        row.optional_text("error_message", entry.error_message.as_deref());
        row.optional_text(
            "ip_address",
            entry.ip_address.map(|address| address.to_string()),
        );
        let details = serde_json::Value::Object(entry.details.clone()).to_string();
        if details.len() <= DETAILS_LIMIT {
            row.text("details", details);
        } else {
            row.text("details", r#"{"omitted":"too long for a row"}"#);
        }
        self.by_day.put(row.finish()).await
    }
}
