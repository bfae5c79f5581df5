//! The row of a tally: in the partition of the lines that it counts, written in one transaction
//! with them, and copied to table `backuptallies`, where all are read at once.

use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::{Damage, EngineType, Label, Tally};

impl Row for Tally {
    fn row_key(&self) -> String {
        self.database_id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("database_id", self.database_id.as_str());
        row.optional_text("newest", self.newest.as_deref());
        row.optional_text("database_name", self.label.as_ref().map(Label::as_str));
        row.optional_text("database_type", self.engine_type.map(EngineType::as_str));
        row.size("standing", self.standing);
        row.size("standing_bytes", self.standing_bytes);
        row.size("present", self.present);
        row.size("present_bytes", self.present_bytes);
        row.json("ever", &self.ever);
        row.json("hours", &self.hours);
        row.json("days", &self.days);
        row.json("streak", &self.streak);
        if self.damage != Damage::default() {
            row.json("damage", &self.damage);
        }
        row.size("revision", self.revision);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let size = |name| row.unsigned(name).map(Option::unwrap_or_default);
        Ok(Self {
            database_id: row.parsed("database_id")?,
            newest: row.optional_text("newest")?.map(str::to_owned),
            label: row.optional_parsed("database_name")?,
            engine_type: row.optional_parsed("database_type")?,
            standing: size("standing")?,
            standing_bytes: size("standing_bytes")?,
            present: size("present")?,
            present_bytes: size("present_bytes")?,
            ever: row.json("ever")?,
            hours: row.json("hours")?,
            days: row.json("days")?,
            streak: row.json("streak")?,
            damage: row.optional_json("damage")?.unwrap_or_default(),
            revision: size("revision")?,
        })
    }
}
