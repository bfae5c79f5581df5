//! Database servers that are not there: dumps of known bytes that fail, stall and end early, and
//! restores of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use dilux_core::clock::Clock as _;
use dilux_core::model::{
    DatabaseName, DatabaseTraits, EngineType, Fingerprint, ServerIdentity, ToolIdentity,
};
use dilux_core::random::Random as _;
use dilux_core::transfer::{
    DumpComplete, DumpEvidence, DumpSource, Failure, FailureKind, RestoreSink, ToolExit,
};
use dilux_drivers::{
    Connector, DiscoveredDatabase, Driver, Probe, RestorePlan, RunningDump, Target,
};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::clock::SimulatedClock;
use crate::copies::{Copies, SimulatedRestore};
use crate::network::Network;
use crate::process::Process;
use crate::random::Dice;

/// A dump that was begun.
#[derive(Debug, Clone)]
pub(crate) struct Dump {
    /// Of which database, by its name on the server.
    pub(crate) database: String,
    /// Bytes of a whole one.
    pub(crate) length: usize,
    /// When.
    pub(crate) started_at: Timestamp,
    /// Whether it was proved to be whole.
    pub(crate) is_whole: bool,
}

/// Every dump of a run: what was really in the databases.
#[derive(Debug)]
pub(crate) struct Sources {
    clock: SimulatedClock,
    dumps: Mutex<Vec<Dump>>,
    /// What restores made.
    pub(crate) copies: Arc<Copies>,
}

impl Sources {
    /// Servers that nobody has dumped yet.
    pub(crate) fn new(clock: SimulatedClock) -> Self {
        Self {
            clock,
            dumps: Mutex::default(),
            copies: Arc::default(),
        }
    }

    /// The dumps so far.
    pub(crate) fn dumps(&self) -> MutexGuard<'_, Vec<Dump>> {
        self.dumps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, database: &DatabaseName, length: usize) -> (usize, Bytes) {
        let mut dumps = self.dumps();
        let number = dumps.len();
        dumps.push(Dump {
            database: database.as_str().to_owned(),
            length,
            started_at: self.clock.now(),
            is_whole: false,
        });
        (number, content(number, length))
    }

    /// Why these bytes are not a whole dump of `database`; `None` when they are.
    pub(crate) fn objection(&self, bytes: &[u8], database: &str) -> Option<String> {
        let number = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .and_then(|line| std::str::from_utf8(line).ok())
            .and_then(|line| line.strip_prefix("dump "))
            .and_then(|number| number.parse::<usize>().ok());
        let dumps = self.dumps();
        let Some((number, dump)) = number.and_then(|number| Some((number, dumps.get(number)?)))
        else {
            return Some("it is no dump at all".to_owned());
        };
        if dump.database != database {
            return Some(format!("it is a dump of {}", dump.database));
        }
        if !dump.is_whole {
            return Some(format!("dump {number} never came to a good end"));
        }
        (bytes != content(number, dump.length))
            .then(|| format!("it is not what dump {number} wrote"))
    }
}

/// What dump `number` writes.
fn content(number: usize, length: usize) -> Bytes {
    let mut bytes = BytesMut::from(format!("dump {number}\n").as_bytes());
    let body = bytes.len();
    bytes.resize(body + length, 0);
    Dice::new(number as u64).fill(&mut bytes[body..]);
    bytes.extend_from_slice(b"\n-- complete\n");
    bytes.freeze()
}

/// How a dump ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Whole,
    Killed,
    Truncated,
    Stalled,
}

/// The driver of a simulated engine type.
pub(crate) struct SimulatedDriver {
    /// What it serves.
    pub(crate) engine_type: EngineType,
    /// Decides what goes wrong.
    pub(crate) network: Arc<Network>,
    /// In which it runs.
    pub(crate) process: Arc<Process>,
    /// The servers.
    pub(crate) sources: Arc<Sources>,
}

impl SimulatedDriver {
    fn refusal(&self) -> Option<Failure> {
        let dice = &self.network.dice;
        if self.network.is_calm() || !dice.chance(self.network.plan.dump_failure / 2) {
            return None;
        }
        let kind = dice.pick(
            FailureKind::Unreachable,
            &[FailureKind::Unreachable, FailureKind::Authentication],
        );
        Some(Failure::new(
            kind,
            "the simulated server does not let us in",
        ))
    }

    fn ending(&self) -> Ending {
        let dice = &self.network.dice;
        if self.network.is_calm() || !dice.chance(self.network.plan.dump_failure) {
            return Ending::Whole;
        }
        dice.pick(Ending::Killed, &[Ending::Truncated, Ending::Stalled])
    }

    fn duration(&self) -> Duration {
        let dice = &self.network.dice;
        let most = if !self.network.is_calm() && dice.chance(self.network.plan.dump_slow) {
            300
        } else {
            5
        };
        dice.span(Duration::from_millis(300), Duration::from_secs(most))
    }
}

#[async_trait]
impl Connector for SimulatedDriver {
    fn engine_type(&self) -> EngineType {
        self.engine_type
    }

    async fn probe(&self, _: &Target, _: Option<&DatabaseName>) -> Result<Probe, Failure> {
        Err(unknown("probes"))
    }

    async fn discover(&self, _: &Target) -> Result<Vec<DiscoveredDatabase>, Failure> {
        Err(unknown("discovery"))
    }
}

#[async_trait]
impl Driver for SimulatedDriver {
    async fn dump(&self, _: &Target, database: &DatabaseName) -> Result<RunningDump, Failure> {
        self.process.step().await;
        let dice = &self.network.dice;
        sleep(dice.span(Duration::from_millis(20), Duration::from_secs(2))).await;
        if let Some(refusal) = self.refusal() {
            self.network
                .log
                .note(self.process.name(), "sign in", database.as_str());
            return Err(refusal);
        }
        let length = usize::try_from(dice.between(100, 9_000)).unwrap_or(100);
        let ending = self.ending();
        let (number, content) = self.sources.begin(database, length);
        self.network.log.note(
            self.process.name(),
            &format!("dump {number} of {database}"),
            &format!("{ending:?}"),
        );
        Ok(RunningDump {
            source: Box::new(SimulatedDump {
                number,
                pause: self.duration() / 4,
                piece: content.len().div_ceil(4),
                total: content.len() as u64,
                left: content,
                ending,
                process: Arc::clone(&self.process),
                sources: Arc::clone(&self.sources),
            }),
            server: ServerIdentity {
                flavour: self.engine_type.as_str().to_owned(),
                version: "1.0".to_owned(),
            },
            tool: tool(),
            traits: DatabaseTraits::new(),
            notes: Vec::new(),
        })
    }

    async fn restore(
        &self,
        _: &Target,
        plan: &RestorePlan,
    ) -> Result<Box<dyn RestoreSink>, Failure> {
        self.process.step().await;
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let name = &plan.database;
        self.network
            .log
            .note(self.process.name(), "restore", name.as_str());
        let restore = SimulatedRestore::begin(
            plan,
            self.network.clone(),
            self.process.clone(),
            self.sources.copies.clone(),
        )?;
        Ok(Box::new(restore))
    }

    async fn drop_rehearsal(&self, _: &Target, database: &DatabaseName) -> Result<(), Failure> {
        self.process.step().await;
        self.sources.copies.drop_database(database.as_str());
        Ok(())
    }

    async fn fingerprint(&self, _: &Target, _: &DatabaseName) -> Result<Fingerprint, Failure> {
        Err(unknown("fingerprints"))
    }
}

fn unknown(what: &str) -> Failure {
    Failure::new(
        FailureKind::Internal,
        format!("the simulated server knows no {what}"),
    )
}

fn tool() -> ToolIdentity {
    ToolIdentity {
        name: "simulated-dump".to_owned(),
        path: "/simulated-dump".to_owned(),
        version: "1.0".to_owned(),
    }
}

struct SimulatedDump {
    number: usize,
    pause: Duration,
    piece: usize,
    total: u64,
    left: Bytes,
    ending: Ending,
    process: Arc<Process>,
    sources: Arc<Sources>,
}

#[async_trait]
impl DumpSource for SimulatedDump {
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<usize, Failure> {
        /// The longest silence that a driver bears.
        const SILENCE: Duration = Duration::from_mins(5);
        sleep(self.pause).await;
        self.process.step().await;
        let is_half_way = (self.left.len() as u64) * 2 < self.total;
        match self.ending {
            Ending::Killed if is_half_way => Err(Failure::new(
                FailureKind::ToolFailed,
                "simulated-dump was killed",
            )),
            Ending::Stalled if is_half_way => {
                sleep(SILENCE).await;
                Err(Failure::new(
                    FailureKind::Stalled,
                    "the simulated server fell silent",
                ))
            }
            Ending::Truncated if is_half_way => Ok(0),
            _ => {
                let room = buffer.capacity() - buffer.len();
                let bytes = self.piece.min(room).min(self.left.len());
                buffer.put_slice(&self.left.split_to(bytes));
                Ok(bytes)
            }
        }
    }

    async fn finish(self: Box<Self>) -> Result<DumpComplete, Failure> {
        self.process.step().await;
        let is_whole = self.left.is_empty() && self.ending == Ending::Whole;
        let proof = DumpComplete::prove(DumpEvidence {
            exit: Some(ToolExit::Code(0)),
            reached_end: true,
            has_trailer: is_whole,
            plain_bytes: self.total - self.left.len() as u64,
            tool: tool(),
            duration: self.pause * 4,
            warnings: String::new(),
        })?;
        if let Some(dump) = self.sources.dumps().get_mut(self.number) {
            dump.is_whole = true;
        }
        Ok(proof)
    }

    async fn abort(self: Box<Self>) {}
}
