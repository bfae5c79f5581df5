//! Transports that answer by themselves or spoil what passes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request};
use bytes::Bytes;

/// A real client that sends everything as it is.
pub(crate) fn network() -> Arc<dyn HttpClient> {
    drop(rustls::crypto::ring::default_provider().install_default());
    Arc::new(
        reqwest::Client::builder()
            .no_gzip()
            .no_deflate()
            .build()
            .unwrap(),
    )
}

/// What a request looked like.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) authorization: String,
    pub(crate) body: Bytes,
}

impl Seen {
    fn of(request: &Request) -> Self {
        let header = |name| {
            request
                .headers()
                .get_optional_string(&HeaderName::from_static(name))
        };
        Self {
            method: request.method(),
            url: request.url().to_string(),
            authorization: header("authorization").unwrap_or_default(),
            body: body(request),
        }
    }
}

pub(crate) fn body(request: &Request) -> Bytes {
    match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(_) => panic!("bodies are not streamed"),
    }
}

pub(crate) type Answer = azure_core::Result<AsyncRawResponse>;

/// Answers by a function and remembers what it saw.
pub(crate) struct Scripted {
    answer: Box<dyn Fn(&Seen) -> Answer + Send + Sync>,
    seen: Mutex<Vec<Seen>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            seen: Mutex::default(),
        })
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl HttpClient for Scripted {
    async fn execute_request(&self, request: &Request) -> Answer {
        let seen = Seen::of(request);
        self.seen.lock().unwrap().push(seen.clone());
        (self.answer)(&seen)
    }
}

/// An answer with these headers.
#[expect(clippy::unnecessary_wraps, reason = "it is what a transport gives")]
pub(crate) fn answer(
    status: u16,
    headers: &[(&'static str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut all = Headers::new();
    for (name, value) in headers {
        all.insert(*name, (*value).to_owned());
    }
    Ok(AsyncRawResponse::from_bytes(status.into(), all, body))
}
