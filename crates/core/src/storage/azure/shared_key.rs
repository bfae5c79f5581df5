//! The Shared Key scheme: each try of a request is signed with the account's key.
//!
//! Azure: "Authorize with Shared Key". The blob and queue services sign one set of headers, the
//! table service another.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::Secret;
use azure_core::error::{Error, ErrorKind};
use azure_core::hmac::hmac_sha256;
use azure_core::http::headers::{AUTHORIZATION, HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::clock::SharedClock;
use crate::secret::SecretValue;

const DATE: HeaderName = HeaderName::from_static("x-ms-date");

/// An account's name and key.
#[derive(Clone)]
pub(super) struct AccountKey {
    pub(super) account: String,
    key: Secret,
}

impl AccountKey {
    /// Takes the base64 key.
    pub(super) fn new(account: &str, key: &SecretValue) -> Self {
        Self {
            account: account.to_owned(),
            key: Secret::new(key.expose().to_owned()),
        }
    }

    /// HMAC-SHA256 of `text`, base64.
    pub(super) fn sign(&self, text: &str) -> azure_core::Result<String> {
        hmac_sha256(text, &self.key)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AccountKey")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Which service's rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Blob and queue.
    BlobAndQueue,
    /// Table.
    Table,
}

/// Signs every try with the current date.
#[derive(Debug)]
pub(super) struct SharedKeyPolicy {
    pub(super) key: AccountKey,
    pub(super) rules: Rules,
    pub(super) clock: SharedClock,
}

#[async_trait]
impl Policy for SharedKeyPolicy {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let date = http_date(self.clock.now())?;
        request.insert_header(DATE, date);
        let text = match self.rules {
            Rules::BlobAndQueue => blob_and_queue_text(&self.key.account, request),
            Rules::Table => table_text(&self.key.account, request),
        };
        let signature = self.key.sign(&text)?;
        let authorization = format!("SharedKey {}:{signature}", self.key.account);
        request.insert_header(AUTHORIZATION, authorization);
        match next {
            [first, rest @ ..] => first.send(ctx, request, rest).await,
            [] => Err(Error::with_message(
                ErrorKind::Other,
                "nothing follows the signature",
            )),
        }
    }
}

/// `Sat, 21 Nov 2026 10:00:00 GMT`.
fn http_date(now: Timestamp) -> azure_core::Result<String> {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .map_err(|error| Error::new(ErrorKind::Other, error))
}

/// What the blob and queue services sign.
fn blob_and_queue_text(account: &str, request: &Request) -> String {
    let headers = request.headers();
    let length = request.body().len().filter(|length| *length > 0);
    let mut lines = vec![
        request.method().to_string(),
        value(headers, "content-encoding"),
        value(headers, "content-language"),
        length.map(|length| length.to_string()).unwrap_or_default(),
        value(headers, "content-md5"),
        value(headers, "content-type"),
        // The date stands in x-ms-date.
        String::new(),
        value(headers, "if-modified-since"),
        value(headers, "if-match"),
        value(headers, "if-none-match"),
        value(headers, "if-unmodified-since"),
        value(headers, "range"),
    ];
    let mut own: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    own.sort_unstable();
    lines.extend(own.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.push(resource(account, request.url()));
    lines.join("\n")
}

/// What the table service signs.
fn table_text(account: &str, request: &Request) -> String {
    let headers = request.headers();
    let url = request.url();
    let component = url
        .query_pairs()
        .find(|(name, _)| name == "comp")
        .map(|(_, value)| format!("?comp={value}"))
        .unwrap_or_default();
    [
        request.method().to_string(),
        value(headers, "content-md5"),
        value(headers, "content-type"),
        value(headers, "x-ms-date"),
        format!("/{account}{}{component}", url.path()),
    ]
    .join("\n")
}

/// The account, the path as it is sent, and the decoded query, sorted, values of one name joined.
/// Where the account is part of the path (Azurite) it therefore appears twice.
fn resource(account: &str, url: &Url) -> String {
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (name.to_lowercase(), value.into_owned()))
        .collect();
    pairs.sort_unstable();
    let mut text = format!("/{account}{}", url.path());
    let mut last = None;
    for (name, value) in &pairs {
        if last == Some(name) {
            text.push(',');
        } else {
            text.push('\n');
            text.push_str(name);
            text.push(':');
        }
        text.push_str(value);
        last = Some(name);
    }
    text
}

fn value(headers: &Headers, name: &'static str) -> String {
    headers
        .get_optional_string(&HeaderName::from_static(name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use azure_core::http::Method;

    use super::*;

    fn request(method: Method, url: &str) -> Request {
        Request::new(Url::parse(url).unwrap(), method)
    }

    #[test]
    fn host_style_resources_name_the_account_once() {
        let url = Url::parse("https://acme1.blob.core.windows.net/backups/a%20b%2Fc?comp=list&Prefix=x%20y&timeout=3").unwrap();
        assert_eq!(
            resource("acme1", &url),
            "/acme1/backups/a%20b%2Fc\ncomp:list\nprefix:x y\ntimeout:3"
        );
    }

    #[test]
    fn path_style_resources_name_the_account_twice() {
        let url = Url::parse("http://127.0.0.1:1/devstoreaccount1/q/messages").unwrap();
        assert_eq!(
            resource("devstoreaccount1", &url),
            "/devstoreaccount1/devstoreaccount1/q/messages"
        );
    }

    #[test]
    fn repeated_query_names_share_a_line() {
        let url = Url::parse("https://h/c?include=b&comp=list&include=a").unwrap();
        assert_eq!(resource("acme1", &url), "/acme1/c\ncomp:list\ninclude:a,b");
    }

    #[test]
    fn blob_requests_sign_headers_in_the_documented_order() {
        let mut request = request(
            Method::Put,
            "https://acme1.blob.core.windows.net/c/b?comp=block",
        );
        request.set_body("12345");
        for (name, value) in [
            ("content-md5", "MD5"),
            ("content-type", "application/octet-stream"),
            ("if-none-match", "*"),
            ("x-ms-version", "2025-11-05"),
            ("x-ms-date", "Sat, 21 Nov 2026 10:00:00 GMT"),
            ("x-ms-meta-b", " two "),
            ("x-ms-meta-a", "one"),
            ("accept", "application/xml"),
        ] {
            request.insert_header(name, value);
        }
        assert_eq!(
            blob_and_queue_text("acme1", &request),
            "PUT\n\n\n5\nMD5\napplication/octet-stream\n\n\n\n*\n\n\nx-ms-date:Sat, 21 Nov 2026 \
             10:00:00 GMT\nx-ms-meta-a:one\nx-ms-meta-b:two\nx-ms-version:2025-11-05\n\
             /acme1/c/b\ncomp:block"
        );
    }

    #[test]
    fn an_empty_body_has_no_length() {
        let request = request(Method::Put, "https://acme1.queue.core.windows.net/q");
        assert!(blob_and_queue_text("acme1", &request).starts_with("PUT\n\n\n\n"));
    }

    #[test]
    fn table_requests_sign_date_and_resource_without_query() {
        let mut request = request(
            Method::Get,
            "https://acme1.table.core.windows.net/jobs(PartitionKey='a',RowKey='b')?$select=x",
        );
        request.insert_header("x-ms-date", "Sat, 21 Nov 2026 10:00:00 GMT");
        request.insert_header("x-ms-version", "2019-02-02");
        assert_eq!(
            table_text("acme1", &request),
            "GET\n\n\nSat, 21 Nov 2026 10:00:00 GMT\n/acme1/jobs(PartitionKey='a',RowKey='b')"
        );
    }

    #[test]
    fn signatures_are_hmac_sha256_of_the_decoded_key() {
        // RFC 4231, test case 2: key "Jefe".
        let key = AccountKey::new("acme1", &SecretValue::new("SmVmZQ=="));
        assert_eq!(
            key.sign("what do ya want for nothing?").unwrap(),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
        assert!(!format!("{key:?}").contains("SmVmZQ"));
    }

    #[test]
    fn dates_are_those_of_http() {
        let now = "2026-11-05T08:09:07.5Z".parse().unwrap();
        assert_eq!(http_date(now).unwrap(), "Thu, 05 Nov 2026 08:09:07 GMT");
    }
}
