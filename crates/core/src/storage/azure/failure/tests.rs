//! Tests of the mapping from answers to storage errors.

use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{RawResponse, StatusCode};

use super::{Failure, Refusal};
use crate::storage::{StorageError, StorageErrorKind};

fn answer(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &'static str,
) -> RawResponse {
    let mut all = Headers::new();
    for (name, value) in headers {
        all.insert(*name, *value);
    }
    RawResponse::from_bytes(StatusCode::from(status), all, body)
}

fn coded(status: u16, code: &'static str) -> StorageErrorKind {
    Refusal::read(&answer(status, &[("x-ms-error-code", code)], "")).kind()
}

fn error(failure: impl Into<Failure>) -> StorageError {
    failure.into().into_error("get entity")
}

#[test]
fn statuses_and_codes_become_kinds() {
    use StorageErrorKind as Kind;
    for (status, code, kind) in [
        (404, "ResourceNotFound", Kind::NotFound),
        (404, "ContainerNotFound", Kind::NotFound),
        (409, "EntityAlreadyExists", Kind::AlreadyExists),
        (409, "BlobAlreadyExists", Kind::AlreadyExists),
        (409, "ContainerBeingDeleted", Kind::Unavailable),
        (409, "TableBeingDeleted", Kind::Unavailable),
        (409, "BlobImmutableDueToPolicy", Kind::Protected),
        (412, "ConditionNotMet", Kind::PreconditionFailed),
        (412, "UpdateConditionNotSatisfied", Kind::PreconditionFailed),
        (401, "", Kind::Denied),
        (403, "AuthenticationFailed", Kind::Denied),
        (400, "Md5Mismatch", Kind::Unavailable),
        (400, "InvalidBlockList", Kind::Invalid),
        (413, "RequestBodyTooLarge", Kind::Invalid),
        (416, "InvalidRange", Kind::Invalid),
        (501, "FeatureNotSupported", Kind::Invalid),
        (429, "", Kind::Throttled),
        (503, "ServerBusy", Kind::Throttled),
        (503, "", Kind::Unavailable),
        (500, "InternalError", Kind::Unavailable),
        (500, "OperationTimedOut", Kind::Unavailable),
        (504, "", Kind::Unavailable),
        (408, "", Kind::Unavailable),
        (304, "", Kind::Internal),
    ] {
        assert_eq!(coded(status, code), kind, "{status} {code}");
    }
}

#[test]
fn xml_and_odata_bodies_give_code_and_first_line() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>The blob is gone.\n\
               RequestId:1\nTime:2</Message></Error>";
    let refusal = Refusal::read(&answer(404, &[("x-ms-request-id", "r-1")], xml));
    assert_eq!(
        refusal.to_string(),
        "404 BlobNotFound: The blob is gone. (request r-1)"
    );
    let json = r#"{"odata.error":{"code":"EntityAlreadyExists","message":{"lang":"en-US","value":"It exists.\nRequestId:1"}}}"#;
    let refusal = Refusal::read(&answer(409, &[], json));
    assert_eq!(
        (refusal.code.as_str(), refusal.sentence.as_str()),
        ("EntityAlreadyExists", "It exists.")
    );
    let json = r#"{"error":{"code":"SecretNotFound","message":"No such secret."}}"#;
    assert_eq!(
        Refusal::read(&answer(404, &[], json)).sentence,
        "No such secret."
    );
}

#[test]
fn the_wait_that_a_server_asks_for_is_kept() {
    let seconds = Refusal::read(&answer(503, &[("retry-after", "7")], ""));
    assert_eq!(seconds.retry_after, Some(Duration::from_secs(7)));
    let milliseconds = Refusal::read(&answer(
        429,
        &[("retry-after", "7"), ("x-ms-retry-after-ms", "250")],
        "",
    ));
    assert_eq!(
        error(milliseconds).retry_after(),
        Some(Duration::from_millis(250))
    );
}

#[test]
fn refused_credentials_tell_what_to_check_and_quote_nothing() {
    let body = "<Error><Code>AuthenticationFailed</Code><Message>String to sign was CANARY</Message>\
                <AuthenticationErrorDetail>CANARY</AuthenticationErrorDetail></Error>";
    let error = error(Refusal::read(&answer(403, &[], body)));
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("403 AuthenticationFailed") && shown.contains("check the key"),
        "{shown}"
    );
    assert!(!shown.contains("CANARY"), "{shown}");
}

#[test]
fn an_error_keeps_nothing_of_the_whole_answer() {
    let response = answer(
        400,
        &[],
        "<Error><Code>X</Code><Message>short</Message><More>CANARY</More></Error>",
    );
    let kind = ErrorKind::HttpResponse {
        status: StatusCode::BadRequest,
        error_code: None,
        raw_response: Some(Box::new(response)),
    };
    let error = error(azure_core::Error::with_message(kind, "400: CANARY"));
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[test]
fn a_missing_token_is_an_outage_or_a_refusal() {
    let wrapped = |inner| {
        let outer =
            azure_core::Error::with_error(ErrorKind::Credential, inner, "authentication failed");
        error(outer.with_context("will not be retried"))
    };
    let unreachable = azure_core::Error::with_message(ErrorKind::Connection, "connection refused");
    assert_eq!(wrapped(unreachable).kind(), StorageErrorKind::Unavailable);
    let status = |status: u16| {
        let raw_response = Some(Box::new(answer(status, &[], "")));
        azure_core::Error::new(
            ErrorKind::HttpResponse {
                status: status.into(),
                error_code: None,
                raw_response,
            },
            "no",
        )
    };
    assert_eq!(wrapped(status(503)).kind(), StorageErrorKind::Unavailable);
    assert_eq!(wrapped(status(400)).kind(), StorageErrorKind::Denied);
}

#[test]
fn transport_errors_say_what_the_network_said() {
    let inner =
        azure_core::Error::with_message(ErrorKind::Connection, "the request to http://h failed");
    let outer =
        inner.with_context("retry policy expired and the request will no longer be retried");
    let error = error(outer);
    assert_eq!(error.kind(), StorageErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "get entity: the request to http://h failed"
    );
}
