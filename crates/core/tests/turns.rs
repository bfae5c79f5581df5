//! Turns over one store: one holder at a time, also among processes, and none for ever.
#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::storage::{Profile, open};
use dilux_core::turn::Turns;
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::task::JoinSet;

const WHAT: &str = "registration";

struct World {
    directory: TempDir,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        Self {
            directory: TempDir::new().unwrap(),
            clock: Arc::new(ManualClock::new(now)),
        }
    }

    /// A process of the installation.
    async fn process(&self) -> Installation {
        let store = format!("file://{}", self.directory.path().display());
        let settings =
            Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
        let settings = settings.unwrap();
        let clock: SharedClock = self.clock.clone();
        let random: SharedRandom = Arc::new(SystemRandom);
        let storage = open(&settings, Profile::Interactive, &clock, &random).unwrap();
        let installation = Installation::new(Arc::new(settings), storage, clock, random);
        installation.prepare().await.unwrap();
        installation
    }
}

#[tokio::test]
async fn turns_of_two_processes_never_overlap_and_everybody_gets_one() {
    const TASKS: usize = 40;
    let world = World::new();
    let mut processes = Vec::new();
    for _ in 0..2 {
        processes.push(Arc::new(Turns::new(world.process().await, WHAT)));
    }
    let (inside, done) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let turns = processes[number % 2].clone();
        let (inside, done): (_, Arc<AtomicUsize>) = (inside.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            let turn = turns.take().await.unwrap();
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody is in");
            for _ in 0..number % 5 {
                tokio::task::yield_now().await;
            }
            turn.require().unwrap();
            inside.fetch_sub(1, Ordering::SeqCst);
            done.fetch_add(1, Ordering::SeqCst);
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert_eq!(done.load(Ordering::SeqCst), TASKS);
}

#[tokio::test]
async fn the_turn_of_a_dead_process_is_taken_over_after_a_while_and_not_before() {
    let world = World::new();
    let (dead, living) = (world.process().await, world.process().await);
    let given = dead.repositories.turns.give(WHAT, Some("dead"), None).await;
    assert!(given.unwrap().is_some());
    let turns = Arc::new(Turns::new(living, WHAT));
    let waiting = tokio::spawn({
        let turns = turns.clone();
        async move { turns.take().await }
    });
    for _ in 0..3 {
        world.clock.advance(SignedDuration::from_secs(6));
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert!(!waiting.is_finished(), "it is too early");
    }
    world.clock.advance(SignedDuration::from_secs(3));
    let turn = waiting.await.unwrap().unwrap();
    turn.require().unwrap();
    turn.end().await;
    let stored = dead.repositories.turns.get(WHAT).await.unwrap().unwrap();
    assert_eq!(stored.holder, None, "it is free again");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_overtaken_writes_nothing_more() {
    let world = World::new();
    let (slow, other) = (world.process().await, world.process().await);
    let turns = Turns::new(slow, WHAT);
    let turn = turns.take().await.unwrap();
    turn.require().unwrap();
    let stored = other.repositories.turns.get(WHAT).await.unwrap().unwrap();
    let version = Some(&stored.version);
    let given = other.repositories.turns.give(WHAT, Some("other"), version);
    assert!(given.await.unwrap().is_some());
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert!(turn.require().is_err());
    turn.end().await;
    let stored = other.repositories.turns.get(WHAT).await.unwrap().unwrap();
    assert_eq!(stored.holder.as_deref(), Some("other"), "it is not ours");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_lives_keeps_its_turn_for_as_long_as_it_needs() {
    let world = World::new();
    let installation = world.process().await;
    let turns = Turns::new(installation.clone(), WHAT);
    let turn = turns.take().await.unwrap();
    let first = installation.repositories.turns.get(WHAT).await.unwrap();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        turn.require().unwrap();
    }
    let last = installation.repositories.turns.get(WHAT).await.unwrap();
    assert_ne!(first.unwrap().version, last.unwrap().version);
}
