//! Start and stop of the service, over a real socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dilux_api::{Context, check_address, serve};
use dilux_core::api_tokens::{ApiTokens, LifetimeDays, NewApiToken};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{Grants, Role};
use dilux_core::secret::SecretValue;
use dilux_core::storage::Profile;
use dilux_drivers::{Drivers, Tools};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::canary::capture;

async fn installation(directory: &Path) -> Installation {
    patient_installation(directory, 1).await
}

/// An installation whose services wait so many seconds for what is under way when they stop.
async fn patient_installation(directory: &Path, grace: u32) -> Installation {
    let store = format!("file://{}", directory.display());
    let settings = Settings::read(&|name| match name {
        "STORAGE_CONNECTION_STRING" => Some(store.clone()),
        "DILUX_SHUTDOWN_GRACE_SECONDS" => Some(grace.to_string()),
        _ => None,
    });
    let installation = Installation::open(settings.unwrap(), Profile::Interactive).unwrap();
    installation.prepare().await.unwrap();
    installation
}

/// An API token that may look at everything.
async fn viewer(installation: &Installation) -> SecretValue {
    let new = NewApiToken {
        name: "viewer".parse().unwrap(),
        role: Role::Viewer,
        grants: Grants::default(),
        lifetime: LifetimeDays::default(),
    };
    let tokens = ApiTokens::new(installation.clone());
    tokens.create(new, "tests").await.unwrap().1
}

fn context(installation: Installation) -> Context {
    Context::new(
        installation,
        Arc::new(Drivers::of(Vec::new(), Tools::default())),
    )
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_with_what_to_do() {
    for address in ["0.0.0.0:7071", "10.1.2.3:80", "[::]:7071"] {
        let refusal = check_address(address.parse().unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            refusal.contains("DILUX_API_ADDRESS") && refusal.contains(address),
            "{refusal}"
        );
    }
    check_address("127.0.0.1:1".parse().unwrap()).unwrap();
    check_address("[::1]:1".parse().unwrap()).unwrap();
    let directory = TempDir::new().unwrap();
    let context = context(installation(directory.path()).await);
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let outcome = serve(context, listener, CancellationToken::new()).await;
    assert!(outcome.unwrap_err().to_string().contains("loopback"));
}

async fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_service_answers_on_its_socket_until_it_is_stopped() {
    let directory = TempDir::new().unwrap();
    let context = context(installation(directory.path()).await);
    let token = viewer(&context.installation).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let shutdown = CancellationToken::new();
    let service = tokio::spawn(serve(context, listener, shutdown.clone()));
    let health = "GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(exchange(port, health).await.starts_with("HTTP/1.1 200"));
    let version = format!(
        "GET /api/version HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        token.expose()
    );
    assert!(exchange(port, &version).await.starts_with("HTTP/1.1 200"));
    let old = "GET /api/health HTTP/1.0\r\n\r\n";
    assert!(
        exchange(port, old).await.starts_with("HTTP/1.0 421"),
        "no host is named"
    );
    // A connection that is kept open does not keep the service from stopping.
    let _idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    shutdown.cancel();
    service.await.unwrap().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

/// How long a service that does not stop is waited for before the test fails.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn streams_of_events_do_not_keep_the_service_from_stopping() {
    let directory = TempDir::new().unwrap();
    let context = context(patient_installation(directory.path(), 600).await);
    let token = viewer(&context.installation).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let shutdown = CancellationToken::new();
    let service = tokio::spawn(serve(context, listener, shutdown.clone()));
    let health = "GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(exchange(port, health).await.starts_with("HTTP/1.1 200"));
    let request = format!(
        "GET /api/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        token.expose()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("event: reset") {
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "{answer}");
        answer.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    shutdown.cancel();
    let stopped = tokio::time::timeout(PATIENCE, service).await;
    stopped.expect("the service stops").unwrap().unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the stream ends well: {rest}");
}

/// Asks the service on this port for the first admin to be made.
async fn set_up(port: u16, token: &str) -> String {
    let body = r#"{"email": "ann@example.com", "password": "a long passphrase"}"#;
    let request = format!(
        "POST /api/auth/setup HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    exchange(port, &request).await
}

#[tokio::test]
async fn a_service_that_starts_without_people_lets_one_in_and_logs_no_token() {
    let log = capture();
    let directory = TempDir::new().unwrap();
    let installation = installation(directory.path()).await;
    let file = installation.settings.token_file.clone();
    let mut token = String::new();
    for is_first in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shutdown = CancellationToken::new();
        let context = context(installation.clone());
        let service = tokio::spawn(serve(context, listener, shutdown.clone()));
        let health = "GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        assert!(exchange(port, health).await.starts_with("HTTP/1.1 200"));
        assert_eq!(file.exists(), is_first);
        if is_first {
            token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
            let made = set_up(port, &token).await;
            assert!(made.starts_with("HTTP/1.1 201"), "{made}");
        }
        let again = set_up(port, &token).await;
        assert!(again.starts_with("HTTP/1.1 401"), "{again}");
        assert!(!file.exists());
        shutdown.cancel();
        service.await.unwrap().unwrap();
    }
    let logged = String::from_utf8(log.bytes()).unwrap();
    assert!(logged.contains("made the bootstrap token"), "{logged}");
    assert!(!logged.contains(&token));
}

#[tokio::test]
async fn where_nobody_is_asked_who_they_are_there_is_no_bootstrap_token() {
    let directory = TempDir::new().unwrap();
    let store = format!("file://{}", directory.path().display());
    let settings = Settings::read(&|name| match name {
        "STORAGE_CONNECTION_STRING" => Some(store.clone()),
        "DILUX_AUTH" => Some("off".to_owned()),
        "DILUX_EVERYBODY_IS_ADMIN" => Some("yes".to_owned()),
        _ => None,
    });
    let installation = Installation::open(settings.unwrap(), Profile::Interactive).unwrap();
    installation.prepare().await.unwrap();
    let file = installation.settings.token_file.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let shutdown = CancellationToken::new();
    let service = tokio::spawn(serve(context(installation), listener, shutdown.clone()));
    let health = "GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(exchange(port, health).await.starts_with("HTTP/1.1 200"));
    assert!(!file.exists());
    shutdown.cancel();
    service.await.unwrap().unwrap();
}
