//! The HTTP client under the Azure crates: our timeouts, TLS by rustls and ring, and errors that
//! never show an address with a signature in it.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, Url};
use futures::TryStreamExt;

use super::config::{AzureTimeouts, unusable};
use crate::storage::StorageResult;

const RANGE_HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("range"),
    HeaderName::from_static("x-ms-range"),
];

/// Sends requests over the network.
#[derive(Debug)]
struct HttpTransport {
    client: reqwest::Client,
    timeouts: AzureTimeouts,
}

/// Builds a client. Bodies come as the service stores them: a ranged read that is decompressed on
/// the way would be other bytes than asked for.
pub(crate) fn connect(timeouts: AzureTimeouts) -> StorageResult<Arc<dyn HttpClient>> {
    // An error means that the process has a provider already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .connect_timeout(timeouts.connect)
        .pool_idle_timeout(Duration::from_mins(1))
        .redirect(reqwest::redirect::Policy::none())
        .no_gzip()
        .no_deflate()
        .no_brotli()
        .no_zstd()
        .build()
        .map_err(|error| {
            unusable("the HTTPS client cannot start; are CA certificates installed?")
                .with_source(error.without_url())
        })?;
    Ok(Arc::new(HttpTransport { client, timeouts }))
}

impl HttpTransport {
    /// Time for the whole exchange: more for requests that send or fetch many bytes.
    fn limit(&self, request: &Request) -> Duration {
        let sent = request.body().len().unwrap_or_default();
        let fetched = RANGE_HEADERS
            .iter()
            .find_map(|name| range_length(request.headers().get_optional_str(name)?))
            .unwrap_or_default();
        let transfer = sent.saturating_add(fetched) / self.timeouts.least_bytes_per_second;
        self.timeouts
            .request
            .saturating_add(Duration::from_secs(transfer))
    }
}

#[async_trait]
impl HttpClient for HttpTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url();
        let host = address(url);
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|error| azure_core::Error::new(ErrorKind::Other, error))?;
        let mut outgoing = self
            .client
            .request(method, url.clone())
            .timeout(self.limit(request));
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        let outgoing = match request.body().clone() {
            Body::Bytes(bytes) => outgoing.body(bytes),
            Body::SeekableStream(stream) => outgoing.body(reqwest::Body::wrap_stream(stream)),
        };
        let response = outgoing
            .send()
            .await
            .map_err(|error| cleaned(&host, &error))?;
        let status = response.status().as_u16();
        let headers = headers(response.headers());
        let body = response
            .bytes_stream()
            .map_err(move |error| cleaned(&host, &error));
        Ok(AsyncRawResponse::new(
            status.into(),
            headers,
            Box::pin(body),
        ))
    }
}

/// The error as text: what happened at which host, without path and query.
fn cleaned(host: &str, error: &reqwest::Error) -> azure_core::Error {
    let kind = if error.is_connect() {
        ErrorKind::Connection
    } else if error.is_builder() {
        ErrorKind::DataConversion
    } else {
        ErrorKind::Io
    };
    let what = if error.is_timeout() {
        "timed out"
    } else {
        "failed"
    };
    let mut text = format!("the request to {host} {what}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    azure_core::Error::with_message(kind, text)
}

/// Scheme, host and port.
fn address(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Bytes in `bytes=0-99`.
fn range_length(header: &str) -> Option<u64> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    last.checked_sub(first)?.checked_add(1)
}

fn headers(received: &reqwest::header::HeaderMap) -> Headers {
    let pairs: HashMap<HeaderName, HeaderValue> = received
        .iter()
        .filter_map(|(name, value)| {
            let value = value.to_str().ok()?.to_owned();
            Some((
                HeaderName::from(name.as_str().to_owned()),
                HeaderValue::from(value),
            ))
        })
        .collect();
    Headers::from(pairs)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use azure_core::http::Method;

    use super::*;

    fn transport() -> HttpTransport {
        HttpTransport {
            client: {
                drop(rustls::crypto::ring::default_provider().install_default());
                reqwest::Client::builder().build().unwrap()
            },
            timeouts: AzureTimeouts {
                connect: Duration::from_secs(1),
                request: Duration::from_secs(10),
                least_bytes_per_second: NonZeroU64::new(1000).unwrap(),
            },
        }
    }

    #[tokio::test]
    async fn requests_that_carry_bytes_get_more_time() {
        let transport = transport();
        let mut request = Request::new(Url::parse("http://127.0.0.1/").unwrap(), Method::Put);
        assert_eq!(transport.limit(&request), Duration::from_secs(10));
        request.set_body(vec![0; 5000]);
        assert_eq!(transport.limit(&request), Duration::from_secs(15));
        let mut request = Request::new(Url::parse("http://127.0.0.1/").unwrap(), Method::Get);
        request.insert_header("range", "bytes=1000-20999");
        assert_eq!(transport.limit(&request), Duration::from_secs(30));
    }

    #[tokio::test]
    async fn a_failed_request_names_the_host_and_hides_path_and_query() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let url = format!("http://{address}/CANARY?sig=CANARY");
        let request = Request::new(Url::parse(&url).unwrap(), Method::Get);
        let error = transport().execute_request(&request).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Connection);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(&address.to_string()), "{shown}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}
