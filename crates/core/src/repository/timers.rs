//! Timers: table `timers`, partition `timer`. A property that cannot be read counts as absent: a
//! damaged row must not stop a timer, and what it then does again does no harm.

use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::timer::TimerState;

impl Row for TimerState {
    fn row_key(&self) -> String {
        self.timer.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.optional_instant("served", self.served);
        row.optional_instant("next", self.next);
        if let Some(claim) = &self.claim {
            row.json("claim", claim);
        }
        if let Some(last) = &self.last {
            row.json("last", last);
        }
        if !self.earlier.is_empty() {
            row.json("earlier", &self.earlier);
        }
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            timer: row.key_parsed()?,
            served: row.optional_instant("served").ok().flatten(),
            next: row.optional_instant("next").ok().flatten(),
            claim: row.optional_json("claim").ok().flatten(),
            last: row.optional_json("last").ok().flatten(),
            earlier: row
                .optional_json("earlier")
                .ok()
                .flatten()
                .unwrap_or_default(),
        })
    }
}
