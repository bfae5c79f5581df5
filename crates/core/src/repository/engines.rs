//! Row mapping of engines: table `databaseconfigs`, partition `engine`, as the Python product kept them.

use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::{AuthMethod, Engine, EntraIdentity, MaxJobs, PolicyId, Port, UserName};
use crate::secret::SecretName;

impl Row for Engine {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("name", self.name.as_str());
        row.text("engine_type", self.engine_type.as_str());
        row.text("host", self.host.as_str());
        row.small("port", u32::from(self.port.get()));
        row.text("tls_mode", self.tls_mode.as_str());
        row.optional_text("auth_method", self.auth_method.map(AuthMethod::as_str));
        row.optional_text("username", self.username.as_ref().map(UserName::as_str));
        write_identity(row, &self.identity);
        row.optional_text(
            "password_secret_name",
            self.secret.as_ref().map(SecretName::as_str),
        );
        row.optional_text("policy_id", self.policy_id.as_ref().map(PolicyId::as_str));
        if let Some(max) = self.max_jobs {
            row.small("max_jobs", max.get());
        }
        row.flag("discovery_enabled", self.discovery_enabled);
        row.optional_instant("last_discovery", self.last_discovery);
        row.instant("created_at", self.created_at);
        row.instant("updated_at", self.updated_at);
        row.optional_text("created_by", self.created_by.as_deref());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self {
            id: row.key_parsed()?,
            name: row.parsed("name")?,
            engine_type: row.parsed("engine_type")?,
            host: row.parsed("host")?,
            port: read_port(row)?,
            // Absent from rows of the Python product and of earlier versions.
            tls_mode: row.optional_parsed("tls_mode")?.unwrap_or_default(),
            auth_method: row.optional_parsed("auth_method")?,
            username: row.optional_parsed("username")?,
            identity: read_identity(row)?,
            secret: read_secret(row, "password_secret_name")?,
            policy_id: row.optional_parsed("policy_id")?,
            max_jobs: read_max_jobs(row)?,
            discovery_enabled: row.flag("discovery_enabled", false)?,
            last_discovery: row.optional_instant("last_discovery")?,
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
            created_by: row.optional_text("created_by")?.map(str::to_owned),
        })
    }
}

pub(super) fn write_identity(row: &mut RowWriter, identity: &EntraIdentity) {
    let EntraIdentity {
        tenant_id,
        client_id,
    } = identity;
    if let Some(tenant) = tenant_id {
        row.text("entra_tenant_id", tenant.as_str());
    }
    if let Some(client) = client_id {
        row.text("entra_client_id", client.as_str());
    }
}

pub(super) fn read_identity(row: &RowReader<'_>) -> Result<EntraIdentity, super::row::RowError> {
    Ok(EntraIdentity {
        tenant_id: row.optional_parsed("entra_tenant_id")?,
        client_id: row.optional_parsed("entra_client_id")?,
    })
}

fn read_port(row: &RowReader<'_>) -> Result<Port, super::row::RowError> {
    Port::try_from(row.number("port")?).map_err(|error| super::row::RowError {
        property: "port".to_owned(),
        reason: error.to_string(),
    })
}

fn read_max_jobs(row: &RowReader<'_>) -> Result<Option<MaxJobs>, super::row::RowError> {
    row.optional_number("max_jobs")?
        .map(|number| {
            MaxJobs::try_from(number).map_err(|error| super::row::RowError {
                property: "max_jobs".to_owned(),
                reason: error.to_string(),
            })
        })
        .transpose()
}

pub(super) fn read_secret(
    row: &RowReader<'_>,
    name: &str,
) -> Result<Option<SecretName>, super::row::RowError> {
    row.optional_text(name)?
        .map(|text| {
            SecretName::new(text).map_err(|error| super::row::RowError {
                property: name.to_owned(),
                reason: error.to_string(),
            })
        })
        .transpose()
}
