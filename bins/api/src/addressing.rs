//! Where a request comes from and by which name the API was addressed, before anything else is made
//! of it. What a proxy says of both counts where settings name the proxy, and nowhere else.

mod forwarded;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::Response;
use dilux_core::Error;
use dilux_core::config::AccessSettings;
use url::{Origin, Url};

use crate::app::App;
use crate::problem::{Answer, Problem, Refusal};
use forwarded::Forwarded;

/// Where a request comes from, and which pages are our own.
#[derive(Debug, Clone)]
pub(crate) struct Addressing {
    client: Option<IpAddr>,
    own: Vec<Origin>,
    base: String,
}

impl Addressing {
    /// The address of the client: of the proxy's client where a proxy is believed. `None` when
    /// nothing is known of the connection.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// What links to this API begin with: the public URL where there is one, else what the client
    /// called, by the scheme that a trusted proxy told.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Whether the header `Origin` names a page of ours.
    pub(crate) fn is_own(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().ok().and_then(|text| Url::parse(text).ok());
        origin.is_some_and(|origin| self.own.contains(&origin.origin()))
    }

    /// What is known of `request`. Refused when it was addressed to a name that is not ours, or a
    /// trusted proxy says what cannot be understood.
    pub(crate) fn of(request: &Request, settings: &AccessSettings) -> Result<Self, Refusal> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(address)| address.ip().to_canonical());
        let headers = request.headers();
        let proxies = &settings.trusted_proxies;
        let proxy = peer.filter(|peer| proxies.contains(*peer));
        let forwarded = match proxy {
            Some(proxy) => Forwarded::read(headers, proxy, proxies)?,
            None => Forwarded::default(),
        };
        let public = settings.public_url.as_ref();
        let public_name = public.and_then(Url::host_str).filter(|_| proxy.is_some());
        let host = host_in(headers).ok_or(Refusal::ForeignHost)?;
        // A page of a foreign name that was made to point here (DNS rebinding) can send any header
        // but Host, so that one is looked at even where a proxy names another.
        let names = [
            Some(host),
            request.uri().authority().map(Authority::as_str),
            forwarded.host,
        ];
        for name in names.into_iter().flatten() {
            if !is_loopback_name(name) && !public_name.is_some_and(|ours| is_host(name, ours)) {
                return Err(Refusal::ForeignHost);
            }
        }
        let name = forwarded.host.unwrap_or(host);
        let public = public.map(Url::origin);
        let base = match &public {
            Some(public) => public.ascii_serialization(),
            None => format!("{}://{name}", forwarded.scheme.unwrap_or("http")),
        };
        Ok(Self {
            base,
            client: forwarded.client.or(peer),
            own: public
                .into_iter()
                .chain(local_origins(name, forwarded.scheme))
                .collect(),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Addressing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let addressing = parts.extensions.get::<Self>().cloned();
        addressing.ok_or_else(|| {
            Problem::from(Error::Internal {
                message: "the request was not looked at".to_owned(),
                source: None,
            })
        })
    }
}

/// Refuses requests that were addressed to another name, and notes of the others where they come
/// from.
pub(crate) async fn receive(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Answer<Response> {
    let addressing = Addressing::of(&request, &app.installation.settings.access)?;
    request.extensions_mut().insert(addressing);
    Ok(next.run(request).await)
}

/// The one `Host` of a request.
fn host_in(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    host.to_str().ok()
}

/// The origins of pages that were loaded from this machine by `name`; the only scheme known is the
/// one that a proxy told.
fn local_origins(name: &str, scheme: Option<&'static str>) -> Vec<Origin> {
    let schemes = scheme.map_or(vec!["http", "https"], |scheme| vec![scheme]);
    let urls = schemes
        .into_iter()
        .filter(|_| is_loopback_name(name))
        .filter_map(|scheme| Url::parse(&format!("{scheme}://{name}")).ok());
    urls.map(|url| url.origin()).collect()
}

/// The host in `host` or `host:port`.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether `authority` names `host`, at whatever port: proxies tend to leave it out.
fn is_host(authority: &str, host: &str) -> bool {
    host_of(authority).eq_ignore_ascii_case(host)
}

/// Whether `authority` names this machine.
fn is_loopback_name(authority: &str) -> bool {
    let host = host_of(authority);
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
