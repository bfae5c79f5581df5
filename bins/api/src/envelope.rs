//! What surrounds every request: its id, a limit on its time, an answer even after a panic, headers
//! of the answer, and the line in the log.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use dilux_core::random::{Random, uuid_text};
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::attest::RequestId;
use crate::problem::{Problem, Refusal};

/// Longest time until the answer begins. A connection test may wait for a silent server that long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// Name of the header with the id of the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers may do if somebody has a browser show them: nothing. Pages say otherwise.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Name of the header that warns of an API that is open to everybody.
const WARNING: HeaderName = HeaderName::from_static("x-dilux-warning");

/// What is to be shown while nobody is asked who they are.
pub(crate) const OPEN_WARNING: &str =
    "authentication is off: everybody who reaches this address is an admin";

/// Wraps a request: answers always, and says which request it was.
pub(crate) async fn envelop(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers(), &*app.installation.random);
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = run(request, next).await;
    if let Some(problem) = response.extensions().get::<Problem>().cloned() {
        response = with_headers_of(&response, problem.render(Some(&id)));
    }
    add_headers(response.headers_mut(), &id);
    if app.trusts_everybody() {
        let warning = HeaderValue::from_static(OPEN_WARNING);
        response.headers_mut().insert(WARNING, warning);
    }
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
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
