//! An API under test: the real router over the embedded store, a clock that tests move, ids that
//! repeat, and a database server that is only played.

mod processes;
mod secrets;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Request, Response};
use dilux_api::{Context, router};
use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{ApiToken, Grants, Role, SecretHash};
use dilux_core::random::{Random, SharedRandom};
use dilux_core::secret::SecretName;
use dilux_core::storage::{self, Profile, Storage};
use dilux_drivers::Drivers;
use dilux_testkit::entra::FakeEntra;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::faults::Faults;
use crate::server::PlayedServer;

/// The API token of the admin who calls the API under test.
pub(crate) const TOKEN: &str =
    "dilux_api_tests_7f3c1de09b7a4f5587c2b1e64d0a9833617be2c4508fa9d1e3b65c7208f4da96";

/// The instant at which every test begins.
pub(crate) const START: &str = "2026-01-31T12:00:00Z";

/// Tests make more requests in an instant than anybody is answered in one.
const NO_LIMITS: [(&str, &str); 3] = [
    ("DILUX_REQUESTS_PER_MINUTE", "0"),
    ("DILUX_ANONYMOUS_REQUESTS_PER_MINUTE", "0"),
    ("DILUX_COSTLY_REQUESTS_PER_MINUTE", "0"),
];

/// Random bytes that are the same in each run: a counter, spread.
#[derive(Debug, Default)]
struct CountingRandom(AtomicU64);

impl Random for CountingRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let mixed = (count + 1)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29);
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// An API under test.
pub(crate) struct World {
    router: Router,
    pub(crate) installation: Installation,
    pub(crate) clock: Arc<ManualClock>,
    /// The server behind every engine.
    pub(crate) server: Arc<PlayedServer>,
    /// What fails.
    pub(crate) faults: Arc<Faults>,
    /// The stores without what makes them fail.
    bare: Storage,
    directory: Arc<TempDir>,
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: Value,
}

impl Answer {
    /// Fails unless the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Fails unless the status is this one; for answers that are no JSON.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
    }

    /// Fails unless fields were refused; gives their names, sorted.
    #[track_caller]
    pub(crate) fn refused_fields(self) -> Vec<String> {
        let body = self.expect(422);
        let errors = body["errors"].as_array().unwrap();
        assert!(
            errors.iter().all(|error| error["reason"].is_string()),
            "{body}"
        );
        let mut fields: Vec<String> = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect();
        fields.sort();
        fields
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_variables(&[]).await
    }

    /// A world with one more setting.
    pub(crate) async fn with_variable(name: &str, value: &str) -> Self {
        Self::with_variables(&[(name, value)]).await
    }

    /// A world with more settings.
    pub(crate) async fn with_variables(variables: &[(&str, &str)]) -> Self {
        let server = Arc::new(PlayedServer::default());
        let drivers = server.drivers();
        Self::with(server, drivers, variables).await
    }

    /// A world whose engines are real servers.
    pub(crate) async fn with_drivers(drivers: Drivers) -> Self {
        Self::with(Arc::default(), drivers, &[]).await
    }

    /// A world with more settings, whose tokens come from a played Entra ID.
    pub(crate) async fn with_entra(entra: &FakeEntra, variables: &[(&str, &str)]) -> Self {
        let server = Arc::new(PlayedServer::default());
        let drivers = server.drivers();
        let open = |installation: Installation| {
            let tokens = installation.tokens.clone().over(entra.transport());
            installation.with_tokens(tokens)
        };
        Self::opened((server, drivers), variables, &open).await
    }

    /// A world whose engines are other servers, and whose tokens come from a played Entra ID.
    pub(crate) async fn with_entra_and_drivers(entra: &FakeEntra, drivers: Drivers) -> Self {
        let open = |installation: Installation| {
            let tokens = installation.tokens.clone().over(entra.transport());
            installation.with_tokens(tokens)
        };
        Self::opened((Arc::default(), drivers), &[], &open).await
    }

    async fn with(server: Arc<PlayedServer>, drivers: Drivers, variables: &[(&str, &str)]) -> Self {
        Self::opened((server, drivers), variables, &|installation| installation).await
    }

    async fn opened(
        (server, drivers): (Arc<PlayedServer>, Drivers),
        variables: &[(&str, &str)],
        open: &dyn Fn(Installation) -> Installation,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let store = format!("file://{}", directory.path().display());
        let settings = Settings::read(&|name| {
            if name == "STORAGE_CONNECTION_STRING" {
                return Some(store.clone());
            }
            let all = variables.iter().chain(&NO_LIMITS);
            let mut set = all.filter(|(known, _)| *known == name);
            set.next().map(|(_, value)| (*value).to_owned())
        })
        .unwrap();
        let clock = Arc::new(ManualClock::new(START.parse().unwrap()));
        let shared: SharedClock = clock.clone();
        let random: SharedRandom = Arc::new(CountingRandom::default());
        let faults = Arc::new(Faults::default());
        let bare = storage::open(&settings, Profile::Interactive, &shared, &random).unwrap();
        let stores = processes::faulty(&bare, &faults);
        let installation = open(Installation::new(
            Arc::new(settings),
            stores,
            shared,
            random,
        ));
        installation.prepare().await.unwrap();
        let tokens = &installation.repositories.api_tokens;
        tokens.insert(admin()).await.unwrap();
        let context = Context::new(installation.clone(), Arc::new(drivers));
        Self {
            router: router(context),
            installation,
            clock,
            server,
            faults,
            bare,
            directory: Arc::new(directory),
        }
    }

    /// Where the store is.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// How many passwords the secret store keeps. The key of the audit log is none.
    pub(crate) async fn passwords(&self) -> usize {
        let names = self.installation.storage.secrets.list().await.unwrap();
        let is_password = |name: &&SecretName| !name.as_str().starts_with("dilux-audit-");
        names.iter().filter(is_password).count()
    }

    /// Sends a request as it is. Of an answer that has no end only the head is read.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let is_endless = parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        let bytes = if is_endless {
            Vec::new()
        } else {
            to_bytes(body, usize::MAX).await.unwrap().to_vec()
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes,
        }
    }

    /// Sends a request as it is; the body of the answer is still to be read.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Serves the API to clients of the network, until the test ends.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    /// Sends a request with the admin's token and these headers.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let own = [("authorization", bearer.as_str())];
        self.call_bare(method, path, &[&own, headers].concat(), body)
            .await
    }

    /// Sends a request with this token, or none.
    pub(crate) async fn call_as(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers = bearer.as_deref().map(|bearer| ("authorization", bearer));
        self.call_bare(method, path, &Vec::from_iter(headers), body)
            .await
    }

    /// Sends a request with these headers and the host.
    pub(crate) async fn call_bare(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let own = [("host", "localhost:7071")];
        let request = request(method, path, &[&own, headers].concat(), body);
        self.send(request).await
    }

    /// Sends a request with nothing but these headers over a connection from `peer`.
    pub(crate) async fn call_from(
        &self,
        peer: &str,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = request(method, path, headers, body);
        let peer = SocketAddr::new(peer.parse().unwrap(), 50_000);
        request.extensions_mut().insert(ConnectInfo(peer));
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call_with(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call_with(Method::POST, path, &[], Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call_with(Method::PUT, path, &[], Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call_with(Method::DELETE, path, &[], None).await
    }

    /// Posts bytes that need not be JSON.
    pub(crate) async fn post_bytes(&self, path: &str, bytes: Vec<u8>) -> Answer {
        self.send_bytes(Method::POST, path, bytes).await
    }

    /// Sends bytes that need not be JSON.
    pub(crate) async fn send_bytes(&self, method: Method, path: &str, bytes: Vec<u8>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost:7071")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Body::from(bytes));
        self.send(request.unwrap()).await
    }
}

/// The API token [`TOKEN`]. It was used after every test, so that no use of it is ever recorded.
fn admin() -> ApiToken {
    let end: Timestamp = "2999-01-01T00:00:00Z".parse().unwrap();
    ApiToken {
        id: ApiToken::id_in(TOKEN).unwrap(),
        name: "tests".parse().unwrap(),
        role: Role::Admin,
        grants: Grants::default(),
        hash: SecretHash::of(TOKEN),
        created_at: START.parse().unwrap(),
        created_by: "operator@example.com".to_owned(),
        expires_at: end,
        last_used: Some(end),
    }
}

fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    request.body(body).unwrap()
}
