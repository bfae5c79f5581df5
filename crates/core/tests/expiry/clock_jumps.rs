//! A machine whose clock jumps, over the embedded store, whose time is no other than the machine's.

use dilux_core::Error;
use dilux_core::clock::Clock as _;
use dilux_core::health::{HealthStatus, examine};
use dilux_core::model::{Manifest, Tier};
use jiff::SignedDuration;

use crate::world::{World, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Two of nine backups are announced, and the clock is looked at in every tick.
async fn announced() -> (World, Vec<Manifest>) {
    let world = World::new().await;
    let mut backups = Vec::new();
    for days_ago in 0..9 {
        backups.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    world.installation.check_clock().await.unwrap();
    assert_eq!(world.run().await.tombstoned, 2);
    (world, backups)
}

/// So many hours pass, with a tick in each.
async fn live(world: &World, hours: usize) {
    for _ in 0..hours {
        world.clock.advance(HOUR);
        world.installation.check_clock().await.unwrap();
    }
}

async fn refusal(world: &World) -> String {
    let refused = world.expiry().run().await.unwrap_err();
    let Error::Refused(reason) = refused else {
        panic!("{refused:?}");
    };
    reason
}

async fn restorable(world: &World, backups: &[Manifest]) -> usize {
    let mut count = 0;
    for backup in backups {
        count += usize::from(world.is_restorable(backup).await);
    }
    count
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_deletes_nothing_and_is_reported() {
    let (world, backups) = announced().await;
    world.clock.advance(days(365));
    // Retention may look before the first tick does.
    let reason = refusal(&world).await;
    assert!(reason.contains("was set ahead"), "{reason}");
    live(&world, 20).await;
    assert!(refusal(&world).await.contains("set it"));
    assert_eq!(restorable(&world, &backups).await, 9);
    let report = examine(&world.installation).await.unwrap();
    let clock = report.checks.iter().find(|check| check.name == "clock");
    let clock = clock.unwrap();
    assert_eq!(clock.status, HealthStatus::Unhealthy);
    assert!(clock.message.contains("was set ahead"), "{}", clock.message);
}

#[tokio::test]
async fn when_the_clock_is_right_again_retention_goes_on_after_a_day_and_keeps_the_grace_period() {
    let (world, backups) = announced().await;
    world.clock.advance(days(365));
    live(&world, 5).await;
    world.clock.advance(-days(365));
    live(&world, 1).await;
    assert!(refusal(&world).await.contains("was set back"));
    let stored = world.installation.storage_time().await.unwrap();
    assert_eq!(
        stored,
        world.clock.now(),
        "the time is not that of the jump"
    );
    live(&world, 24).await;
    let report = world.run().await;
    assert_eq!(
        (report.waiting, report.deleted),
        (2, 0),
        "thirty hours of seven days"
    );
    live(&world, 7 * 24).await;
    assert_eq!(world.run().await.deleted, 2);
    assert_eq!(restorable(&world, &backups).await, 7);
}
