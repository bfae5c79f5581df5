//! What a trusted proxy says of the request that it passes on. What it says is read strictly: a
//! proxy that is not set up to say it would pass on the client's own words.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::header::{HeaderMap, HeaderName};
use dilux_core::network::TrustedProxies;

use crate::problem::Refusal;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What a proxy said; nothing of it need be said.
#[derive(Debug, Default)]
pub(super) struct Forwarded<'a> {
    /// Address of the client.
    pub(super) client: Option<IpAddr>,
    /// The name that the client called.
    pub(super) host: Option<&'a str>,
    /// `http` or `https`: how it called.
    pub(super) scheme: Option<&'static str>,
}

impl<'a> Forwarded<'a> {
    /// Reads what `proxy`, one of `proxies`, says.
    pub(super) fn read(
        headers: &'a HeaderMap,
        proxy: IpAddr,
        proxies: &TrustedProxies,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            client: Some(client(headers, proxy, proxies)?),
            host: only(headers, &HOST)?,
            scheme: only(headers, &PROTO)?.map(scheme).transpose()?,
        })
    }
}

/// The last address on the way here that is none of a trusted proxy. Each proxy adds whom it got the
/// request from at the end; what stands before the first stranger is the stranger's own word, and
/// is not even read.
fn client(headers: &HeaderMap, proxy: IpAddr, proxies: &TrustedProxies) -> Result<IpAddr, Refusal> {
    let mut client = proxy;
    let lines: Vec<_> = headers.get_all(FOR).iter().collect();
    for line in lines.into_iter().rev() {
        let hops = line.to_str().map_err(|_| malformed(&FOR))?;
        for hop in hops.rsplit(',') {
            client = address(hop.trim()).ok_or_else(|| malformed(&FOR))?;
            if !proxies.contains(client) {
                return Ok(client);
            }
        }
    }
    Ok(client)
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    let address = bare().or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

/// The value of a header that is there once, if at all.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| malformed(name))?.trim();
    let is_one = values.next().is_none() && !text.is_empty() && !text.contains(',');
    is_one.then_some(Some(text)).ok_or_else(|| malformed(name))
}

fn scheme(text: &str) -> Result<&'static str, Refusal> {
    ["http", "https"]
        .into_iter()
        .find(|known| text.eq_ignore_ascii_case(known))
        .ok_or_else(|| malformed(&PROTO))
}

fn malformed(name: &HeaderName) -> Refusal {
    Refusal::MalformedForwarding(name.clone())
}
