//! Dead letters: table `deadletters`, partition `dead_letter`.

use bytes::Bytes;

use super::collection::Collection;
use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{DeadLetter, DeadLetterId, JobId};
use crate::storage::{StorageErrorKind, StorageResult, Value};

impl Collection<DeadLetter, DeadLetterId> {
    /// Sets a letter aside. Doing so again changes nothing.
    pub async fn set_aside(&self, letter: DeadLetter) -> StorageResult<()> {
        match self.insert(letter).await {
            Err(error) if error.kind() != StorageErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

impl Row for DeadLetter {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        // A message may be longer than a text property.
        let bytes = Bytes::copy_from_slice(self.text.as_bytes());
        row.put("text", Value::Binary(bytes));
        row.text("reason", self.reason.as_str());
        row.optional_text("job_id", self.job_id.as_ref().map(JobId::as_str));
        row.instant("at", self.at);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            id: row.key_parsed()?,
            text: read_text(row)?,
            reason: row.parsed("reason")?,
            job_id: row.optional_parsed("job_id")?,
            at: row.instant("at")?,
        })
    }
}

fn read_text(row: &RowReader<'_>) -> Result<String, RowError> {
    match row.0.properties.get("text") {
        Some(Value::Binary(bytes)) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        _ => Err(RowError {
            property: "text".to_owned(),
            reason: "is missing".to_owned(),
        }),
    }
}
