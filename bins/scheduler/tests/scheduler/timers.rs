//! Timers: each slot runs once, whoever dies, and not at all while storage is silent.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::clock::{Clock as _, ManualClock};
use dilux_core::expiry::Expiry;
use dilux_core::storage::Storage;
use dilux_core::timer::{Timer, TimerOutcome, TimerState};
use dilux_scheduler::{Scheduler, TimerLook};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::faults::{Fault, Faults, FaultyTables};
use crate::world::{World, at, own, world, world_at, world_with};

const DONE: TimerLook = TimerLook::Ran(TimerOutcome::Done);

impl World {
    /// A look at a timer that nothing may go wrong in.
    async fn look(&self, scheduler: &Scheduler, timer: Timer) -> TimerLook {
        let never = CancellationToken::new();
        scheduler.look_at(timer, &never).await.unwrap()
    }

    async fn timer(&self, timer: Timer) -> TimerState {
        let stored = self.installation.repositories.timers.get(&timer).await;
        stored.unwrap().unwrap().value
    }

    /// A scheduler whose tables may fail.
    fn faulty_scheduler(&self) -> (Scheduler, Arc<Faults>) {
        let faults = Arc::new(Faults::default());
        let inner = self.installation.storage.tables.clone();
        let tables = FaultyTables {
            inner,
            faults: faults.clone(),
        };
        let storage = Storage {
            tables: Arc::new(tables),
            ..self.installation.storage.clone()
        };
        (Scheduler::new(self.over(storage)), faults)
    }
}

/// Waits for something that must happen.
async fn within<T>(happening: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(1);
    let outcome = tokio::time::timeout(limit, happening).await;
    outcome.expect("it happens")
}

fn set(clock: &ManualClock, to: &str) {
    let to: Timestamp = to.parse().unwrap();
    clock.advance(to.duration_since(clock.now()));
}

/// A world at ten to two, whose retention is known to be due at two.
async fn night() -> World {
    let world = world_at("2026-03-05T01:50:00Z").await;
    let scheduler = world.scheduler();
    let first = Box::pin(world.look(&scheduler, Timer::Retention)).await;
    assert_eq!(first, TimerLook::NotDue, "a newcomer has nothing to expire");
    world
}

#[tokio::test]
async fn retention_runs_at_two_in_one_of_the_schedulers_and_not_again_that_day() {
    let world = night().await;
    world.add("db-1", own("production-critical"), true).await;
    let (first, second) = (world.scheduler(), world.scheduler());
    set(&world.clock, "2026-03-05T01:59:59Z");
    assert_eq!(
        world.look(&first, Timer::Retention).await,
        TimerLook::NotDue
    );
    set(&world.clock, "2026-03-05T02:00:00Z");
    let mut looks = Vec::new();
    for _ in 0..3 {
        let (one, other) = tokio::join!(
            world.look(&first, Timer::Retention),
            world.look(&second, Timer::Retention)
        );
        looks.extend([one, other]);
    }
    looks.retain(|look| *look != TimerLook::NotDue);
    assert_eq!(looks, [DONE]);
    let state = world.timer(Timer::Retention).await;
    assert_eq!(state.next, Some(at("2026-03-06T02:00:00Z")));
    let run = state.last.unwrap();
    assert_eq!(run.slot, at("2026-03-05T02:00:00Z"));
    assert!(run.message.starts_with("1 databases"), "{}", run.message);
    assert_eq!((run.counts["databases"], run.counts["deleted"]), (1, 0));
    for now in [
        "2026-03-05T02:00:30Z",
        "2026-03-05T14:00:00Z",
        "2026-03-06T01:59:59Z",
    ] {
        set(&world.clock, now);
        let restarted = world.scheduler();
        let look = world.look(&restarted, Timer::Retention).await;
        assert_eq!(look, TimerLook::NotDue, "{now}");
    }
    set(&world.clock, "2026-03-06T02:00:00Z");
    assert_eq!(world.look(&second, Timer::Retention).await, DONE);
    let state = world.timer(Timer::Retention).await;
    assert_eq!(
        state.earlier,
        [run],
        "the run of the day before is remembered"
    );
}

#[tokio::test]
async fn missed_days_are_made_up_for_by_one_run_at_the_start() {
    let world = night().await;
    set(&world.clock, "2026-03-20T09:30:00Z");
    let scheduler = world.scheduler();
    assert_eq!(world.look(&scheduler, Timer::Retention).await, DONE);
    let slot = world.timer(Timer::Retention).await.last.unwrap().slot;
    assert_eq!(slot, at("2026-03-20T02:00:00Z"));
    assert_eq!(
        world.look(&scheduler, Timer::Retention).await,
        TimerLook::NotDue
    );
}

#[tokio::test]
async fn another_scheduler_takes_a_run_over_when_the_first_one_has_died_in_it() {
    let world = night().await;
    set(&world.clock, "2026-03-05T02:00:00Z");
    let (dying, faults) = world.faulty_scheduler();
    faults.set(Some(Fault::Hangs("databaseconfigs")));
    let never = CancellationToken::new();
    let run = tokio::spawn(async move { dying.look_at(Timer::Retention, &never).await });
    within(faults.hung.notified()).await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    let other = world.scheduler();
    for now in ["2026-03-05T02:00:30Z", "2026-03-05T02:01:59Z"] {
        set(&world.clock, now);
        let look = world.look(&other, Timer::Retention).await;
        assert_eq!(look, TimerLook::NotDue, "{now}");
    }
    set(&world.clock, "2026-03-05T02:02:01Z");
    assert_eq!(world.look(&other, Timer::Retention).await, DONE);
    let slot = world.timer(Timer::Retention).await.last.unwrap().slot;
    assert_eq!(slot, at("2026-03-05T02:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_long_is_left_to_the_scheduler_that_is_at_it() {
    let world = night().await;
    set(&world.clock, "2026-03-05T02:00:00Z");
    let (slow, faults) = world.faulty_scheduler();
    faults.set(Some(Fault::Hangs("databaseconfigs")));
    let never = CancellationToken::new();
    let run = tokio::spawn(async move { slow.look_at(Timer::Retention, &never).await });
    faults.hung.notified().await;
    let other = world.scheduler();
    for _ in 0..10 {
        world.clock.advance(SignedDuration::from_secs(60));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let look = world.look(&other, Timer::Retention).await;
        assert_eq!(look, TimerLook::NotDue);
        let state = world.timer(Timer::Retention).await;
        assert!(state.running(world.clock.now()).is_some());
        let expiry = Expiry::new(world.installation.clone());
        assert!(expiry.run().await.unwrap().is_elsewhere);
    }
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_run_that_storage_stops_is_reported_and_tried_again_at_the_next_sweep() {
    let world = night().await;
    set(&world.clock, "2026-03-05T02:00:00Z");
    let (scheduler, faults) = world.faulty_scheduler();
    let never = CancellationToken::new();
    for fault in [Fault::Down, Fault::QueriesFail("databaseconfigs")] {
        faults.set(Some(fault));
        let failed = scheduler.look_at(Timer::Retention, &never).await;
        assert!(failed.is_err(), "{fault:?}");
    }
    let state = world.timer(Timer::Retention).await;
    assert_eq!(state.claim, None, "nobody else has to wait");
    assert_eq!(state.last.unwrap().outcome, TimerOutcome::Failed);
    faults.set(None);
    world.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(world.look(&scheduler, Timer::Retention).await, DONE);
}

#[tokio::test]
async fn a_scheduler_that_cannot_even_note_its_failure_is_not_stopped_by_its_own_claim() {
    let world = night().await;
    set(&world.clock, "2026-03-05T02:00:00Z");
    let (scheduler, faults) = world.faulty_scheduler();
    faults.set(Some(Fault::GoesDownAt("databaseconfigs")));
    let never = CancellationToken::new();
    let failed = scheduler.look_at(Timer::Retention, &never).await;
    assert!(failed.is_err());
    assert!(world.timer(Timer::Retention).await.claim.is_some());
    faults.set(None);
    world.clock.advance(SignedDuration::from_secs(30));
    // Retention's own lease could not be given back either.
    let look = world.look(&scheduler, Timer::Retention).await;
    assert_eq!(look, TimerLook::Owed);
    world.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(world.look(&scheduler, Timer::Retention).await, DONE);
}

#[tokio::test]
async fn a_stop_ends_a_run_and_leaves_it_to_whoever_looks_next() {
    let world = night().await;
    set(&world.clock, "2026-03-05T02:00:00Z");
    let (stopping, faults) = world.faulty_scheduler();
    faults.set(Some(Fault::Hangs("databaseconfigs")));
    let stop = CancellationToken::new();
    let run = tokio::spawn({
        let stop = stop.clone();
        async move { stopping.look_at(Timer::Retention, &stop).await }
    });
    within(faults.hung.notified()).await;
    stop.cancel();
    assert_eq!(within(run).await.unwrap().unwrap(), TimerLook::Owed);
    let other = world.scheduler();
    assert_eq!(world.look(&other, Timer::Retention).await, DONE);
}

#[tokio::test]
async fn ticks_and_a_stop_do_not_wait_for_a_long_run() {
    let world = world_with("2026-03-05T01:50:00Z", &[("DILUX_SWEEP_SECONDS", "1")]).await;
    world.look(&world.scheduler(), Timer::Retention).await;
    world.add("db-1", own("production-critical"), true).await;
    set(&world.clock, "2026-03-05T02:00:00Z");
    let (scheduler, faults) = world.faulty_scheduler();
    faults.set(Some(Fault::Hangs("retentionstate")));
    let stop = CancellationToken::new();
    let running = tokio::spawn(scheduler.run(stop.clone()));
    within(faults.hung.notified()).await;
    world.until_booked(1).await;
    // Retention hangs; ticks come all the same. The first one may not be over yet, so the clock
    // moves on until another is due.
    world.add("db-2", own("production-critical"), true).await;
    world.until_booked(2).await;
    assert!(world.timer(Timer::Retention).await.claim.is_some());
    stop.cancel();
    within(running).await.unwrap();
    assert_eq!(world.timer(Timer::Retention).await.claim, None);
}

impl World {
    /// Lets minutes pass until so many jobs are booked.
    async fn until_booked(&self, count: usize) {
        let booked = async {
            while self.jobs().await.len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.clock.advance(SignedDuration::from_mins(1));
            }
        };
        within(booked).await;
    }
}

#[tokio::test]
async fn retention_that_is_switched_off_never_runs() {
    let world = world_with("2026-03-05T01:50:00Z", &[("DILUX_RETENTION_TIME", "off")]).await;
    let scheduler = world.scheduler();
    for now in [
        "2026-03-05T01:50:00Z",
        "2026-03-05T02:00:00Z",
        "2026-03-08T00:00:00Z",
    ] {
        set(&world.clock, now);
        assert_eq!(
            world.look(&scheduler, Timer::Retention).await,
            TimerLook::NotDue
        );
    }
}

#[tokio::test]
async fn the_health_monitor_looks_at_the_first_start_and_then_every_six_hours() {
    let world = world().await;
    let (first, second) = (world.scheduler(), world.scheduler());
    assert_eq!(world.look(&first, Timer::Health).await, DONE);
    assert_eq!(world.look(&second, Timer::Health).await, TimerLook::NotDue);
    let health = &world.installation.repositories.health;
    let report = health.latest().await.unwrap().unwrap();
    assert_eq!(
        report.at.as_second(),
        at("2026-03-04T10:07:00Z").as_second()
    );
    set(&world.clock, "2026-03-04T12:00:00Z");
    assert_eq!(world.look(&second, Timer::Health).await, DONE);
    assert_eq!(world.look(&first, Timer::Health).await, TimerLook::NotDue);
    let report = health.latest().await.unwrap().unwrap();
    assert_eq!(
        report.at.as_second(),
        at("2026-03-04T12:00:00Z").as_second()
    );
    assert_eq!(
        world.timer(Timer::Health).await.next,
        Some(at("2026-03-04T18:00:00Z"))
    );
}

#[tokio::test]
async fn a_look_at_more_databases_than_a_page_holds_counts_each_of_them_once() {
    let world = world().await;
    for number in 0..1_050 {
        let is_enabled = number % 2 == 0;
        let id = format!("db-{number:04}");
        world.add(&id, own("production-critical"), is_enabled).await;
    }
    let states = &world.installation.repositories.states;
    let now = at("2026-03-04T10:07:00Z");
    for (id, is_good) in [("db-0000", true), ("db-1048", false)] {
        let id = id.parse().unwrap();
        let backup = "some.backup".parse().unwrap();
        let change = states.change(&id, |state| {
            if is_good {
                state.succeed(&backup, now + SignedDuration::from_hours(3));
            } else {
                state.fail(now, "nobody is there");
            }
        });
        change.await.unwrap();
    }
    world.clock.advance(SignedDuration::from_hours(3));
    world.look(&world.scheduler(), Timer::Health).await;
    let health = &world.installation.repositories.health;
    let report = health.latest().await.unwrap().unwrap();
    let counts = report.facts.databases;
    assert_eq!((counts.total, counts.enabled), (1_050, 525));
    assert_eq!((counts.met, counts.breached), (1, 524));
    assert_eq!((counts.unknown, counts.failing), (525, 1));
    assert_eq!(report.facts.concerns.len(), 10);
}

#[tokio::test]
async fn a_tick_is_noted_for_those_who_ask_whether_a_scheduler_lives() {
    let world = world().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(world.scheduler().run(stop.clone()));
    let timers = &world.installation.repositories.timers;
    let noted = async {
        loop {
            match timers.get(&Timer::Planning).await.unwrap() {
                Some(stored) => return stored.value,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let state = within(noted).await;
    stop.cancel();
    within(running).await.unwrap();
    assert_eq!(
        state.last.as_ref().unwrap().ended_at,
        at("2026-03-04T10:07:00Z")
    );
    assert!(!state.is_late(at("2026-03-04T10:30:00Z")));
    assert!(state.is_late(at("2026-03-04T10:30:01Z")));
}
