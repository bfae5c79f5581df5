//! People of an identity provider, in the store.

use dilux_core::Error;
use dilux_core::accounts::{Arrival, Identity, NoAccess};
use dilux_core::model::{Role, UserId};

use crate::world::{email, everybody, member, new, world};

fn identity(subject: &str, address: Option<&str>) -> Identity {
    Identity {
        subject: UserId::of_subject("https://id.example.org", subject),
        email: address.map(email),
        name: None,
    }
}

#[tokio::test]
async fn a_subject_is_nobody_elses_though_their_email_is_invited_anew() {
    let world = world().await;
    let ann = identity("ann", Some("ann@example.com"));
    let invited = new("ann@example.com", Role::Viewer);
    world.accounts.invite(invited, "admin").await.unwrap();
    let Arrival::Bound(bound) = world.accounts.arrive(&ann).await.unwrap() else {
        panic!("Ann was invited");
    };
    let moved = Identity {
        email: Some(email("ann@elsewhere.example.com")),
        ..ann.clone()
    };
    let second = new("ann@elsewhere.example.com", Role::Admin);
    world.accounts.invite(second, "admin").await.unwrap();
    let Arrival::Known(found) = world.accounts.arrive(&moved).await.unwrap() else {
        panic!("Ann is known");
    };
    assert_eq!(found.value, bound.value, "and no admin by another e-mail");
    assert_eq!(everybody(&world).await.len(), 2);
}

#[tokio::test]
async fn a_request_is_not_approved_for_a_subject_that_is_somebody_by_now() {
    let world = world().await;
    let ann = identity("ann", Some("ann@example.com"));
    let asked = world.accounts.arrive(&ann).await.unwrap();
    let Arrival::Unknown(NoAccess::Asked(asked)) = asked else {
        panic!("{asked:?}");
    };
    let invited = new("ann@work.example.com", Role::Viewer);
    world.accounts.invite(invited, "admin").await.unwrap();
    let at_work = identity("ann", Some("ann@work.example.com"));
    let arrival = world.accounts.arrive(&at_work).await.unwrap();
    assert!(matches!(arrival, Arrival::Bound(_)));
    let request = world.accounts.pending_requests().await.unwrap();
    let id = &request.items[0].id;
    assert_eq!(*id, asked);
    let approved = world.accounts.approve(id, Role::Admin, "admin").await;
    assert!(matches!(approved, Err(Error::AlreadyExists(_))));
    assert_eq!(everybody(&world).await.len(), 1);
}

#[tokio::test]
async fn nobody_is_found_by_the_id_that_was_made_for_them_here() {
    let world = world().await;
    let user = member(&world, "ann@example.com", Role::Admin).await;
    let forged = Identity {
        subject: user.id,
        email: None,
        name: None,
    };
    let arrival = world.accounts.arrive(&forged).await.unwrap();
    assert_eq!(arrival, Arrival::Unknown(NoAccess::NoEmail));
}
