//! Reads who vouches for people.

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use super::Reader;
use crate::config::identity_provider::is_private;
use crate::config::{AccessSettings, ClientSecretSetting, IdentityProviderSettings};
use crate::secret::SecretValue;

/// Variables that mean nothing without an issuer.
const DEPENDENT: [&str; 5] = [
    "DILUX_OIDC_CLIENT_ID",
    "DILUX_OIDC_AUDIENCE",
    "DILUX_OIDC_TENANT",
    "DILUX_OIDC_CLIENT_SECRET",
    "DILUX_OIDC_CLIENT_SECRET_FILE",
];

/// Hosts whose tokens name a tenant, by how they end.
const ENTRA: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.windows.net",
];

pub(super) fn identity_provider(
    reader: &mut Reader<'_>,
    api_address: SocketAddr,
    access: &AccessSettings,
) -> Option<IdentityProviderSettings> {
    let Some(issuer) = reader.optional("DILUX_OIDC_ISSUER") else {
        for name in DEPENDENT {
            if reader.optional(name).is_some() {
                reader.problem(name, "is set, but DILUX_OIDC_ISSUER is not");
            }
        }
        return None;
    };
    let issuer = issuer.trim().to_owned();
    let tenant = trimmed(reader, "DILUX_OIDC_TENANT");
    check_issuer(reader, &issuer, tenant.is_some());
    let client_id = reader.required("DILUX_OIDC_CLIENT_ID", "DILUX_OIDC_ISSUER needs it");
    let client_id = client_id.trim().to_owned();
    let audience = trimmed(reader, "DILUX_OIDC_AUDIENCE").unwrap_or_else(|| client_id.clone());
    Some(IdentityProviderSettings {
        issuer,
        client_id,
        audience,
        tenant,
        client_secret: client_secret(reader),
        public_url: access
            .public_url
            .clone()
            .or_else(|| local_url(api_address))?,
    })
}

fn trimmed(reader: &Reader<'_>, name: &'static str) -> Option<String> {
    reader.optional(name).map(|text| text.trim().to_owned())
}

fn check_issuer(reader: &mut Reader<'_>, issuer: &str, has_tenant: bool) {
    let name = "DILUX_OIDC_ISSUER";
    let is_plain = |url: &Url| {
        url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let Some(url) = Url::parse(issuer).ok().filter(is_plain) else {
        reader.problem(
            name,
            "must be a URL without a query, as the provider writes it",
        );
        return;
    };
    if !is_private(&url) {
        reader.problem(
            name,
            "must begin with https:// (http:// only on this machine)",
        );
    }
    let host = url.host_str().unwrap_or_default();
    if ENTRA.contains(&host) && !has_tenant {
        let rule = "is not set, but Entra ID needs it: other tenants sign with the same keys";
        reader.problem("DILUX_OIDC_TENANT", rule);
    }
}

fn client_secret(reader: &mut Reader<'_>) -> Option<ClientSecretSetting> {
    let value = reader.optional("DILUX_OIDC_CLIENT_SECRET");
    let file = reader.optional("DILUX_OIDC_CLIENT_SECRET_FILE");
    match (value, file) {
        (Some(_), Some(_)) => {
            let rule = "and DILUX_OIDC_CLIENT_SECRET are both set; keep the one that you mean";
            reader.problem("DILUX_OIDC_CLIENT_SECRET_FILE", rule);
            None
        }
        (Some(value), None) => Some(ClientSecretSetting::Value(SecretValue::new(value))),
        (None, Some(file)) => Some(ClientSecretSetting::File(PathBuf::from(file))),
        (None, None) => None,
    }
}

/// How browsers of this machine reach the API.
fn local_url(api_address: SocketAddr) -> Option<Url> {
    Url::parse(&format!("http://localhost:{}", api_address.port())).ok()
}
