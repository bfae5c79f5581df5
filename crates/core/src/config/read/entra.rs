//! Tokens for database servers.

use std::str::FromStr;

use super::Reader;
use crate::config::{EntraSettings, IdentitySetting};
use crate::model::InvalidName;
use crate::secret::SecretValue;

pub(super) fn entra(reader: &mut Reader<'_>) -> EntraSettings {
    EntraSettings {
        cloud: parsed(reader, "AZURE_AUTHORITY_HOST"),
        managed_client_id: managed_client_id(reader),
        own_app: own_app(reader),
        hosts: parsed(reader, "DILUX_TOKEN_HOSTS"),
    }
}

/// `AZURE_CLIENT_ID` names an identity only where it does so for the store.
fn managed_client_id(reader: &Reader<'_>) -> Option<String> {
    let identity = reader.optional("DILUX_STORAGE_IDENTITY")?;
    (identity == "managed")
        .then(|| reader.optional("AZURE_CLIENT_ID"))
        .flatten()
}

fn own_app(reader: &Reader<'_>) -> Option<IdentitySetting> {
    if reader.optional("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        return Some(IdentitySetting::Workload);
    }
    Some(IdentitySetting::ClientSecret {
        tenant_id: reader.optional("AZURE_TENANT_ID")?,
        client_id: reader.optional("AZURE_CLIENT_ID")?,
        secret: SecretValue::new(reader.optional("AZURE_CLIENT_SECRET")?),
    })
}

fn parsed<T: FromStr<Err = InvalidName> + Default>(
    reader: &mut Reader<'_>,
    name: &'static str,
) -> T {
    let Some(text) = reader.optional(name) else {
        return T::default();
    };
    text.parse().unwrap_or_else(|error: InvalidName| {
        reader.problem(name, error.to_string());
        T::default()
    })
}
