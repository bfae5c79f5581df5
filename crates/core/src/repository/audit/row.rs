//! An audit entry as a row. Rows of the Python product have the same properties.

use crate::model::AuditEntry;
use crate::repository::row::{Row, RowFault, RowReader, RowWriter};
use crate::repository::timeline::Timeline;

/// Longest details text kept in a row; a property holds 32 Ki UTF-16 code units at most.
const DETAILS_LIMIT: usize = 30_000;

/// Longest other text, in characters.
const TEXT_LIMIT: usize = 8_000;

impl Row for AuditEntry {
    fn row_key(&self) -> String {
        Timeline::key(self.at, self.id.as_str()).row
    }

    fn write(&self, row: &mut RowWriter) {
        write(self, row);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let address = row.optional_text("ip_address")?;
        Ok(Self {
            id: row.parsed("id")?,
            at: row.instant("timestamp")?,
            user_id: row.optional_text("user_id")?.unwrap_or_default().to_owned(),
            user_email: text(row, "user_email")?,
            action: row.parsed("action")?,
            resource_type: row.parsed("resource_type")?,
            resource_id: text(row, "resource_id")?,
            resource_name: text(row, "resource_name")?,
            details: row.optional_json("details")?.unwrap_or_default(),
            status: row.parsed("status")?,
            error_message: row.optional_text("error_message")?.map(str::to_owned),
            // The Python product wrote `unknown`, and whatever a proxy had sent.
            ip_address: address.and_then(|address| address.parse().ok()),
            intent_id: row.optional_parsed("intent_id")?,
        })
    }
}

fn text(row: &RowReader<'_>, name: &str) -> Result<String, RowFault> {
    Ok(row.optional_text(name)?.unwrap_or_default().to_owned())
}

/// Writes the properties of an entry.
pub(super) fn write(entry: &AuditEntry, row: &mut RowWriter) {
    row.text("id", entry.id.as_str());
    row.instant("timestamp", entry.at);
    row.text("user_id", entry.user_id.as_str());
    row.text("user_email", entry.user_email.as_str());
    row.text("action", entry.action.as_str());
    row.text("resource_type", entry.resource_type.as_str());
    row.text("resource_id", shortened(&entry.resource_id));
    row.text("resource_name", shortened(&entry.resource_name));
    row.text("status", entry.status.as_str());
    row.optional_text(
        "error_message",
        entry.error_message.as_deref().map(shortened),
    );
    row.optional_text(
        "ip_address",
        entry.ip_address.map(|address| address.to_string()),
    );
    row.optional_text(
        "intent_id",
        entry.intent_id.as_ref().map(|id| id.as_str().to_owned()),
    );
    let details = serde_json::Value::Object(entry.details.clone()).to_string();
    if details.len() <= DETAILS_LIMIT {
        row.text("details", details);
    } else {
        row.text("details", r#"{"omitted":"too long for a row"}"#);
    }
}

/// An entry must not be lost because a text in it is long.
fn shortened(text: &str) -> String {
    text.chars().take(TEXT_LIMIT).collect()
}
