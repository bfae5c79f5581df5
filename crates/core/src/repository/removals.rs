//! Removals under way: table `removals`, partition `engine`.

use super::engines::read_secret;
use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{Port, Removal};
use crate::secret::SecretName;

impl Row for Removal {
    fn row_key(&self) -> String {
        self.engine_id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("name", self.name.as_str());
        row.text("engine_type", self.engine_type.as_str());
        row.text("host", self.host.as_str());
        row.small("port", u32::from(self.port.get()));
        row.optional_text(
            "password_secret_name",
            self.secret.as_ref().map(SecretName::as_str),
        );
        row.flag("deletes_backups", self.deletes_backups);
        row.small("total", self.total);
        row.text("user_id", self.user_id.as_str());
        row.text("user_email", self.user_email.as_str());
        row.instant("at", self.at);
        // An engine may have more databases than a text property holds.
        for (number, ids) in self.databases.chunks(IDS_A_PROPERTY).enumerate() {
            row.json(&format!("databases_{number}"), &ids);
        }
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let mut databases = Vec::new();
        for number in 0.. {
            match row.optional_json::<Vec<_>>(&format!("databases_{number}"))? {
                Some(ids) => databases.extend(ids),
                None => break,
            }
        }
        let port = Port::try_from(row.number("port")?).map_err(|error| RowError {
            property: "port".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            engine_id: row.key_parsed()?,
            name: row.parsed("name")?,
            engine_type: row.parsed("engine_type")?,
            host: row.parsed("host")?,
            port,
            secret: read_secret(row, "password_secret_name")?,
            databases,
            deletes_backups: row.flag("deletes_backups", false)?,
            total: row.count("total")?,
            user_id: row.text("user_id")?.to_owned(),
            user_email: row.text("user_email")?.to_owned(),
            at: row.instant("at")?,
        })
    }
}

/// Ids of databases in one property: each has at most 128 characters, and three of JSON.
const IDS_A_PROPERTY: usize = 200;
