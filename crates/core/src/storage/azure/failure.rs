//! What the services and the network say, as storage errors.
//!
//! The errors of the Azure crates hold whole answers and print them; nothing of theirs is kept
//! here but codes and cleaned sentences.

use std::error::Error as _;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use azure_core::http::headers::{HeaderName, Headers};

use crate::storage::{StorageError, StorageErrorKind};

const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
const RETRY_AFTER_MILLISECONDS: [HeaderName; 2] = [
    HeaderName::from_static("x-ms-retry-after-ms"),
    HeaderName::from_static("retry-after-ms"),
];

/// Characters of a service's sentence that are kept.
const SENTENCE_LIMIT: usize = 300;

/// Why a request did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The service answered no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No whole answer came.
    #[error("{0}")]
    Unreachable(String),
    /// There is no token, and the identity platform says why.
    #[error("{0}")]
    NoToken(String),
    /// The answer cannot be read, or the crate refused the call.
    #[error("{0}")]
    Unreadable(String),
}

/// The service's no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {sentence} (request {request_id})")]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// Azure's error code, such as `EntityAlreadyExists`; empty when there is none.
    pub(crate) code: String,
    /// The first line of Azure's message.
    pub(crate) sentence: String,
    /// Azure's id of the exchange, for its support.
    pub(crate) request_id: String,
    /// The wait that was asked for.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads an answer that is not a success.
    pub(crate) fn read(response: &RawResponse) -> Self {
        let headers = response.headers();
        let body = String::from_utf8_lossy(response.body().as_ref());
        let (code, sentence) = code_and_message(&body);
        let status = u16::from(response.status());
        // Where the credentials are the matter, the service quotes what was signed.
        let is_quoting = matches!(status, 401 | 403) || sentence.contains("sig=");
        Self {
            status,
            code: headers.get_optional_string(&ERROR_CODE).unwrap_or(code),
            sentence: if is_quoting {
                String::new()
            } else {
                first_line(&sentence)
            },
            request_id: headers.get_optional_string(&REQUEST_ID).unwrap_or_default(),
            retry_after: retry_after(headers),
        }
    }

    /// The kind of storage error it is.
    pub(crate) fn kind(&self) -> StorageErrorKind {
        let code = self.code.as_str();
        match self.status {
            _ if code.ends_with("BeingDeleted") => StorageErrorKind::Unavailable,
            // The service threw damaged bytes away; sent again, they may arrive whole.
            400 if self.is_damaged_transfer() => StorageErrorKind::Unavailable,
            401 | 403 => StorageErrorKind::Denied,
            404 => StorageErrorKind::NotFound,
            409 if code.ends_with("AlreadyExists") => StorageErrorKind::AlreadyExists,
            409 if code.starts_with("BlobImmutable") => StorageErrorKind::Protected,
            412 => StorageErrorKind::PreconditionFailed,
            429 => StorageErrorKind::Throttled,
            503 if code == "ServerBusy" => StorageErrorKind::Throttled,
            501 => StorageErrorKind::Invalid,
            408 | 500.. => StorageErrorKind::Unavailable,
            400..500 => StorageErrorKind::Invalid,
            _ => StorageErrorKind::Internal,
        }
    }

    /// Whether the bytes that arrived do not have the MD5 that was announced. Azurite has no code
    /// of its own for it.
    fn is_damaged_transfer(&self) -> bool {
        self.code == "Md5Mismatch"
            || (self.code == "InvalidOperation" && self.sentence.to_lowercase().contains("md5"))
    }

    /// The sentence for people.
    fn explain(&self, kind: StorageErrorKind) -> String {
        let Self {
            status,
            code,
            sentence,
            ..
        } = self;
        match kind {
            StorageErrorKind::Denied => format!(
                "Azure refused the credentials ({status} {code}); check the key or SAS, the roles \
                 of the identity, the account's firewall, and this machine's clock"
            ),
            _ if sentence.is_empty() => format!("Azure answered {status} {code}"),
            _ => format!("Azure answered {status} {code}: {sentence}"),
        }
    }
}

impl Failure {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            Self::Unreachable(_) | Self::NoToken(_) | Self::Unreadable(_) => None,
        }
    }

    /// The HTTP status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Unreachable(_) | Self::NoToken(_) | Self::Unreadable(_) => None,
        }
    }

    /// The storage error while doing `operation`.
    pub(crate) fn into_error(self, operation: &'static str) -> StorageError {
        match self {
            Self::Refused(refusal) => {
                let kind = refusal.kind();
                StorageError::new(kind, operation, refusal.explain(kind))
                    .with_retry_after(refusal.retry_after)
                    .with_source(refusal)
            }
            Self::Unreachable(text) => {
                StorageError::new(StorageErrorKind::Unavailable, operation, text)
            }
            Self::NoToken(text) => StorageError::new(
                StorageErrorKind::Denied,
                operation,
                format!("the identity got no token; check that it exists and is assigned: {text}"),
            ),
            Self::Unreadable(text) => {
                StorageError::new(StorageErrorKind::Internal, operation, text)
            }
        }
    }
}

impl From<azure_core::Error> for Failure {
    fn from(error: azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse {
                raw_response: Some(response),
                ..
            } => Self::Refused(Refusal::read(response)),
            ErrorKind::Connection | ErrorKind::Io => Self::Unreachable(root_sentence(&error)),
            ErrorKind::Credential if is_outage(&error) => {
                Self::Unreachable(format!("no token: {}", root_sentence(&error)))
            }
            ErrorKind::Credential => Self::NoToken(first_line(&error.to_string())),
            _ => Self::Unreadable(root_sentence(&error)),
        }
    }
}

/// Whether the token is missing because the identity platform could not be reached or was busy.
fn is_outage(error: &azure_core::Error) -> bool {
    chain(error).any(|error| match error.kind() {
        ErrorKind::Connection | ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => {
            let status = u16::from(*status);
            status == 408 || status == 429 || status >= 500
        }
        _ => false,
    })
}

/// The error and its causes, as far as they come from the Azure crates.
pub(crate) fn chain(error: &azure_core::Error) -> impl Iterator<Item = &azure_core::Error> {
    std::iter::successors(Some(error), |outer| {
        let outer: &azure_core::Error = outer;
        outer.source()?.downcast_ref()
    })
}

/// What the innermost error says; the outer ones only add how often it was tried.
fn root_sentence(error: &azure_core::Error) -> String {
    let innermost = chain(error).last().unwrap_or(error);
    first_line(&innermost.to_string())
}

pub(crate) fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    line.chars()
        .filter(|c| !c.is_control())
        .take(SENTENCE_LIMIT)
        .collect()
}

/// Finds code and message in the body of an error: OData JSON, Entra JSON or XML.
fn code_and_message(body: &str) -> (String, String) {
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(body) {
        let error = json
            .get("odata.error")
            .or_else(|| json.get("error"))
            .unwrap_or(&json);
        let message = &error["message"];
        let text = message
            .get("value")
            .unwrap_or(message)
            .as_str()
            .unwrap_or_default();
        // Key Vault says Conflict or Forbidden there, and what it means in an inner error.
        let code = error["innererror"]["code"]
            .as_str()
            .or(error["code"].as_str());
        return (code.unwrap_or_default().to_owned(), text.to_owned());
    }
    (
        element(body, "Code").to_owned(),
        element(body, "Message").to_owned(),
    )
}

/// The text of an XML element without attributes.
fn element<'a>(body: &'a str, name: &str) -> &'a str {
    body.split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
        .map_or("", |(text, _)| text)
}

pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    let number = |name: &HeaderName| headers.get_optional_str(name)?.trim().parse::<u64>().ok();
    RETRY_AFTER_MILLISECONDS
        .iter()
        .find_map(number)
        .map(Duration::from_millis)
        .or_else(|| number(&RETRY_AFTER).map(Duration::from_secs))
}

#[cfg(test)]
mod tests;
