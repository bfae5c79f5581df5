//! Databases that restores make on the simulated servers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};
use dilux_drivers::RestorePlan;
use tokio::time::sleep;

use crate::network::Network;
use crate::process::Process;

/// A database that a restore made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copy {
    /// What was written into it.
    pub(crate) bytes: Vec<u8>,
    /// Whether the restore said that this is all.
    pub(crate) is_finished: bool,
    is_being_written: bool,
}

/// The copies on all servers, by name.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    by_name: Mutex<BTreeMap<String, Copy>>,
}

impl Copies {
    /// The copy of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Copy> {
        self.lock().get(name).cloned()
    }

    /// Whether a restore writes into it at this moment.
    pub(crate) fn is_being_written(&self, name: &str) -> bool {
        self.lock()
            .get(name)
            .is_some_and(|copy| copy.is_being_written)
    }

    /// Drops it where it is there.
    pub(crate) fn drop_database(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Makes an empty one. `false` when there is one of this name.
    fn create(&self, name: &str) -> bool {
        let mut copies = self.lock();
        let is_new = !copies.contains_key(name);
        if is_new {
            let empty = Copy {
                is_being_written: true,
                ..Copy::default()
            };
            copies.insert(name.to_owned(), empty);
        }
        is_new
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Copy)) {
        if let Some(copy) = self.lock().get_mut(name) {
            change(copy);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Copy>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A restore into a copy. Like a real client it leaves a half-filled database when its process dies.
pub(crate) struct SimulatedRestore {
    name: String,
    network: Arc<Network>,
    process: Arc<Process>,
    copies: Arc<Copies>,
    pause: Duration,
    is_rehearsal: bool,
}

impl SimulatedRestore {
    /// Makes the copy; refused when there is one of this name.
    pub(crate) fn begin(
        plan: &RestorePlan,
        network: Arc<Network>,
        process: Arc<Process>,
        copies: Arc<Copies>,
    ) -> Result<Self, Failure> {
        let name = &plan.database;
        if !copies.create(name.as_str()) {
            return Err(Failure::new(
                FailureKind::TargetExists,
                format!("there is a database '{name}' already"),
            ));
        }
        let dice = &network.dice;
        let most = if !network.is_calm() && dice.chance(network.plan.dump_slow) {
            Duration::from_mins(10)
        } else {
            Duration::from_secs(2)
        };
        let pause = dice.span(Duration::from_millis(50), most);
        Ok(Self {
            name: name.as_str().to_owned(),
            network,
            process,
            copies,
            pause,
            is_rehearsal: plan.is_rehearsal,
        })
    }

    fn fails(&self) -> bool {
        let network = &self.network;
        !network.is_calm() && network.dice.chance(network.plan.dump_failure / 4)
    }
}

#[async_trait]
impl RestoreSink for SimulatedRestore {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        sleep(self.pause).await;
        self.process.step().await;
        if self.fails() {
            return Err(Failure::new(
                FailureKind::ToolFailed,
                "simulated-client was killed",
            ));
        }
        let extend = |copy: &mut Copy| copy.bytes.extend_from_slice(&bytes);
        self.copies.change(&self.name, extend);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Failure> {
        self.process.step().await;
        if self.is_rehearsal {
            self.copies.lock().remove(&self.name);
            return Ok(());
        }
        self.copies
            .change(&self.name, |copy| copy.is_finished = true);
        Ok(())
    }

    async fn abort(self: Box<Self>) {
        self.copies.lock().remove(&self.name);
    }
}

impl Drop for SimulatedRestore {
    fn drop(&mut self) {
        self.copies
            .change(&self.name, |copy| copy.is_being_written = false);
    }
}
