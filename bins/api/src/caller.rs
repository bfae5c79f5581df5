//! Who calls: the bearer token at the door, and the identity that goes with a request.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use dilux_core::Error;

use crate::app::App;
use crate::problem::{Answer, Problem};

/// Who asked for something. Only the door makes one, so a handler that takes a caller cannot be
/// reached without having passed it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Id for the audit log.
    pub(crate) user_id: String,
    /// E-mail for the audit log and `created_by`.
    pub(crate) user_email: String,
    /// Where the connection came from.
    pub(crate) address: Option<IpAddr>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Error::Unauthenticated.into())
    }
}

/// Lets a request pass only with the bootstrap token.
pub(crate) async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Answer<Response> {
    let presented = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match presented {
        Some(token) if app.token.matches(token) => {}
        _ => return Err(Error::Unauthenticated.into()),
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let caller = Caller {
        user_id: "bootstrap".to_owned(),
        user_email: "bootstrap@localhost".to_owned(),
        address: peer.map(|ConnectInfo(address)| address.ip()),
    };
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}
