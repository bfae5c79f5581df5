//! A TCP proxy on loopback that can fall silent: it keeps its connections open and moves nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use dilux_core::model::{Host, Port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::postgres::{loopback, port};

/// Whether bytes from the server pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Free,
    /// Each connection passes this many bytes of the server and no more.
    UpTo(u64),
    Cut,
}

/// A running proxy. Its connections end with this value.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    flow: watch::Sender<Flow>,
    accepting: AbortHandle,
}

impl TcpProxy {
    /// Forwards a free loopback port to `server_port`.
    pub async fn start(server_port: Port) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("start a proxy")?;
        let address = listener.local_addr()?;
        let (flow, flows) = watch::channel(Flow::Free);
        let accepting = tokio::spawn(accept(listener, server_port.get(), flows)).abort_handle();
        Ok(Self {
            address,
            flow,
            accepting,
        })
    }

    /// Where it listens.
    pub fn host(&self) -> Host {
        loopback()
    }

    /// Its port.
    pub fn port(&self) -> Port {
        port(self.address.port())
    }

    /// From now on a connection passes at most `bytes` from the server, counted from its start.
    pub fn fall_silent_after(&self, bytes: u64) {
        self.flow.send_replace(Flow::UpTo(bytes));
    }

    /// Closes every connection, now and later.
    pub fn cut(&self) {
        self.flow.send_replace(Flow::Cut);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server_port: u16, flows: watch::Receiver<Flow>) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    let flows = Arc::new(flows);
    while let Ok((client, _)) = listener.accept().await {
        let flows = Arc::clone(&flows);
        connections.spawn(async move {
            // A connection that fails is closed, which its client sees.
            serve(client, server_port, flows.as_ref().clone())
                .await
                .ok();
        });
    }
}

async fn serve(client: TcpStream, server_port: u16, flows: watch::Receiver<Flow>) -> Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await?;
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        result = forward(client_read, server_write, None) => result,
        result = forward(server_read, client_write, Some(flows.clone())) => result,
        () = until_cut(flows) => Ok(()),
    }
}

async fn until_cut(mut flows: watch::Receiver<Flow>) {
    // Ends as well when the proxy is gone.
    flows.wait_for(|flow| *flow == Flow::Cut).await.ok();
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut flows: Option<watch::Receiver<Flow>>,
) -> Result<()> {
    let mut buffer = vec![0_u8; 16 * 1024];
    let mut passed = 0;
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        if let Some(flows) = &mut flows {
            let may_pass = |flow: &Flow| match flow {
                Flow::Free | Flow::Cut => true,
                Flow::UpTo(bytes) => passed < *bytes,
            };
            flows.wait_for(may_pass).await?;
        }
        to.write_all(&buffer[..count]).await?;
        passed += count as u64;
    }
}
