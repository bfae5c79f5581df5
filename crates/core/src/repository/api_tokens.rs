//! Row mapping of API tokens: table `apitokens`, partition `api_token`.

use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{ApiToken, SecretHash};

impl Row for ApiToken {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("name", self.name.as_str());
        row.text("role", self.role.as_str());
        row.text("grants", self.grants.to_string());
        row.text("hash", self.hash.to_hex());
        row.instant("created_at", self.created_at);
        row.text("created_by", self.created_by.as_str());
        row.instant("expires_at", self.expires_at);
        row.optional_instant("last_used", self.last_used);
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            id: row.key_parsed()?,
            name: row.parsed("name")?,
            role: row.parsed("role")?,
            grants: row.optional_parsed("grants")?.unwrap_or_default(),
            hash: read_hash(row, "hash")?,
            created_at: row.instant("created_at")?,
            created_by: row.text("created_by")?.to_owned(),
            expires_at: row.instant("expires_at")?,
            last_used: row.optional_instant("last_used")?,
        })
    }
}

pub(super) fn read_hash(row: &RowReader<'_>, name: &str) -> Result<SecretHash, RowError> {
    SecretHash::from_hex(row.text(name)?).map_err(|error| RowError {
        property: name.to_owned(),
        reason: error.to_string(),
    })
}
