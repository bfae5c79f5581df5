//! Requests for access.

use dilux_core::Error;
use dilux_core::model::{AccessRequestStatus, AppSettings, Role, UserId};
use jiff::SignedDuration;

use crate::world::{email, everybody, new, world};

#[tokio::test]
async fn access_is_asked_for_once_and_again_only_after_a_while() {
    let world = world().await;
    let subject: UserId = "dave-subject".parse().unwrap();
    let ask = async || {
        let name = "Dave Out".parse().unwrap();
        let address = email("dave.out@example.com");
        let asked = world
            .accounts
            .request_access(subject.clone(), address, name);
        asked.await.unwrap()
    };
    let (first, second) = futures::join!(ask(), ask());
    let request = first.or(second).unwrap();
    assert_eq!(request.status, AccessRequestStatus::Pending);
    assert_eq!(
        world.accounts.pending_requests().await.unwrap().items.len(),
        1
    );
    let rejected = world
        .accounts
        .reject(&request.id, None, "admin")
        .await
        .unwrap();
    assert_eq!(rejected.status, AccessRequestStatus::Rejected);
    assert!(ask().await.is_none(), "they were rejected a moment ago");
    let approved = world
        .accounts
        .approve(&request.id, Role::Admin, "admin")
        .await;
    assert!(matches!(approved, Err(Error::Refused(_))));
    world.clock.advance(SignedDuration::from_hours(7 * 24));
    let second = ask().await.unwrap();
    assert_ne!(second.id, request.id);
    let user = world
        .accounts
        .approve(&second.id, Role::Operator, "admin")
        .await;
    let user = user.unwrap();
    assert_eq!((user.id, user.role), (subject.clone(), Role::Operator));
    assert!(
        world
            .accounts
            .approve(&second.id, Role::Admin, "admin")
            .await
            .is_err()
    );
    assert!(
        world
            .accounts
            .reject(&second.id, None, "admin")
            .await
            .is_err()
    );
    assert_eq!(everybody(&world).await.len(), 1);
}

#[tokio::test]
async fn a_24_somebody_registered_before_they_ask_stays_one_person() {
    let world = world().await;
    let (invited, _) = world
        .accounts
        .invite(new("carol@example.com", Role::Viewer), "admin")
        .await
        .unwrap();
    let asked = world.accounts.request_access(
        "carol-subject".parse().unwrap(),
        email("Carol@example.com"),
        "Carol".parse().unwrap(),
    );
    let request = asked.await.unwrap().unwrap();
    let approved = world
        .accounts
        .approve(&request.id, Role::Operator, "admin")
        .await;
    let approved = approved.unwrap();
    assert_eq!(
        (approved.id, approved.role),
        (invited.value.id, Role::Operator)
    );
    assert_eq!(everybody(&world).await.len(), 1);
}

#[tokio::test]
async fn nobody_asks_for_access_when_requests_are_switched_off() {
    let world = world().await;
    let settings = AppSettings {
        access_requests_enabled: false,
        ..AppSettings::default()
    };
    let repository = &world.installation.repositories.settings;
    repository.put(settings, None).await.unwrap();
    let asked = world.accounts.request_access(
        "s".parse().unwrap(),
        email("s@example.com"),
        "S".parse().unwrap(),
    );
    assert_eq!(asked.await.unwrap(), None);
}
