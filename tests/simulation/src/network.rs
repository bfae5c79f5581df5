//! The way between processes and the store, where requests meet their fate.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dilux_core::storage::{StorageError, StorageErrorKind, StorageResult};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::event_log::EventLog;
use crate::fault::{Crash, Fault, FaultPlan};
use crate::memory::Memory;
use crate::process::Process;
use crate::random::Dice;

/// The four stores, which fail apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// Rows.
    Tables,
    /// Messages.
    Queues,
    /// Blobs.
    Blobs,
    /// Passwords.
    Secrets,
}

impl Store {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Tables, Self::Queues, Self::Blobs, Self::Secrets];
}

/// What is known of a request besides its effect.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) store: Store,
    pub(crate) operation: &'static str,
    /// What it is about, for the log.
    pub(crate) subject: String,
    pub(crate) is_write: bool,
    pub(crate) is_poll: bool,
}

/// The network of one run.
#[derive(Debug)]
pub(crate) struct Network {
    /// What is at its other end.
    pub(crate) memory: Arc<Memory>,
    /// What happened.
    pub(crate) log: EventLog,
    /// The fate of requests.
    pub(crate) dice: Dice,
    /// How often what goes wrong.
    pub(crate) plan: FaultPlan,
    is_calm: AtomicBool,
    outages: Mutex<[Option<Instant>; 4]>,
}

impl Network {
    /// A network on which nothing goes wrong until [`Self::begin_faults`].
    pub(crate) fn new(memory: Arc<Memory>, log: EventLog, dice: Dice, plan: FaultPlan) -> Self {
        Self {
            memory,
            log,
            dice,
            plan,
            is_calm: AtomicBool::new(true),
            outages: Mutex::default(),
        }
    }

    /// From now on, things go wrong.
    pub(crate) fn begin_faults(&self) {
        self.is_calm.store(false, Ordering::Relaxed);
    }

    /// From now on, nothing goes wrong any more, but for what is on its way already.
    pub(crate) fn end_faults(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// Whether nothing goes wrong.
    pub(crate) fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    /// No request reaches this store until then.
    pub(crate) fn take_out(&self, store: Store, until: Instant) {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)[store as usize] = Some(until);
    }

    fn is_out(&self, store: Store) -> bool {
        let outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
        outages[store as usize].is_some_and(|until| until > Instant::now())
    }

    fn fate(&self, process: &Process, request: &Request) -> Fault {
        if self.is_calm() {
            return FaultPlan::CALM.fate(&self.dice, request.is_write, request.is_poll);
        }
        if self.is_out(request.store) || process.is_cut_off() {
            return Fault::Refused;
        }
        self.plan
            .fate(&self.dice, request.is_write, request.is_poll)
    }

    /// Carries a request of `process` to the store, or not, or twice, or late.
    pub(crate) async fn carry<T, F>(
        &self,
        process: &Process,
        request: Request,
        effect: F,
    ) -> StorageResult<T>
    where
        T: Send + 'static,
        F: Fn(&Memory) -> StorageResult<T> + Send + Sync + 'static,
    {
        process.step().await;
        let fate = self.fate(process, &request);
        let outcome = self.meet(fate, process, &request, effect).await;
        // The answer of a dead or stopped process is read by nobody, or later.
        process.step().await;
        let word = match &outcome {
            Ok(_) => "done",
            Err(error) => kind_word(error.kind()),
        };
        self.log.note(process.name(), &request.line(fate), word);
        outcome
    }

    async fn meet<T, F>(
        &self,
        fate: Fault,
        process: &Process,
        request: &Request,
        effect: F,
    ) -> StorageResult<T>
    where
        T: Send + 'static,
        F: Fn(&Memory) -> StorageResult<T> + Send + Sync + 'static,
    {
        match fate {
            Fault::None => effect(&self.memory),
            Fault::Slow(wait) => {
                sleep(wait).await;
                effect(&self.memory)
            }
            Fault::Refused => Err(request.failure(StorageErrorKind::Unavailable)),
            Fault::Throttled => Err(request
                .failure(StorageErrorKind::Throttled)
                .with_retry_after(Some(Duration::from_secs(self.dice.between(1, 5))))),
            Fault::ReplyLost => {
                drop(effect(&self.memory));
                Err(request.failure(StorageErrorKind::Unavailable))
            }
            Fault::Late(wait) => {
                let (answer, answered) = oneshot::channel();
                self.happens_after(wait, request, move |memory| {
                    drop(answer.send(effect(memory)));
                });
                match answered.await {
                    Ok(outcome) => outcome,
                    Err(_) => pending().await,
                }
            }
            Fault::Repeated { is_second_answered } => {
                let first = effect(&self.memory);
                let second = effect(&self.memory);
                if is_second_answered { second } else { first }
            }
            Fault::RepeatedLater(wait) => {
                let first = effect(&self.memory);
                self.happens_after(wait, request, move |memory| drop(effect(memory)));
                first
            }
            Fault::Crash(crash) => {
                self.log
                    .note(process.name(), &request.line(fate), "dies here");
                match crash {
                    Crash::Before => {}
                    Crash::After => drop(effect(&self.memory)),
                    Crash::OnItsWay(wait) => {
                        self.happens_after(wait, request, move |memory| drop(effect(memory)));
                    }
                }
                process.kill();
                pending().await
            }
        }
    }

    /// Lets a request arrive later, whatever has become of its sender by then.
    fn happens_after(
        &self,
        wait: Duration,
        request: &Request,
        effect: impl FnOnce(&Memory) + Send + 'static,
    ) {
        let (memory, log) = (Arc::clone(&self.memory), self.log.clone());
        let line = request.line(Fault::Late(wait));
        tokio::spawn(async move {
            sleep(wait).await;
            effect(&memory);
            log.note("network", &line, "arrived");
        });
    }
}

impl Request {
    fn line(&self, fate: Fault) -> String {
        match fate {
            Fault::None | Fault::Slow(_) => format!("{} {}", self.operation, self.subject),
            fate => format!("{} {} [{fate:?}]", self.operation, self.subject),
        }
    }

    fn failure(&self, kind: StorageErrorKind) -> StorageError {
        StorageError::new(kind, self.operation, "the simulated store did not answer")
    }
}

fn kind_word(kind: StorageErrorKind) -> &'static str {
    match kind {
        StorageErrorKind::NotFound => "not found",
        StorageErrorKind::AlreadyExists => "already exists",
        StorageErrorKind::PreconditionFailed => "precondition failed",
        StorageErrorKind::Invalid => "invalid",
        StorageErrorKind::Unavailable => "unavailable",
        StorageErrorKind::Throttled => "throttled",
        StorageErrorKind::Denied => "denied",
        StorageErrorKind::Protected => "protected",
        StorageErrorKind::Full => "full",
        StorageErrorKind::Corrupt => "corrupt",
        StorageErrorKind::Internal => "internal",
    }
}
