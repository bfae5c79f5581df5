//! Acknowledgements of alerts: table `alertacknowledgements`, partition `alert`.

use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::alert::Acknowledgement;

impl Row for Acknowledgement {
    fn row_key(&self) -> String {
        self.alert_id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.instant("at", self.at);
        row.text("by", self.by.as_str());
        row.optional_text("note", self.note.as_deref());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            alert_id: row.key_parsed()?,
            at: row.instant("at")?,
            by: row.text("by")?.to_owned(),
            note: row.optional_text("note")?.map(str::to_owned),
        })
    }
}
