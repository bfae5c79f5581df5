//! Reads whether callers must say who they are. Switching that off takes two settings, and is refused
//! wherever somebody else could reach the API or something worth protecting is behind it.

use std::net::SocketAddr;

use super::Reader;
use crate::config::identity_provider::is_loopback;
use crate::config::{Authentication, SecretSetting, StorageSetting};
use crate::storage::azure::AzureConfig;

const SWITCH: &str = "DILUX_AUTH";
const CONSENT: &str = "DILUX_EVERYBODY_IS_ADMIN";

/// Variables by which others than the people of this machine come to the API.
const WAYS_IN: [&str; 3] = [
    "DILUX_PUBLIC_URL",
    "DILUX_TRUSTED_PROXIES",
    "DILUX_OIDC_ISSUER",
];

/// The store and the secrets, as far as they could be read.
pub(super) type Stores<'a> = (Option<&'a StorageSetting>, Option<&'a SecretSetting>);

pub(super) fn authentication(
    reader: &mut Reader<'_>,
    api_address: SocketAddr,
    stores: Stores<'_>,
) -> Authentication {
    let is_off = choice(reader, SWITCH, ["on", "off"]);
    let is_agreed = choice(reader, CONSENT, ["no", "yes"]);
    match (is_off, is_agreed) {
        (false, false) => Authentication::Required,
        (false, true) => {
            let rule = "is yes, but DILUX_AUTH is not off; unset it, or set both";
            reader.problem(CONSENT, rule);
            Authentication::Required
        }
        (true, false) => {
            let rule = "is off, which makes everybody who reaches the API an admin; unset it, or say \
                        that you mean it with DILUX_EVERYBODY_IS_ADMIN=yes";
            reader.problem(SWITCH, rule);
            Authentication::Off
        }
        (true, true) => {
            refuse_others(reader, api_address);
            refuse_production(reader, stores);
            Authentication::Off
        }
    }
}

/// Whether the second of two words was said; the first one is meant when nothing is.
fn choice(reader: &mut Reader<'_>, name: &'static str, [usual, other]: [&str; 2]) -> bool {
    let text = reader.text(name, usual);
    let word = text.trim();
    if word != usual && word != other {
        reader.problem(name, format!("must be {usual} or {other}"));
    }
    word == other
}

fn refuse_others(reader: &mut Reader<'_>, api_address: SocketAddr) {
    if !api_address.ip().is_loopback() {
        let rule = "is off, so DILUX_API_ADDRESS must be a loopback address such as 127.0.0.1:7071";
        reader.problem(SWITCH, rule);
    }
    for name in WAYS_IN {
        if reader.optional(name).is_some() {
            let rule = format!(
                "is off, so nobody but the people of this machine may reach the API, but {name} is \
                 set; unset one of them"
            );
            reader.problem(SWITCH, rule);
        }
    }
}

fn refuse_production(reader: &mut Reader<'_>, (storage, secrets): Stores<'_>) {
    if !storage.is_none_or(is_local) {
        let rule = "is off, but the storage is not on this machine; unset it, or use \
                    STORAGE_CONNECTION_STRING=file://DIRECTORY or an Azurite on this machine";
        reader.problem(SWITCH, rule);
    }
    if matches!(secrets, Some(SecretSetting::KeyVault { .. })) {
        let rule = "is off, but passwords are kept in a Key Vault; unset it, or keep them in \
                    DILUX_SECRETS_DIRECTORY";
        reader.problem(SWITCH, rule);
    }
}

/// Whether a store is on this machine.
fn is_local(storage: &StorageSetting) -> bool {
    match storage {
        StorageSetting::Embedded { .. } => true,
        StorageSetting::ConnectionString(text) => AzureConfig::from_connection_string(text)
            .is_ok_and(|config| {
                let endpoints = &config.endpoints;
                [endpoints.blob(), endpoints.queue(), endpoints.table()]
                    .into_iter()
                    .all(is_loopback)
            }),
        StorageSetting::Identity { .. } => false,
    }
}
