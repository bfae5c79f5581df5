//! Row mapping of access requests: table `accessrequests`, partition `access_requests`.

use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::AccessRequest;

impl Row for AccessRequest {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("email", self.email.as_str());
        row.text("name", self.name.as_str());
        row.text("azure_ad_id", self.subject.as_str());
        row.text("status", self.status.as_str());
        row.instant("requested_at", self.requested_at);
        row.optional_instant("resolved_at", self.resolved_at);
        row.optional_text("resolved_by", self.resolved_by.as_deref());
        row.optional_text("rejection_reason", self.rejection_reason.as_deref());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let text = |name| row.optional_text(name).map(|text| text.map(str::to_owned));
        Ok(Self {
            id: row.key_parsed()?,
            email: row.parsed("email")?,
            name: row.parsed("name")?,
            subject: row.parsed("azure_ad_id")?,
            status: row.parsed("status")?,
            requested_at: row.instant("requested_at")?,
            resolved_at: row.optional_instant("resolved_at")?,
            resolved_by: text("resolved_by")?,
            rejection_reason: text("rejection_reason")?,
        })
    }
}
