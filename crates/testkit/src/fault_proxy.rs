//! An HTTP proxy in front of Azurite that knows the operations of the three services, and lets
//! one call of one of them fail in a chosen way, or all calls from one on.

mod forward;
mod operation;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The proxy answers with this status; the store never sees the call.
    Status(u16),
    /// No answer comes, until the caller hangs up; the store never sees the call.
    Silence,
    /// The connection is closed; the store never sees the call.
    Reset,
    /// The store does what it is asked, and the connection is closed in place of its answer.
    LostReply,
    /// The store gets the call twice, and the caller the second answer.
    Duplicate,
}

impl Fault {
    /// Every fault, with the three statuses by which a store says that it cannot just now.
    pub const ALL: [Self; 7] = [
        Self::Status(429),
        Self::Status(500),
        Self::Status(503),
        Self::Silence,
        Self::Reset,
        Self::LostReply,
        Self::Duplicate,
    ];
}

/// One of the services behind the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    Blob,
    Queue,
    Table,
}

/// What is armed, and what passed.
#[derive(Debug, Default)]
struct State {
    armed: Option<(String, Fault)>,
    /// The call at which the store goes down.
    last_straw: Option<String>,
    /// How many calls have failed since it went down.
    refused: Option<usize>,
    hits: usize,
    seen: BTreeSet<String>,
}

impl State {
    /// Notes a call and takes the fault that waits for it.
    fn meet(&mut self, operation: &str) -> Option<Fault> {
        if !self.seen.contains(operation) {
            self.seen.insert(operation.to_owned());
        }
        if let Some(refused) = &mut self.refused {
            *refused += 1;
            return Some(if *refused % 2 == 0 {
                Fault::Reset
            } else {
                Fault::Status(503)
            });
        }
        if self
            .last_straw
            .take_if(|wanted| wanted == operation)
            .is_some()
        {
            self.refused = Some(1);
            return Some(Fault::Reset);
        }
        let (_, fault) = self.armed.take_if(|(wanted, _)| wanted == operation)?;
        self.hits += 1;
        Some(fault)
    }
}

/// A running proxy in front of one Azurite. It ends with this value.
#[derive(Debug)]
pub struct FaultProxy {
    addresses: [SocketAddr; 3],
    state: Arc<Mutex<State>>,
    accepting: Vec<AbortHandle>,
}

impl FaultProxy {
    /// Puts a free loopback port in front of each of the three services.
    pub async fn start(azurite: &Azurite) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let mut addresses = Vec::new();
        let mut accepting = Vec::new();
        let kinds = [Upstream::Blob, Upstream::Queue, Upstream::Table];
        for (kind, upstream) in kinds.into_iter().zip(azurite.addresses()) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .context("start a proxy")?;
            addresses.push(listener.local_addr()?);
            let serving = forward::accept(listener, kind, upstream, Arc::clone(&state));
            accepting.push(tokio::spawn(serving).abort_handle());
        }
        Ok(Self {
            addresses: addresses
                .try_into()
                .map_err(|_| anyhow::anyhow!("three services"))?,
            state,
            accepting,
        })
    }

    /// As [`Azurite::connection_string`], through the proxy.
    pub fn connection_string(&self) -> String {
        let [blob, queue, table] = self.addresses;
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};\
             BlobEndpoint=http://{blob}/{ACCOUNT};QueueEndpoint=http://{queue}/{ACCOUNT};\
             TableEndpoint=http://{table}/{ACCOUNT};"
        )
    }

    /// The next call of `operation` fails so; a name as [`Self::operations`] gives it.
    pub fn arm(&self, operation: &str, fault: Fault) {
        self.state().armed = Some((operation.to_owned(), fault));
    }

    /// Takes an armed fault back. Whether it was still waiting.
    pub fn disarm(&self) -> bool {
        self.state().armed.take().is_some()
    }

    /// Goes down now: every call of every service fails, until [`Self::come_back`].
    pub fn go_down(&self) {
        self.state().refused = Some(0);
    }

    /// Goes down with the next call of `operation`.
    pub fn go_down_at(&self, operation: &str) {
        self.state().last_straw = Some(operation.to_owned());
    }

    /// How many calls have failed since it went down; nothing while it is up.
    pub fn refused(&self) -> Option<usize> {
        self.state().refused
    }

    /// Ends what [`Self::go_down`] and [`Self::go_down_at`] began.
    pub fn come_back(&self) {
        let mut state = self.state();
        (state.refused, state.last_straw) = (None, None);
    }

    /// How many calls armed with a fault have failed so far.
    pub fn hits(&self) -> usize {
        self.state().hits
    }

    /// Every operation that has been called: `table PUT jobs entity`, `blob PUT data block`.
    pub fn operations(&self) -> BTreeSet<String> {
        self.state().seen.clone()
    }

    /// Forgets which operations have been called.
    pub fn forget_operations(&self) {
        self.state().seen.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
