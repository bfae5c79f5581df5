//! Entra ID, played on a loopback port: gives tokens to an app that knows its secret and to managed
//! identities, and what else a test wants it to answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient};
use bytes::Bytes;
use dilux_core::clock::{Clock, SystemClock};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// The header that says which address a request was meant for before it was led here.
const MEANT_FOR: &str = "x-meant-for";

/// A request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// Where it was sent: `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`, without its
    /// query.
    pub url: String,
    /// Its query and its form.
    pub fields: BTreeMap<String, String>,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
}

/// An answer that a test wants, in place of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

impl TokenAnswer {
    /// `status` with the sentence that Entra ID has for people.
    pub fn refusal(status: u16, sentence: &str) -> Self {
        let body = json!({ "error": "refused", "error_description": sentence, "error_codes": [1] });
        Self {
            status,
            body: body.to_string(),
            retry_after: None,
        }
    }
}

#[derive(Debug)]
struct State {
    secret: String,
    tokens: VecDeque<String>,
    lifetime: i64,
    answers: VecDeque<TokenAnswer>,
    requests: Vec<TokenRequest>,
}

/// A running Entra ID. It ends with this value.
#[derive(Debug)]
pub struct FakeEntra {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: AbortHandle,
}

impl FakeEntra {
    /// Starts one whose apps have this secret, and whose tokens are all `token`.
    pub async fn start(secret: &str, token: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("start a fake Entra ID")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            secret: secret.to_owned(),
            tokens: VecDeque::from([token.to_owned()]),
            lifetime: 3600,
            answers: VecDeque::new(),
            requests: Vec::new(),
        }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state))).abort_handle();
        Ok(Self {
            address,
            state,
            accepting,
        })
    }

    /// What the next requests are answered with, one each; later ones get tokens again.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = TokenAnswer>) {
        self.state().answers.extend(answers);
    }

    /// The tokens of the next requests; the last one is given from then on.
    pub fn give(&self, tokens: &[&str]) {
        self.state().tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
    }

    /// How long tokens are good from now on, in seconds.
    pub fn set_lifetime(&self, seconds: i64) {
        self.state().lifetime = seconds;
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<TokenRequest> {
        self.state().requests.clone()
    }

    /// What `IDENTITY_ENDPOINT` has to be for managed identities to be asked for here.
    pub fn identity_endpoint(&self) -> String {
        format!("http://{}/msi/token", self.address)
    }

    /// A transport that leads every request here, wherever it is meant for.
    pub fn transport(&self) -> Arc<dyn HttpClient> {
        // An error means that the process has a provider already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Arc::new(Redirect {
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client without TLS settings can be built"),
            address: self.address,
        })
    }

    /// Answers nothing any more: its port is closed.
    pub fn stop(&self) {
        self.accepting.abort();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for FakeEntra {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Redirect {
    client: reqwest::Client,
    address: SocketAddr,
}

#[async_trait]
impl HttpClient for Redirect {
    async fn execute_request(
        &self,
        request: &azure_core::http::Request,
    ) -> azure_core::Result<AsyncRawResponse> {
        let mut led = request.clone();
        let mut meant = request.url().clone();
        meant.set_query(None);
        led.insert_header(MEANT_FOR, meant.to_string());
        let query = request.url().query().unwrap_or_default();
        let path = request.url().path();
        *led.url_mut() = format!("http://{}{path}?{query}", self.address).parse()?;
        self.client.execute_request(&led).await
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| handle(&state, request));
            let serving = server::conn::http1::Builder::new();
            // An error closes the connection, which is what its caller should see.
            serving
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

async fn handle(state: &Mutex<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect();
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let fields = [query, &body[..]]
        .into_iter()
        .flat_map(url::form_urlencoded::parse)
        .map(|(name, value)| (name.into_owned(), value.into_owned()));
    let path = head.uri.path().to_owned();
    let request = TokenRequest {
        url: headers.get(MEANT_FOR).cloned().unwrap_or(path),
        fields: fields.collect(),
        headers,
    };
    let answer = lock(state).answer(request);
    let mut response = Response::builder()
        .status(answer.status)
        .header("content-type", "application/json");
    if let Some(seconds) = answer.retry_after {
        response = response.header(RETRY_AFTER, seconds);
    }
    Ok(response.body(Full::new(Bytes::from(answer.body)))?)
}

impl State {
    fn answer(&mut self, request: TokenRequest) -> TokenAnswer {
        let (secret, is_app) = (
            request.fields.get("client_secret").cloned(),
            request.url.ends_with("/oauth2/v2.0/token"),
        );
        self.requests.push(request);
        if let Some(answer) = self.answers.pop_front() {
            return answer;
        }
        if is_app && secret.as_ref() != Some(&self.secret) {
            let sentence = "AADSTS7000215: Invalid client secret provided. Trace ID: 1234";
            return TokenAnswer::refusal(401, sentence);
        }
        let token = if self.tokens.len() > 1 {
            self.tokens.pop_front()
        } else {
            self.tokens.front().cloned()
        };
        // Both kinds of answers at once: each reader passes over what it does not know.
        let body = json!({
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": self.lifetime,
            "expires_on": (SystemClock.now().as_second() + self.lifetime).to_string(),
            "resource": "a database",
        });
        TokenAnswer {
            status: 200,
            body: body.to_string(),
            retry_after: None,
        }
    }
}
