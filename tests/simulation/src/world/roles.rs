//! The processes of an installation, which are started again whenever they end.

use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use dilux_core::config::Settings;
use dilux_core::expiry::Expiry;
use dilux_core::model::EngineType;
use dilux_core::storage::RetryPolicy;
use dilux_drivers::{Driver, Drivers, Tools};
use dilux_pipeline::{Computing, Tuning};
use dilux_processor::Processor;
use dilux_scheduler::Scheduler;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Life, World};
use crate::process::Process;
use crate::random::Dice;
use crate::source::SimulatedDriver;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Scheduler,
    Worker,
}

impl Role {
    /// The processes of an installation.
    pub(super) const ALL: [Self; 6] = [
        Self::Scheduler,
        Self::Scheduler,
        Self::Worker,
        Self::Worker,
        Self::Worker,
        Self::Worker,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Worker => "worker",
        }
    }
}

/// When a run begins: some cross a month, a year, a leap day.
pub(super) fn start(dice: &Dice) -> anyhow::Result<Timestamp> {
    let day: Timestamp = dice
        .pick(
            "2026-03-03T00:00:00Z",
            &[
                "2026-02-27T00:00:00Z",
                "2026-12-30T00:00:00Z",
                "2028-02-27T00:00:00Z",
                "2026-10-23T00:00:00Z",
            ],
        )
        .parse()?;
    let offset = SignedDuration::try_from(dice.span(Duration::ZERO, Duration::from_hours(24)))?;
    Ok(day.checked_add(offset)?)
}

/// The settings of a run. Idle waits are long, so that simulated days are short.
pub(super) fn settings(dice: &Dice) -> anyhow::Result<Settings> {
    let pairs = [
        ("STORAGE_CONNECTION_STRING", "file:///nowhere"),
        (
            "DILUX_TICK_SECONDS",
            dice.pick("3600", &["3600", "3600", "1800", "900"]),
        ),
        (
            "DILUX_SWEEP_SECONDS",
            dice.pick("1800", &["900", "600", "1800"]),
        ),
        ("DILUX_WORKERS", dice.pick("1", &["2"])),
        ("DILUX_IDLE_POLL_MILLISECONDS", "1800000"),
        ("DILUX_HEARTBEAT_SECONDS", "3600"),
        ("DILUX_JOB_LEASE_SECONDS", dice.pick("90", &["30"])),
        ("DILUX_RETENTION_GRACE_DAYS", dice.pick("0", &["0", "1"])),
        ("DILUX_ORPHAN_HOURS", "24"),
    ];
    let lookup = |name: &str| {
        let found = pairs.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Ok(Settings::read(&lookup)?)
}

/// Keeps a process running until `until`, one life after the other.
pub(super) async fn supervise(
    world: Arc<World>,
    index: usize,
    role: Role,
    until: CancellationToken,
) {
    let mut lives = 0_u32;
    while !until.is_cancelled() {
        lives += 1;
        let name = format!("{}-{index}.{lives}", role.name());
        let life = Life {
            process: Arc::new(Process::new(name)),
            shutdown: until.child_token(),
        };
        world.enter(index, &life);
        let main = work(world.clone(), role, life.clone());
        let mut running = tokio::spawn(main);
        tokio::select! {
            biased;
            () = life.process.death() => {
                running.abort();
                *world.deaths.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
            _ = &mut running => life.process.kill(),
        }
        let pause = downtime(&world.network.dice);
        tokio::select! {
            biased;
            () = until.cancelled() => {}
            () = world.calm.cancelled() => sleep(Duration::from_secs(1)).await,
            () = sleep(pause) => {}
        }
    }
}

fn downtime(dice: &Dice) -> Duration {
    let seconds = Duration::from_secs;
    let most = dice.pick(20, &[20, 20, 60, 60, 600, 600, 7_200]);
    dice.span(seconds(1), seconds(most))
}

/// The main function of a service.
async fn work(world: Arc<World>, role: Role, life: Life) {
    let dice = &world.network.dice;
    let skew = i64::try_from(dice.below(8_001)).unwrap_or(0) - 4_000;
    let skew = SignedDuration::from_millis(skew);
    let installation = world.installation(&life.process, RetryPolicy::worker(), skew);
    if let Err(error) = installation.prepare().await {
        tracing::warn!(%error, "process does not come up");
        return;
    }
    match role {
        Role::Scheduler => {
            let expiry = Expiry::new(installation.clone());
            tokio::select! {
                biased;
                () = Scheduler::new(installation).run(life.shutdown) => {}
                () = expire(&world, &expiry) => {}
            }
        }
        Role::Worker => {
            let drivers = Arc::new(drivers(&world, &life.process));
            Processor::new(installation, drivers)
                .with_tuning(tuning())
                .run(life.shutdown)
                .await;
        }
    }
}

/// Carries out retention beside its timer and more often, so that a few days are enough; every
/// hour once nothing goes wrong any more.
async fn expire(world: &World, expiry: &Expiry) {
    loop {
        let dice = &world.network.dice;
        let pause = dice.span(Duration::from_hours(6), Duration::from_hours(18));
        tokio::select! {
            biased;
            () = world.calm.cancelled() => sleep(Duration::from_hours(1)).await,
            () = sleep(pause) => {}
        }
        if let Err(error) = expiry.run().await {
            tracing::info!(%error, "retention decided nothing");
        }
    }
}

fn drivers(world: &World, process: &Arc<Process>) -> Drivers {
    let driver = |engine_type| -> Arc<dyn Driver> {
        Arc::new(SimulatedDriver {
            engine_type,
            network: world.network.clone(),
            process: process.clone(),
            sources: world.sources.clone(),
        })
    };
    let all = [EngineType::PostgreSql, EngineType::MySql].map(driver);
    Drivers::of(all.to_vec(), Tools::default())
}

/// Small pieces, so that small dumps have several blocks, and no threads.
fn tuning() -> Tuning {
    let bytes = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
    Tuning {
        workers: bytes(2),
        chunk_bytes: bytes(2048),
        block_bytes: bytes(4096),
        computing: Computing::InPlace,
        ..Tuning::default()
    }
}

impl World {
    fn enter(&self, index: usize, life: &Life) {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        if index < lives.len() {
            lives[index] = life.clone();
        } else {
            lives.push(life.clone());
        }
    }
}
