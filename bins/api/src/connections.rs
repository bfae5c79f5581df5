//! Answering connections: how many at once, and how long one may say nothing. The server of axum has
//! no setting for either.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// How long to wait after a connection that could not be taken, for want of file descriptors.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What clients may take up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Connections at once; whoever comes beyond waits to be taken.
    pub(crate) connections: usize,
    /// From the start of a connection, or the end of an answer, to the end of the next request's
    /// headers.
    pub(crate) silence: Duration,
}

impl Patience {
    /// For twice as many connections as there are requests and streams at once at most. Proxies
    /// keep a connection for a minute and take it as given that it is still open.
    pub(crate) const USUAL: Self = Self {
        connections: 1000,
        silence: Duration::from_secs(75),
    };
}

/// Answers those who connect, until `shutdown` and the end of the requests that were begun before.
pub(crate) async fn answer(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    shutdown: &CancellationToken,
) {
    let under_way = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(patience.connections));
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(patience.silence);
    loop {
        let (stream, peer, place) = tokio::select! {
            () = shutdown.cancelled() => break,
            taken = take(&listener, &places) => taken,
        };
        let router = router.clone();
        let service = tower::service_fn(move |request: Request<_>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let connection =
            protocol.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = under_way.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a connection ended early");
            }
        });
    }
    drop(listener);
    under_way.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn take(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The places are never closed.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken; trying again");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// Whether somebody went away before they were answered, which concerns nobody else.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
