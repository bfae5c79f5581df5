//! Schedulers whose clocks are wrong, over a store that has a clock of its own.

use std::sync::Arc;

use dilux_core::clock::{Clock as _, ManualClock, SharedClock};
use dilux_core::installation::Installation;
use dilux_core::storage::Storage;
use dilux_scheduler::Scheduler;
use jiff::{SignedDuration, Timestamp};

use crate::world::{World, own, slot, world};

impl World {
    /// A scheduler on another machine, whose clock is wrong by `skew`, and that clock.
    fn elsewhere(&self, skew: SignedDuration) -> (Scheduler, Arc<ManualClock>) {
        let known = &self.installation;
        let clock = Arc::new(ManualClock::new(self.clock.now() + skew));
        let storage = Storage {
            // As when the store is a server's.
            embedded: None,
            ..known.storage.clone()
        };
        let shared: SharedClock = clock.clone();
        let (settings, random) = (known.settings.clone(), known.random.clone());
        let installation = Installation::new(settings, storage, shared, random);
        (Scheduler::new(installation), clock)
    }
}

#[tokio::test]
async fn a_scheduler_whose_clock_is_wrong_decides_nothing_beside_one_whose_clock_is_right() {
    for skew in [
        SignedDuration::from_mins(80),
        SignedDuration::from_mins(-80),
    ] {
        let world = world().await;
        world.add("db-1", own("production-critical"), true).await;
        let (right, clock) = world.elsewhere(SignedDuration::ZERO);
        let (wrong, wrong_clock) = world.elsewhere(skew);
        let mut slots: Vec<Timestamp> = Vec::new();
        for _ in 0..24 {
            let step = SignedDuration::from_mins(15);
            for clock in [&world.clock, &clock, &wrong_clock] {
                clock.advance(step);
            }
            right.tick().await.unwrap();
            let refused = wrong.tick().await.unwrap_err().to_string();
            let side = if skew.is_negative() {
                "behind"
            } else {
                "ahead of"
            };
            let sentence = format!("s {side} that of the store");
            assert!(refused.contains(&sentence), "{refused}");
            slots.extend(world.work(|_| true).await.iter().map(slot));
        }
        slots.sort_unstable();
        let booked = slots.len();
        slots.dedup();
        assert_eq!(slots.len(), booked, "{slots:?}");
        assert!((6..=7).contains(&booked), "one an hour: {slots:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_minutes_plans_like_any_other() {
    let world = world().await;
    world.add("db-1", own("production-critical"), true).await;
    let (scheduler, _) = world.elsewhere(SignedDuration::from_secs(299));
    assert_eq!(scheduler.tick().await.unwrap().booked, 1);
}

#[tokio::test]
async fn planning_goes_on_when_the_clock_of_an_embedded_store_was_set_forward_and_back() {
    let world = world().await;
    world.add("db-1", own("production-critical"), true).await;
    let jump = SignedDuration::from_hours(3);
    world.clock.advance(jump);
    world.tick().await;
    world.clock.advance(-jump);
    let quarter = SignedDuration::from_mins(15);
    let ran = world.live("2026-03-04T12:07:00Z", quarter, |_| true).await;
    assert!(ran.len() >= 2, "{ran:#?}");
}
