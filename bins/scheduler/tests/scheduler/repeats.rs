//! A tick that failed is repeated soon, and not at the next quarter of an hour.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::storage::Storage;
use dilux_core::timer::Timer;
use dilux_scheduler::Scheduler;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::faults::{Fault, Faults, FaultyTables};
use crate::world::{at, own, world_with};

#[tokio::test]
async fn a_tick_that_failed_is_repeated_within_a_minute() {
    // Ticks at 1:45 and at 2:00.
    let settings = [("DILUX_SWEEP_SECONDS", "1")];
    let world = world_with("2026-03-05T01:45:00Z", &settings).await;
    world.add("db-1", own("production-critical"), true).await;
    let faults = Arc::new(Faults::default());
    let tables = FaultyTables {
        inner: world.installation.storage.tables.clone(),
        faults: faults.clone(),
    };
    let storage = Storage {
        tables: Arc::new(tables),
        ..world.installation.storage.clone()
    };
    // All that a tick needs, and neither timers nor sweeps.
    faults.set(Some(Fault::QueriesFail("databaseconfigs")));
    let stop = CancellationToken::new();
    let running = tokio::spawn(Scheduler::new(world.over(storage)).run(stop.clone()));
    let refused = async {
        while faults.refused() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(refused).await;
    faults.set(None);
    world.clock.advance(SignedDuration::from_mins(1));
    let timers = &world.installation.repositories.timers;
    let noted = async {
        while timers.get(&Timer::Planning).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(noted).await;
    stop.cancel();
    within(running).await.unwrap();
    let jobs = world.jobs().await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].created_at, at("2026-03-05T01:46:00Z"));
}

async fn within<T>(happening: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    let outcome = tokio::time::timeout(limit, happening).await;
    outcome.expect("it happens")
}
