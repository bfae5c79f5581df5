//! Secrets that a change left behind go with a look at the health.

use dilux_core::custody::{SecretOwner, Wanted};
use dilux_core::secret::SecretValue;
use dilux_core::timer::Timer;
use dilux_scheduler::TimerLook;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::world::world;

#[tokio::test]
async fn a_look_at_the_health_deletes_passwords_that_no_row_names() {
    let world = world().await;
    let custody = world.installation.custody();
    let password = SecretValue::new("of an engine whose row was never written");
    let wanted = Wanted {
        before: None,
        kept: None,
        new: Some(&password),
    };
    let owner = SecretOwner::Engine("engine-2".parse().unwrap());
    let exchange = custody.begin(owner, wanted).await.unwrap();
    let name = exchange.name().unwrap();
    let secrets = &world.installation.storage.secrets;
    let scheduler = world.scheduler();
    let never = CancellationToken::new();
    for (hours, is_there) in [(6, true), (19, false)] {
        world.clock.advance(SignedDuration::from_hours(hours));
        let look = scheduler.look_at(Timer::Health, &never).await.unwrap();
        assert!(matches!(look, TimerLook::Ran(_)));
        let found = secrets.get(name).await.unwrap();
        assert_eq!(found.is_some(), is_there, "after {hours} hours more");
    }
}
