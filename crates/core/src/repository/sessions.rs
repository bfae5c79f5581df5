//! Row mapping of sessions: table `sessions`, partition `session`, row key the hash of the text.

use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::Session;

impl Row for Session {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("user_id", self.user_id.as_str());
        row.small("epoch", self.epoch);
        row.instant("created_at", self.created_at);
        row.instant("last_used", self.last_used);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            id: row.key_parsed()?,
            user_id: row.parsed("user_id")?,
            epoch: row.count("epoch")?,
            created_at: row.instant("created_at")?,
            last_used: row.instant("last_used")?,
        })
    }
}
