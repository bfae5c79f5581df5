//! ETags of resources: opaque to clients, made from the version of the row.

use axum::extract::FromRequestParts;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use dilux_core::Error;
use dilux_core::repository::Version;
use sha2::{Digest, Sha256};

use crate::problem::{Answer, Problem};

/// The header value of a version.
pub(crate) fn text(version: &Version) -> String {
    of(version.as_str().as_bytes())
}

/// The header value of what these bytes say.
pub(crate) fn of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    format!("\"{}\"", data_encoding::HEXLOWER.encode(&hash[..12]))
}

/// The `ETag` header of a version.
pub(crate) fn header(version: &Version) -> [(HeaderName, HeaderValue); 1] {
    let value = HeaderValue::try_from(text(version));
    [(
        header::ETAG,
        value.unwrap_or_else(|_| HeaderValue::from_static("\"\"")),
    )]
}

/// Which versions the client accepts to change.
#[derive(Debug, Clone)]
pub(crate) enum IfMatch {
    /// It did not say: any.
    Absent,
    /// Any that exists.
    Any,
    /// One of these.
    Tags(Vec<String>),
}

impl IfMatch {
    /// Reads the header; several of them count as one list.
    fn read(headers: &HeaderMap) -> Self {
        let mut tags = Vec::new();
        let mut is_present = false;
        for value in headers.get_all(header::IF_MATCH) {
            is_present = true;
            let value = value.to_str().unwrap_or_default();
            tags.extend(value.split(',').map(|tag| tag.trim().to_owned()));
        }
        match (is_present, tags.iter().any(|tag| tag == "*")) {
            (false, _) => Self::Absent,
            (true, true) => Self::Any,
            (true, false) => Self::Tags(tags),
        }
    }

    /// Whether the client named versions: then a lost race is theirs to know of.
    pub(crate) fn is_conditional(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Fails unless the client accepts this version.
    pub(crate) fn check(&self, version: &Version) -> Result<(), Error> {
        match self {
            Self::Absent | Self::Any => Ok(()),
            Self::Tags(tags) if tags.contains(&text(version)) => Ok(()),
            Self::Tags(_) => Err(Error::Stale {
                current: version.clone(),
            }),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        Ok(Self::read(&parts.headers))
    }
}
