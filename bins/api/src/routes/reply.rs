//! Successful answers.

use axum::Json;
use axum::http::StatusCode;
use dilux_core::repository::Version;

use crate::etag;

/// 200 with a body and the version of what it shows.
pub(super) type Tagged<T> = (
    [(axum::http::HeaderName, axum::http::HeaderValue); 1],
    Json<T>,
);

/// 201 with a body and the version of what was created.
pub(super) type Created<T> = (StatusCode, Tagged<T>);

/// Wraps what is shown in a version.
pub(super) fn tagged<T>(version: &Version, body: T) -> Tagged<T> {
    (etag::header(version), Json(body))
}

/// Wraps what was created.
pub(super) fn created<T>(version: &Version, body: T) -> (StatusCode, Tagged<T>) {
    (StatusCode::CREATED, tagged(version, body))
}

/// Wraps what was accepted and will be done later.
pub(super) fn accepted<T>(body: T) -> (StatusCode, Json<T>) {
    (StatusCode::ACCEPTED, Json(body))
}
