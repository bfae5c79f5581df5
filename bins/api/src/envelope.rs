//! What surrounds every request: its id, a limit on its time, an answer even after a panic, headers
//! of the answer, and the line in the log.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use dilux_core::random::{Random, uuid_text};
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::problem::{Answer, Problem, Refusal};

/// Longest time until the answer begins. A connection test may wait for a silent server that long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// Name of the header with the id of the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a request: answers always, and says which request it was.
pub(crate) async fn envelop(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers(), &*app.installation.random);
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let mut response = run(request, next).await;
    if let Some(problem) = response.extensions().get::<Problem>().cloned() {
        response = with_headers_of(&response, problem.render(Some(&id)));
    }
    add_headers(response.headers_mut(), &id);
    app.traffic
        .note(&method, &route, response.status(), started.elapsed());
    tracing::debug!(
        http.method = %method,
        http.route = route,
        http.status = response.status().as_u16(),
        http.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        request.id = id,
        "answered"
    );
    response
}

/// Runs the rest as a task of its own. A change goes on to its end when the client hangs up or the
/// time is up, so that nothing is left half done; a mere read is dropped.
async fn run(request: Request, next: Next) -> Response {
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let task = tokio::spawn(next.run(request));
    let outcome = if is_safe {
        tokio::time::timeout(REQUEST_TIMEOUT, AbortOnDropHandle::new(task)).await
    } else {
        tokio::time::timeout(REQUEST_TIMEOUT, task).await
    };
    match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(%error, "request handler panicked");
            Problem::from(Refusal::Panicked).into_response()
        }
        Err(_) => Problem::from(Refusal::TimedOut).into_response(),
    }
}

/// The client's own id when it is short and plain, so that its log and ours can be joined.
fn request_id(headers: &HeaderMap, random: &dyn Random) -> String {
    let is_plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(is_plain)
        .map_or_else(|| uuid_text(random), str::to_owned)
}

/// Keeps headers that the router added to a problem, such as `Allow`.
fn with_headers_of(from: &Response, mut to: Response) -> Response {
    for (name, value) in from.headers() {
        if *name != header::CONTENT_LENGTH && !to.headers().contains_key(name) {
            to.headers_mut().insert(name.clone(), value.clone());
        }
    }
    to
}

fn add_headers(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// Refuses requests that were addressed to another name: a page of a foreign site whose name was
/// made to point here (DNS rebinding) names its own host.
pub(crate) async fn loopback_only(request: Request, next: Next) -> Answer<Response> {
    if is_addressed_to_loopback(request.headers(), request.uri()) {
        Ok(next.run(request).await)
    } else {
        Err(Refusal::ForeignHost.into())
    }
}

fn is_addressed_to_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    host.to_str().is_ok_and(is_loopback_name)
        && uri.authority().is_none_or(|a| is_loopback_name(a.as_str()))
}

/// Whether `authority` (`host` or `host:port`) names this machine.
fn is_loopback_name(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for name in [
            "localhost",
            "LOCALHOST:7071",
            "127.0.0.1",
            "127.8.8.8:1",
            "[::1]",
            "[::1]:7071",
        ] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in [
            "",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org:7071",
            "10.0.0.1",
            "[::2]",
            "user@localhost",
            "localhost:7071@example.org",
            "0.0.0.0",
        ] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }
}
