//! Connection strings of Azure storage accounts.
//!
//! A misplaced separator can make any part of a key look like a name, so that no error here shows
//! anything that was read.

use super::config::{AzureAuth, AzureConfig, AzureEndpoints, unusable};
use super::sas;
use crate::secret::SecretValue;
use crate::storage::StorageResult;

/// Account and key of every storage emulator, published by Microsoft.
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoMGGw==";

/// What a connection string may set. Names compare without case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    AccountName,
    AccountKey,
    SharedAccessSignature,
    Protocol,
    EndpointSuffix,
    BlobEndpoint,
    QueueEndpoint,
    TableEndpoint,
    UseDevelopmentStorage,
    DevelopmentStorageProxyUri,
    /// Known to Azure, of no use here.
    Ignored,
}

impl Setting {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "accountname" => Self::AccountName,
            "accountkey" => Self::AccountKey,
            "sharedaccesssignature" => Self::SharedAccessSignature,
            "defaultendpointsprotocol" => Self::Protocol,
            "endpointsuffix" => Self::EndpointSuffix,
            "blobendpoint" => Self::BlobEndpoint,
            "queueendpoint" => Self::QueueEndpoint,
            "tableendpoint" => Self::TableEndpoint,
            "usedevelopmentstorage" => Self::UseDevelopmentStorage,
            "developmentstorageproxyuri" => Self::DevelopmentStorageProxyUri,
            "fileendpoint"
            | "blobsecondaryendpoint"
            | "queuesecondaryendpoint"
            | "tablesecondaryendpoint"
            | "filesecondaryendpoint" => Self::Ignored,
            _ => return None,
        })
    }
}

struct Settings<'a>(Vec<(Setting, &'a str)>);

impl<'a> Settings<'a> {
    fn read(text: &'a str) -> StorageResult<Self> {
        let mut settings: Vec<(Setting, &str)> = Vec::new();
        for (index, part) in text.split(';').map(str::trim).enumerate() {
            if part.is_empty() {
                continue;
            }
            let number = index + 1;
            let (name, value) = part.split_once('=').ok_or_else(|| {
                unusable(format!(
                    "part {number} of the connection string is not NAME=VALUE"
                ))
            })?;
            let setting = Setting::named(name.trim()).ok_or_else(|| {
                unusable(format!(
                    "part {number} of the connection string has a name that is not known; known \
                     are AccountName, AccountKey, SharedAccessSignature, BlobEndpoint, \
                     QueueEndpoint, TableEndpoint, DefaultEndpointsProtocol, EndpointSuffix and \
                     UseDevelopmentStorage"
                ))
            })?;
            if setting != Setting::Ignored && settings.iter().any(|(known, _)| *known == setting) {
                return Err(unusable(format!(
                    "the connection string sets {setting:?} twice"
                )));
            }
            settings.push((setting, value.trim()));
        }
        Ok(Self(settings))
    }

    fn get(&self, setting: Setting) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == setting)?;
        Some(*value).filter(|value| !value.is_empty())
    }

    fn endpoints(&self) -> StorageResult<AzureEndpoints> {
        let protocol = self.get(Setting::Protocol).unwrap_or("https");
        let suffix = self
            .get(Setting::EndpointSuffix)
            .unwrap_or("core.windows.net");
        let of = |service: &str, setting| match (self.get(setting), self.get(Setting::AccountName))
        {
            (Some(endpoint), _) => Ok(endpoint.to_owned()),
            (None, Some(account)) => Ok(format!("{protocol}://{account}.{service}.{suffix}")),
            (None, None) => Err(unusable(format!(
                "the connection string has neither AccountName nor {setting:?}"
            ))),
        };
        AzureEndpoints::new(
            &of("blob", Setting::BlobEndpoint)?,
            &of("queue", Setting::QueueEndpoint)?,
            &of("table", Setting::TableEndpoint)?,
        )
    }

    fn auth(&self) -> StorageResult<AzureAuth> {
        let key = self.get(Setting::AccountKey);
        let signature = self.get(Setting::SharedAccessSignature);
        match (key, signature) {
            (Some(key), None) => {
                let account = self.get(Setting::AccountName).ok_or_else(|| {
                    unusable("the connection string has an AccountKey but no AccountName")
                })?;
                shared_key(account, key)
            }
            (None, Some(signature)) => Ok(AzureAuth::Sas(sas::parse(signature)?)),
            (Some(_), Some(_)) => Err(unusable(
                "the connection string has both AccountKey and SharedAccessSignature; keep one",
            )),
            (None, None) => Err(unusable(
                "the connection string has neither AccountKey nor SharedAccessSignature",
            )),
        }
    }
}

/// Reads a connection string.
pub(super) fn parse(text: &str) -> StorageResult<AzureConfig> {
    let settings = Settings::read(text)?;
    if let Some(wanted) = settings.get(Setting::UseDevelopmentStorage) {
        if !wanted.eq_ignore_ascii_case("true") {
            return Err(unusable("UseDevelopmentStorage can only be true"));
        }
        return development(settings.get(Setting::DevelopmentStorageProxyUri));
    }
    Ok(AzureConfig::new(settings.endpoints()?, settings.auth()?))
}

/// The emulator on its usual ports.
fn development(proxy: Option<&str>) -> StorageResult<AzureConfig> {
    let base = proxy.unwrap_or("http://127.0.0.1").trim_end_matches('/');
    let of = |port: u16| format!("{base}:{port}/{DEVELOPMENT_ACCOUNT}");
    let endpoints = AzureEndpoints::new(&of(10_000), &of(10_001), &of(10_002))?;
    Ok(AzureConfig::new(
        endpoints,
        shared_key(DEVELOPMENT_ACCOUNT, DEVELOPMENT_KEY)?,
    ))
}

fn shared_key(account: &str, key: &str) -> StorageResult<AzureAuth> {
    let is_account = (3..=24).contains(&account.len())
        && account
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !is_account {
        return Err(unusable(
            "AccountName is not 3–24 lower-case letters and digits",
        ));
    }
    if data_encoding::BASE64.decode(key.as_bytes()).is_err() {
        return Err(unusable(
            "AccountKey is not base64; copy it whole, with the = signs at its end",
        ));
    }
    Ok(AzureAuth::SharedKey {
        account: account.to_owned(),
        key: SecretValue::new(key),
    })
}

#[cfg(test)]
mod tests;
