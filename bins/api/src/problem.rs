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
                "the body is longer than 1 MiB",
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
                "this service answers on this machine only: call it as localhost or 127.0.0.1",
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
mod tests {
    use super::*;

    fn status(problem: impl Into<Problem>) -> u16 {
        problem.into().0.status.as_u16()
    }

    #[test]
    fn every_error_has_its_status() {
        let unavailable = Error::Unavailable {
            message: "x".into(),
            retry_after: None,
            source: None,
        };
        let internal = Error::Internal {
            message: "x".into(),
            source: None,
        };
        let too_many = Error::TooManyAttempts {
            message: "x".into(),
            retry_after: Duration::from_secs(1),
        };
        let not_found = Error::NotFound {
            what: "Engine",
            id: "x".into(),
        };
        let stale = Error::Stale {
            current: dilux_core::repository::Version::new("7"),
        };
        for (error, expected) in [
            (not_found, 404),
            (Error::AlreadyExists("x".into()), 409),
            (Error::invalid("a", "b"), 422),
            (Error::Refused("x".into()), 400),
            (Error::WrongState("x".into()), 409),
            (Error::Conflict("x".into()), 412),
            (stale, 412),
            (Error::Unauthenticated, 401),
            (Error::SignInRefused("x".into()), 401),
            (Error::Forbidden("x".into()), 403),
            (too_many, 429),
            (unavailable, 503),
            (internal, 500),
        ] {
            assert_eq!(status(error), expected);
        }
    }

    #[test]
    fn every_refusal_has_its_status() {
        for (refusal, expected) in [
            (Refusal::MalformedJson("x".into()), 400),
            (Refusal::BodyTooLarge, 413),
            (Refusal::BodyUnreadable, 400),
            (Refusal::NoSuchRoute, 404),
            (Refusal::MethodNotAllowed, 405),
            (Refusal::TimedOut, 503),
            (Refusal::ForeignHost, 421),
            (Refusal::RangeNotSatisfiable(3), 416),
            (Refusal::Panicked, 500),
        ] {
            assert_eq!(status(refusal), expected);
        }
    }

    #[test]
    fn an_unavailable_dependency_says_when_to_try_again() {
        let error = Error::Unavailable {
            message: "storage does not answer".into(),
            retry_after: Some(Duration::from_secs(17)),
            source: None,
        };
        let response = Problem::from(error).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "17");
    }
}
