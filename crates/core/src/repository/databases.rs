//! Row mapping of databases: table `databaseconfigs`, partition `database`.

use std::collections::BTreeMap;

use super::engines::{read_identity, read_secret, write_identity};
use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::{
    Compression, CredentialSource, Database, Destination, PolicySource, RpoMinutes, UserName,
};
use crate::secret::SecretName;

/// Columns of a database row that other code filters by.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseRow;

impl DatabaseRow {
    /// Id of the engine.
    pub const ENGINE_ID: &'static str = "engine_id";
}

impl Row for Database {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text(DatabaseRow::ENGINE_ID, self.engine_id.as_str());
        row.text("name", self.label.as_str());
        row.text("database_name", self.database_name.as_str());
        match &self.credentials {
            CredentialSource::Engine => row.flag("use_engine_credentials", true),
            CredentialSource::Own {
                auth_method,
                username,
                identity,
                secret,
            } => {
                row.flag("use_engine_credentials", false);
                write_identity(row, identity);
                row.text("auth_method", auth_method.as_str());
                row.optional_text("username", username.as_ref().map(UserName::as_str));
                row.optional_text(
                    "password_secret_name",
                    secret.as_ref().map(SecretName::as_str),
                );
            }
        }
        match &self.policy {
            PolicySource::Engine => row.flag("use_engine_policy", true),
            PolicySource::Own(id) => {
                row.flag("use_engine_policy", false);
                row.text("policy_id", id.as_str());
            }
        }
        row.flag("enabled", self.enabled);
        if let Some(rpo) = self.rpo_minutes {
            row.small("rpo_minutes", rpo.get());
        }
        row.flag("compression", self.compression != Compression::None);
        row.text("compression_method", self.compression.as_str());
        row.optional_text(
            "backup_destination",
            self.destination.as_ref().map(Destination::as_str),
        );
        row.json("tags_json", &self.tags);
        row.instant("created_at", self.created_at);
        row.instant("updated_at", self.updated_at);
        row.optional_text("created_by", self.created_by.as_deref());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            id: row.key_parsed()?,
            engine_id: row.parsed(DatabaseRow::ENGINE_ID)?,
            label: row.parsed("name")?,
            database_name: row.parsed("database_name")?,
            credentials: read_credentials(row)?,
            policy: read_policy(row)?,
            enabled: row.flag("enabled", true)?,
            rpo_minutes: read_rpo(row)?,
            compression: read_compression(row)?,
            destination: row.optional_parsed("backup_destination")?,
            tags: row
                .optional_json::<BTreeMap<String, String>>("tags_json")?
                .unwrap_or_default(),
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
            created_by: row.optional_text("created_by")?.map(str::to_owned),
        })
    }
}

fn read_credentials(row: &RowReader<'_>) -> Result<CredentialSource, super::row::RowError> {
    if row.flag("use_engine_credentials", true)? {
        return Ok(CredentialSource::Engine);
    }
    Ok(CredentialSource::Own {
        auth_method: row
            .optional_parsed("auth_method")?
            .unwrap_or(crate::model::AuthMethod::UserPassword),
        username: row.optional_parsed("username")?,
        identity: read_identity(row)?,
        secret: read_secret(row, "password_secret_name")?,
    })
}

/// An empty policy of the Python product means `production-standard`.
fn read_policy(row: &RowReader<'_>) -> Result<PolicySource, super::row::RowError> {
    if row.flag("use_engine_policy", false)? {
        return Ok(PolicySource::Engine);
    }
    let id = row
        .optional_text("policy_id")?
        .unwrap_or(crate::schedule::DEFAULT_POLICY);
    id.parse()
        .map(PolicySource::Own)
        .map_err(|error: crate::model::InvalidId| super::row::RowError {
            property: "policy_id".to_owned(),
            reason: error.to_string(),
        })
}

fn read_rpo(row: &RowReader<'_>) -> Result<Option<RpoMinutes>, super::row::RowError> {
    row.optional_number("rpo_minutes")?
        .map(|number| {
            RpoMinutes::try_from(number).map_err(|error| super::row::RowError {
                property: "rpo_minutes".to_owned(),
                reason: error.to_string(),
            })
        })
        .transpose()
}

/// The Python product knew gzip or nothing.
fn read_compression(row: &RowReader<'_>) -> Result<Compression, super::row::RowError> {
    let absent = if row.flag("compression", true)? {
        Compression::Gzip
    } else {
        Compression::None
    };
    Ok(row.optional_parsed("compression_method")?.unwrap_or(absent))
}
