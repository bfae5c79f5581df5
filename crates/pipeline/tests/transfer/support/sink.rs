//! A restore into memory that records how it ended.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Finished,
    Aborted,
}

#[derive(Debug, Default)]
struct Record {
    bytes: Vec<u8>,
    smallest_before_last: Option<usize>,
    last: usize,
    ending: Option<Ending>,
}

/// What a restore got; the sink itself is [`RecordingSink::sink`].
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordingSink {
    record: Arc<Mutex<Record>>,
    dies_after: Option<usize>,
    hangs_after: Option<usize>,
}

impl RecordingSink {
    /// A sink whose tool dies once it got more than so many bytes.
    pub(crate) fn dying_after(bytes: usize) -> Self {
        Self {
            dies_after: Some(bytes),
            ..Self::default()
        }
    }

    /// A sink that takes nothing more once it got so many bytes.
    pub(crate) fn hanging_after(bytes: usize) -> Self {
        Self {
            hangs_after: Some(bytes),
            ..Self::default()
        }
    }

    pub(crate) fn sink(&self) -> Box<dyn RestoreSink> {
        Box::new(self.clone())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.record.lock().unwrap().bytes.clone()
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.record.lock().unwrap().ending
    }

    /// The smallest piece but for the last.
    pub(crate) fn smallest_piece(&self) -> Option<usize> {
        self.record.lock().unwrap().smallest_before_last
    }
}

#[async_trait]
impl RestoreSink for RecordingSink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let received = {
            let mut record = self.record.lock().unwrap();
            if record.last > 0 {
                let smallest = record.smallest_before_last.unwrap_or(usize::MAX);
                record.smallest_before_last = Some(smallest.min(record.last));
            }
            record.last = bytes.len();
            record.bytes.extend_from_slice(&bytes);
            record.bytes.len()
        };
        if self.dies_after.is_some_and(|limit| received > limit) {
            return Err(Failure::new(
                FailureKind::ToolFailed,
                "psql failed with exit code 3",
            ));
        }
        if self.hangs_after.is_some_and(|limit| received > limit) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Failure> {
        self.record.lock().unwrap().ending = Some(Ending::Finished);
        Ok(())
    }

    async fn abort(self: Box<Self>) {
        self.record.lock().unwrap().ending = Some(Ending::Aborted);
    }
}
