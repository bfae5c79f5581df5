//! Passing requests on, each over a connection of its own, and failing the chosen ones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, client, server};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Fault, State, Upstream, lock, operation};

type Answer = Response<Full<Bytes>>;

/// What every connection of a listener shares.
#[derive(Debug, Clone)]
struct Route {
    kind: Upstream,
    upstream: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// Serves connections until it is dropped, and they with it.
pub(super) async fn accept(
    listener: TcpListener,
    kind: Upstream,
    upstream: SocketAddr,
    state: Arc<Mutex<State>>,
) {
    let route = Route {
        kind,
        upstream,
        state,
    };
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let route = route.clone();
        connections.spawn(async move {
            let service = service_fn(|request| handle(&route, request));
            // An error closes the connection, which is what its caller should see.
            let serving = server::conn::http1::Builder::new();
            serving
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn handle(route: &Route, request: Request<Incoming>) -> Result<Answer> {
    let operation = operation::name(route.kind, request.method(), request.uri());
    let (head, body) = request.into_parts();
    let body = body.collect().await.context("read the request")?.to_bytes();
    let request = Request::from_parts(head, Full::new(body));
    let fault = lock(&route.state).meet(&operation);
    match fault {
        None => send(route.upstream, request).await,
        Some(Fault::Status(status)) => refuse(route.kind, status),
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Reset) => bail!("the connection is closed"),
        Some(Fault::LostReply) => {
            send(route.upstream, request).await?;
            bail!("the answer is lost")
        }
        Some(Fault::Duplicate) => {
            send(route.upstream, request.clone()).await?;
            send(route.upstream, request).await
        }
    }
}

/// Sends a request as it came and gives the answer as it came.
async fn send(upstream: SocketAddr, request: Request<Full<Bytes>>) -> Result<Answer> {
    let is_head = request.method() == Method::HEAD;
    let stream = TcpStream::connect(upstream)
        .await
        .context("reach Azurite")?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let (mut head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        head.headers.remove(CONNECTION);
        head.headers.remove(TRANSFER_ENCODING);
        // An answer to HEAD tells the length of a body that it does not have.
        if !is_head {
            head.headers.remove(CONTENT_LENGTH);
        }
        Ok(Response::from_parts(head, Full::new(body)))
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}

/// An answer as the services write it when they are overloaded or broken.
fn refuse(kind: Upstream, status: u16) -> Result<Answer> {
    let code = match status {
        429 => "TooManyRequests",
        503 => "ServerBusy",
        _ => "InternalError",
    };
    let (media, body) = match kind {
        Upstream::Table => (
            "application/json",
            format!(r#"{{"odata.error":{{"code":"{code}","message":{{"value":"planted"}}}}}}"#),
        ),
        Upstream::Blob | Upstream::Queue => (
            "application/xml",
            format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>planted</Message></Error>"
            ),
        ),
    };
    let answer = Response::builder()
        .status(status)
        .header("x-ms-error-code", code)
        .header("content-type", media);
    let answer = if status == 500 {
        answer
    } else {
        answer.header(RETRY_AFTER, "1")
    };
    Ok(answer.body(Full::new(Bytes::from(body)))?)
}
