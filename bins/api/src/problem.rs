//! From a failure to `application/problem+json`: the only file that knows which failure has which
//! status code.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{StatusCode, request};
use axum::response::{IntoResponse, Response};
use dilux_core::Error;
use dilux_core::error::FieldProblem;
use dilux_core::storage::StorageError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::etag;

/// When to try again after a 503 of unknown length.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// When to try again when too many are being answered.
const CROWD_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a route answers.
pub(crate) type Answer<T> = Result<T, Problem>;

/// What the HTTP layer refuses by itself, before a use case is asked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The body is not JSON; why.
    MalformedJson(String),
    /// The body is longer than allowed.
    BodyTooLarge,
    /// The body could not be read to its end.
    BodyUnreadable,
    /// Nothing is served at this path.
    NoSuchRoute,
    /// Something is served here, but not with this method.
    MethodNotAllowed,
    /// The answer took too long.
    TimedOut,
    /// The request was addressed to a name that is not this machine.
    ForeignHost,
    /// A trusted proxy sent this header in a form that says nothing.
    MalformedForwarding(HeaderName),
    /// More requests came than are answered; after so long there is room for one more.
    TooManyRequests(Duration),
    /// All places are taken by requests that are not answered yet.
    Crowded,
    /// The range lies outside of what is there, this many bytes.
    RangeNotSatisfiable(u64),
    /// A defect stopped the handler.
    Panicked,
}

/// A failure on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    errors: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One field that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Path of the field, dots between levels.
    #[schema(example = "database.port")]
    field: String,
    /// What is wrong, and what would be right.
    #[schema(example = "must be between 1 and 65535")]
    reason: String,
}

/// A failure as the client sees it (RFC 9457, plus the key `error` of the Python product).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Kind of failure, stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:dilux:problem:invalid")]
    kind: String,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    title: String,
    /// The status code.
    #[schema(example = 422)]
    status: u16,
    /// What went wrong, for a person.
    detail: String,
    /// The same text as `detail`.
    error: String,
    /// The fields that were refused; empty when none was.
    errors: Vec<FieldError>,
    /// Id of the request, as in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self::with_errors(status, kind, detail, Vec::new())
    }

    fn with_errors(
        status: StatusCode,
        kind: &'static str,
        detail: impl Into<String>,
        errors: Vec<FieldProblem>,
    ) -> Self {
        Self(Arc::new(Parts {
            status,
            kind,
            detail: detail.into(),
            errors,
            headers: Vec::new(),
        }))
    }

    fn with_header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let (Some(parts), Ok(value)) = (
            Arc::get_mut(&mut self.0),
            HeaderValue::from_str(value.as_ref()),
        ) {
            parts.headers.push((name, value));
        }
        self
    }

    fn unavailable(detail: &str, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(retry_after)
    }

    /// The same with the header that says when to try again: whole seconds, rounded up.
    fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1).to_string();
        self.with_header(header::RETRY_AFTER, seconds)
    }

    fn internal(detail: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// What a person is to be told.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The same failure in another form than JSON.
    pub(crate) fn shown_as(&self, page: impl IntoResponse) -> Response {
        let mut response = (self.0.status, page).into_response();
        for (name, value) in &self.0.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    /// The answer, naming the request.
    pub(crate) fn render(&self, request_id: Option<&str>) -> Response {
        let parts = &self.0;
        let body = ProblemBody {
            kind: format!("urn:dilux:problem:{}", parts.kind),
            title: parts
                .status
                .canonical_reason()
                .unwrap_or_default()
                .to_owned(),
            status: parts.status.as_u16(),
            detail: parts.detail.clone(),
            error: parts.detail.clone(),
            errors: parts
                .errors
                .iter()
                .map(|problem| FieldError {
                    field: problem.field.clone(),
                    reason: problem.reason.clone(),
                })
                .collect(),
            request_id: request_id.map(str::to_owned),
        };
        let mut response = (parts.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        for (name, value) in &parts.headers {
            headers.insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.render(None)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            Error::AlreadyExists(_) => Self::new(StatusCode::CONFLICT, "already-exists", detail),
            Error::Invalid(errors) => {
                Self::with_errors(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail, errors)
            }
            Error::Refused(_) => Self::new(StatusCode::BAD_REQUEST, "refused", detail),
            Error::WrongState(_) => Self::new(StatusCode::CONFLICT, "wrong-state", detail),
            Error::Conflict(_) => Self::new(StatusCode::PRECONDITION_FAILED, "changed", detail),
            Error::Stale { current } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "changed", detail)
                    .with_header(header::ETAG, etag::text(&current))
            }
            Error::Unauthenticated | Error::SignInRefused(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
                    .with_header(header::WWW_AUTHENTICATE, "Bearer")
            }
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            Error::TooManyAttempts { retry_after, .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", detail)
                    .retry_after(retry_after)
            }
            Error::Unavailable {
                retry_after,
                source,
                ..
            } => {
                tracing::warn!(error = ?source, "a dependency does not answer");
                Self::unavailable(&detail, retry_after.unwrap_or(DEFAULT_RETRY_AFTER))
            }
            Error::Internal { source, .. } => {
                tracing::error!(error = ?source, detail, "request failed");
                Self::internal(&detail)
            }
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Error::from(error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::MalformedJson(why) => Self::new(
                StatusCode::BAD_REQUEST,
                "malformed",
                format!("the body is not valid JSON: {why}"),
            ),
            Refusal::BodyTooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "the body is longer than this route takes: 1 MiB, 16 MiB for the import of a \
                 configuration",
            ),
            Refusal::BodyUnreadable => Self::new(
                StatusCode::BAD_REQUEST,
                "malformed",
                "the body could not be read to its end",
            ),
            Refusal::NoSuchRoute => Self::new(
                StatusCode::NOT_FOUND,
                "no-such-route",
                "nothing is served here; see /api/docs",
            ),
            Refusal::MethodNotAllowed => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "this is not served with this method; see /api/docs",
            ),
            Refusal::TimedOut => Self::unavailable(
                "the request took too long; it may still finish",
                DEFAULT_RETRY_AFTER,
            ),
            Refusal::ForeignHost => Self::new(
                StatusCode::MISDIRECTED_REQUEST,
                "foreign-host",
                "the service is not called so: call it as localhost or 127.0.0.1, or name it in \
                 DILUX_PUBLIC_URL and its proxy in DILUX_TRUSTED_PROXIES",
            ),
            Refusal::MalformedForwarding(name) => Self::new(
                StatusCode::BAD_REQUEST,
                "malformed",
                format!("the proxy's header {name} cannot be read; have the proxy set it anew"),
            ),
            Refusal::TooManyRequests(wait) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "too many requests; wait as long as Retry-After says",
            )
            .retry_after(wait),
            Refusal::Crowded => Self::unavailable(
                "too many requests are being answered; try again in a moment",
                CROWD_RETRY_AFTER,
            ),
            Refusal::RangeNotSatisfiable(size) => Self::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range",
                format!("the range lies outside of the {size} bytes that are there"),
            )
            .with_header(header::CONTENT_RANGE, format!("bytes */{size}")),
            Refusal::Panicked => Self::internal("a defect stopped this request; see the log"),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Refusal::BodyTooLarge.into()
        } else {
            Refusal::BodyUnreadable.into()
        }
    }
}

/// Answers what no route serves.
pub(crate) async fn no_such_route(_: request::Parts) -> Problem {
    Refusal::NoSuchRoute.into()
}

/// Answers a method that a route does not have.
pub(crate) async fn method_not_allowed(_: request::Parts) -> Problem {
    Refusal::MethodNotAllowed.into()
}

#[cfg(test)]
mod tests;
