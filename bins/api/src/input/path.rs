//! Ids in paths, and the idempotency key.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use dilux_core::Error;
use dilux_core::model::{
    AccessRequestId, AlertId, ApiTokenId, BackupId, DatabaseId, DeadLetterId, EngineId, JobId,
    PolicyId, UserId,
};

use crate::problem::{Answer, Problem, Refusal};

/// A kind of thing that paths name.
pub(crate) trait Named: FromStr + Send {
    /// Its name in messages.
    const WHAT: &'static str;
}

impl Named for AccessRequestId {
    const WHAT: &'static str = "Access request";
}
impl Named for AlertId {
    const WHAT: &'static str = "Alert";
}
impl Named for UserId {
    const WHAT: &'static str = "User";
}
impl Named for ApiTokenId {
    const WHAT: &'static str = "Token";
}
impl Named for EngineId {
    const WHAT: &'static str = "Engine";
}
impl Named for DatabaseId {
    const WHAT: &'static str = "Database";
}
impl Named for JobId {
    const WHAT: &'static str = "Job";
}
impl Named for BackupId {
    const WHAT: &'static str = "Backup";
}
impl Named for DeadLetterId {
    const WHAT: &'static str = "Dead letter";
}
impl Named for PolicyId {
    const WHAT: &'static str = "Policy";
}

/// The id in the path. A text that cannot be an id names nothing that exists.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: Named, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::NoSuchRoute)?;
        text.parse().map(Self).map_err(|_| {
            let shown = text.chars().take(128).collect();
            Error::NotFound {
                what: T::WHAT,
                id: shown,
            }
            .into()
        })
    }
}

/// The `Idempotency-Key` header: 1–255 visible ASCII characters.
#[derive(Debug)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let key = value.to_str().unwrap_or_default();
        let is_valid = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if is_valid {
            Ok(Self(Some(key.to_owned())))
        } else {
            Err(Error::invalid("Idempotency-Key", "must be 1–255 visible ASCII characters").into())
        }
    }
}
