//! Dead letters: table `deadletters`, partition `dead_letter`; and in the partition `requeue` which of
//! them were put back on requests with an idempotency key.

use bytes::Bytes;

use super::collection::Collection;
use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{DeadLetter, DeadLetterId, JobId, Requeue, Requeued};
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

impl Row for Requeue {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("letter", self.letter.as_str());
        row.instant("letter_at", self.letter_at);
        row.instant("at", self.at);
        row.flag("is_done", self.outcome.is_some());
        let job = self.outcome.as_ref().and_then(|it| it.job_id.as_ref());
        row.optional_text("job_id", job.map(JobId::as_str));
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let job_id = row.optional_parsed("job_id")?;
        let is_done = row.flag("is_done", false)?;
        Ok(Self {
            id: row.key_parsed()?,
            letter: row.parsed("letter")?,
            letter_at: row.instant("letter_at")?,
            at: row.instant("at")?,
            outcome: is_done.then_some(Requeued { job_id }),
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
