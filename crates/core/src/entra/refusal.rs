//! Why no token came, from the errors of the Azure crates. Nothing of theirs is kept but the
//! sentence that Entra ID wrote for people.

use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use serde_json::Value;

use super::OPERATION;
use crate::storage::azure::{chain, first_line, retry_after};
use crate::storage::{StorageError, StorageErrorKind};

/// The error behind a missing token.
pub(super) fn storage_error(error: &azure_core::Error) -> StorageError {
    for error in chain(error) {
        match error.kind() {
            ErrorKind::HttpResponse {
                status,
                raw_response,
                ..
            } => return refused(u16::from(*status), raw_response.as_deref()),
            ErrorKind::Connection | ErrorKind::Io => {
                let text = first_line(&error.to_string());
                return StorageError::new(StorageErrorKind::Unavailable, OPERATION, text);
            }
            _ => {}
        }
    }
    unreadable()
}

/// The error of an answer that says neither yes nor no. It is not quoted: it may hold a token.
pub(super) fn unreadable() -> StorageError {
    let text = "the answer to the request for a token cannot be read; does something stand between \
                this machine and Entra ID?";
    StorageError::new(StorageErrorKind::Unavailable, OPERATION, text)
}

fn refused(status: u16, response: Option<&RawResponse>) -> StorageError {
    let kind = match status {
        429 => StorageErrorKind::Throttled,
        // Identities that were just assigned are not found, and an endpoint that is updated is gone.
        404 | 408 | 410 | 500.. => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Denied,
    };
    let sentence = response.map(sentence).unwrap_or_default();
    let text = if sentence.is_empty() {
        format!("Azure answered {status}")
    } else {
        format!("Azure answered {status}: {sentence}")
    };
    let wait = response.and_then(|response| retry_after(response.headers()));
    StorageError::new(kind, OPERATION, text).with_retry_after(wait)
}

/// What the answer says for people: Entra ID and the metadata service have `error_description`, App
/// Service `message`. What only support reads (`Trace ID: …`) is left out.
fn sentence(response: &RawResponse) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(response.body().as_ref()) else {
        return String::new();
    };
    let text = ["error_description", "message"]
        .iter()
        .find_map(|name| body.get(name)?.as_str())
        .unwrap_or_default();
    let line = first_line(text);
    let line = line.split(" Trace ID:").next().unwrap_or_default();
    line.trim_end_matches('.').to_owned()
}
