//! Where data and secrets are kept, and as whom to sign in there.

use std::path::PathBuf;

use super::Reader;
use crate::config::{IdentitySetting, SecretSetting, StorageSetting};
use crate::secret::SecretValue;

pub(super) fn storage(reader: &mut Reader<'_>) -> Option<StorageSetting> {
    let connection = reader.optional("STORAGE_CONNECTION_STRING");
    if reader.optional("STORAGE_ACCOUNT_NAME").is_some() {
        if connection.is_some() {
            reader.problem(
                "STORAGE_CONNECTION_STRING",
                "and STORAGE_ACCOUNT_NAME are both set; keep the one that you mean",
            );
            return None;
        }
        let why = "STORAGE_ACCOUNT_NAME needs it";
        return Some(StorageSetting::Identity {
            blob_endpoint: reader.required("STORAGE_BLOB_ENDPOINT", why),
            queue_endpoint: reader.required("STORAGE_QUEUE_ENDPOINT", why),
            table_endpoint: reader.required("STORAGE_TABLE_ENDPOINT", why),
            identity: identity(reader, why)?,
        });
    }
    let connection = connection.unwrap_or_else(|| "file://./data".to_owned());
    Some(match connection.strip_prefix("file://") {
        Some("") => {
            reader.problem(
                "STORAGE_CONNECTION_STRING",
                "names no directory after file://",
            );
            return None;
        }
        Some(directory) => StorageSetting::Embedded {
            directory: PathBuf::from(directory),
        },
        None => StorageSetting::ConnectionString(SecretValue::new(connection)),
    })
}

fn identity(reader: &mut Reader<'_>, why: &str) -> Option<IdentitySetting> {
    match reader.required("DILUX_STORAGE_IDENTITY", why).as_str() {
        "managed" => Some(IdentitySetting::Managed {
            client_id: reader.optional("AZURE_CLIENT_ID"),
        }),
        "workload" => Some(IdentitySetting::Workload),
        "client-secret" => {
            let why = "the identity client-secret needs it";
            Some(IdentitySetting::ClientSecret {
                tenant_id: reader.required("AZURE_TENANT_ID", why),
                client_id: reader.required("AZURE_CLIENT_ID", why),
                secret: SecretValue::new(reader.required("AZURE_CLIENT_SECRET", why)),
            })
        }
        "" => None,
        _ => {
            reader.problem(
                "DILUX_STORAGE_IDENTITY",
                "must be managed, workload or client-secret",
            );
            None
        }
    }
}

pub(super) fn secrets(
    reader: &mut Reader<'_>,
    storage: Option<&StorageSetting>,
) -> Option<SecretSetting> {
    let by_name = reader
        .optional("KEY_VAULT_NAME")
        .map(|name| format!("https://{}.vault.azure.net", name.trim()));
    if let Some(url) = reader.optional("KEYVAULT_URL").or(by_name) {
        let identity = identity(reader, "Key Vault needs an identity")?;
        return Some(SecretSetting::KeyVault { url, identity });
    }
    if let Some(directory) = reader.optional("DILUX_SECRETS_DIRECTORY") {
        return Some(SecretSetting::Embedded {
            directory: PathBuf::from(directory),
        });
    }
    match storage {
        Some(StorageSetting::Embedded { directory }) => Some(SecretSetting::Embedded {
            directory: directory.clone(),
        }),
        Some(_) => {
            reader.problem(
                "KEY_VAULT_NAME",
                "is not set, and neither is DILUX_SECRETS_DIRECTORY: with Azure storage one of \
                 them must say where passwords are kept",
            );
            None
        }
        None => None,
    }
}
