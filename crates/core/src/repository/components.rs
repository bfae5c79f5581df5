//! Processes of the installation: table `components`, partition `component`.

use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::component::Component;

impl Row for Component {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("kind", self.kind.as_str());
        row.text("version", self.version.as_str());
        row.instant("started_at", self.started_at);
        row.instant("seen_at", self.seen_at);
        if let Some(slots) = self.slots {
            row.small("slots", slots);
        }
        row.json("engine_types", &self.engine_types);
        row.json("tools", &self.tools);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let slots = row.optional_number("slots")?;
        Ok(Self {
            id: row.key_parsed()?,
            kind: row.parsed("kind")?,
            version: row.text("version")?.to_owned(),
            started_at: row.instant("started_at")?,
            seen_at: row.instant("seen_at")?,
            slots: slots.and_then(|slots| u32::try_from(slots).ok()),
            engine_types: row.optional_json("engine_types")?.unwrap_or_default(),
            tools: row.optional_json("tools")?.unwrap_or_default(),
        })
    }
}
