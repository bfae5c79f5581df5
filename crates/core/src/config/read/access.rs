//! Reads how the API is reached.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use url::Url;

use super::Reader;
use super::authentication::{Stores, authentication};
use crate::config::identity_provider::is_private;
use crate::config::{AccessSettings, RequestLimits};
use crate::model::InvalidName;
use crate::network::TrustedProxies;

pub(super) fn access(
    reader: &mut Reader<'_>,
    api_address: SocketAddr,
    stores: Stores<'_>,
) -> AccessSettings {
    AccessSettings {
        public_url: public_url(reader),
        trusted_proxies: trusted_proxies(reader),
        limits: limits(reader),
        authentication: authentication(reader, api_address, stores),
    }
}

fn public_url(reader: &mut Reader<'_>) -> Option<Url> {
    let name = "DILUX_PUBLIC_URL";
    let text = reader.optional(name)?;
    let is_origin = |url: &Url| {
        is_private(url)
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(text.trim()).ok().filter(is_origin);
    if url.is_none() {
        let rule = "must be https:// and a host without a path (http:// only on this machine)";
        reader.problem(name, rule);
    }
    url
}

fn trusted_proxies(reader: &mut Reader<'_>) -> TrustedProxies {
    let name = "DILUX_TRUSTED_PROXIES";
    let Some(text) = reader.optional(name) else {
        return TrustedProxies::default();
    };
    text.parse().unwrap_or_else(|error: InvalidName| {
        reader.problem(name, error.to_string());
        TrustedProxies::default()
    })
}

fn limits(reader: &mut Reader<'_>) -> RequestLimits {
    let mut limit = |name, absent| NonZeroU32::new(reader.whole(name, absent, 0..=1_000_000));
    RequestLimits {
        callers: limit("DILUX_REQUESTS_PER_MINUTE", 3000),
        strangers: limit("DILUX_ANONYMOUS_REQUESTS_PER_MINUTE", 300),
        costly: limit("DILUX_COSTLY_REQUESTS_PER_MINUTE", 120),
        at_once: limit("DILUX_REQUESTS_AT_ONCE", 256),
        downloads_at_once: limit("DILUX_DOWNLOADS_AT_ONCE", 16),
    }
}
