//! A played database server: its dumps wait at a gate that the test opens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, BytesMut};
use dilux_core::model::{DatabaseName, EngineType, Fingerprint, ServerIdentity, ToolIdentity};
use dilux_core::transfer::{
    DumpComplete, DumpEvidence, DumpSource, Failure, FailureKind, RestoreSink,
};
use dilux_drivers::{
    Connector, DiscoveredDatabase, Driver, Probe, RestorePlan, RunningDump, Target,
};
use tokio::sync::watch;

const CONTENT: &[u8] = b"-- the dump of a played database\n";

/// The server.
#[derive(Debug)]
pub(crate) struct PlayedServer {
    gate: watch::Sender<bool>,
    is_down: AtomicBool,
    running: AtomicUsize,
    most: AtomicUsize,
    started: Mutex<Vec<String>>,
}

impl PlayedServer {
    /// A server whose dumps run through at once, or wait at the gate.
    pub(crate) fn new(is_open: bool) -> Arc<Self> {
        Arc::new(Self {
            gate: watch::Sender::new(is_open),
            is_down: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            started: Mutex::default(),
        })
    }

    /// Lets every dump through.
    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// From now on nothing answers.
    pub(crate) fn go_down(&self) {
        self.is_down.store(true, Ordering::SeqCst);
    }

    /// Databases whose dump was started, in that order.
    pub(crate) fn started(&self) -> Vec<String> {
        self.started.lock().unwrap().clone()
    }

    /// Most dumps that ran at the same time.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// The driver that leads to it.
pub(crate) struct PlayedDriver(pub(crate) Arc<PlayedServer>);

fn tool() -> ToolIdentity {
    ToolIdentity {
        name: "played_dump".to_owned(),
        path: "/played".to_owned(),
        version: "1".to_owned(),
    }
}

fn not_played() -> Failure {
    Failure::new(FailureKind::Internal, "this server only dumps")
}

#[async_trait]
impl Connector for PlayedDriver {
    fn engine_type(&self) -> EngineType {
        EngineType::PostgreSql
    }

    async fn probe(&self, _: &Target, _: Option<&DatabaseName>) -> Result<Probe, Failure> {
        Err(not_played())
    }

    async fn discover(&self, _: &Target) -> Result<Vec<DiscoveredDatabase>, Failure> {
        Err(not_played())
    }
}

#[async_trait]
impl Driver for PlayedDriver {
    async fn dump(&self, _: &Target, database: &DatabaseName) -> Result<RunningDump, Failure> {
        let server = self.0.clone();
        server
            .started
            .lock()
            .unwrap()
            .push(database.as_str().to_owned());
        if server.is_down.load(Ordering::SeqCst) {
            let message = "nothing answers at the server";
            return Err(Failure::new(FailureKind::Unreachable, message));
        }
        let running = server.running.fetch_add(1, Ordering::SeqCst) + 1;
        server.most.fetch_max(running, Ordering::SeqCst);
        Ok(RunningDump {
            source: Box::new(PlayedDump {
                gate: server.gate.subscribe(),
                server,
                is_read: false,
            }),
            server: ServerIdentity {
                flavour: "postgresql".to_owned(),
                version: "15".to_owned(),
            },
            tool: tool(),
            traits: BTreeMap::new(),
            notes: Vec::new(),
        })
    }

    async fn restore(&self, _: &Target, _: &RestorePlan) -> Result<Box<dyn RestoreSink>, Failure> {
        Err(not_played())
    }

    async fn drop_rehearsal(&self, _: &Target, _: &DatabaseName) -> Result<(), Failure> {
        Ok(())
    }

    async fn fingerprint(&self, _: &Target, _: &DatabaseName) -> Result<Fingerprint, Failure> {
        Err(not_played())
    }
}

struct PlayedDump {
    gate: watch::Receiver<bool>,
    server: Arc<PlayedServer>,
    is_read: bool,
}

impl Drop for PlayedDump {
    fn drop(&mut self) {
        self.server.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl DumpSource for PlayedDump {
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<usize, Failure> {
        if self.is_read {
            return Ok(0);
        }
        let opened = self.gate.wait_for(|is_open| *is_open).await;
        opened.map_err(|_| not_played())?;
        self.is_read = true;
        buffer.put_slice(CONTENT);
        Ok(CONTENT.len())
    }

    async fn finish(self: Box<Self>) -> Result<DumpComplete, Failure> {
        DumpComplete::prove(DumpEvidence {
            exit: None,
            reached_end: true,
            has_trailer: true,
            plain_bytes: CONTENT.len() as u64,
            tool: tool(),
            duration: Duration::ZERO,
            warnings: String::new(),
        })
    }

    async fn abort(self: Box<Self>) {}
}
