//! The identity provider: whose tokens are believed, and as which app people are sent there.

use std::path::PathBuf;

use url::Url;

use crate::secret::SecretValue;

/// Where the app's secret is.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientSecretSetting {
    /// In the settings.
    Value(SecretValue),
    /// In this file, read at each sign-in, so that it can be exchanged at any time.
    File(PathBuf),
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityProviderSettings {
    /// Its name as in `iss`, just as it was written; also where its description is found.
    pub issuer: String,
    /// The id of our app there.
    pub client_id: String,
    /// What `aud` of a token for the API must hold.
    pub audience: String,
    /// What `tid` must be; set for Entra ID and nobody else.
    pub tenant: Option<String>,
    /// The secret of our app, where it has one.
    pub client_secret: Option<ClientSecretSetting>,
    /// How browsers reach the API, without a path.
    pub public_url: Url,
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a URL is safe from listeners: https, or http within this machine.
pub(super) fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

impl IdentityProviderSettings {
    /// Whether an address that the provider names may be used: one as safe as its own.
    pub fn may_use(&self, url: &Url) -> bool {
        if self.issuer.starts_with("https:") {
            url.scheme() == "https"
        } else {
            is_private(url)
        }
    }
}
