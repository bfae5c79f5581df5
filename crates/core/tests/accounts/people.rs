//! The first admin, invitations, changes, removals.

use dilux_core::Error;
use dilux_core::accounts::UserChange;
use dilux_core::model::{Role, Session, SessionLimits, User};
use dilux_core::random::SystemRandom;
use dilux_core::storage::{Entity, EntityKey, TableName, TableOperation, Value};
use futures::future::join_all;
use jiff::SignedDuration;

use crate::world::{email, everybody, hash, member, new, world};

#[tokio::test]
async fn a_16_of_fifty_who_want_to_be_the_first_admin_one_is() {
    let world = world().await;
    let asked = (0..50).map(|number| {
        let accounts = world.accounts.clone();
        let new = new(&format!("admin-{number}@example.com"), Role::Viewer);
        tokio::spawn(async move { accounts.create_first_admin(new, hash()).await })
    });
    let outcomes = join_all(asked).await;
    let mut admitted = Vec::new();
    for outcome in outcomes {
        match outcome.unwrap() {
            Ok(user) => admitted.push(user),
            Err(Error::AlreadyExists(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(admitted.len(), 1);
    assert_eq!(admitted[0].role, Role::Admin);
    assert_eq!(everybody(&world).await, admitted);
    let late = world
        .accounts
        .create_first_admin(new("late@example.com", Role::Admin), hash());
    assert!(matches!(late.await, Err(Error::AlreadyExists(_))));
}

#[tokio::test]
async fn a_24_an_invitation_is_accepted_once_by_whoever_comes_first_and_makes_no_second_person() {
    let world = world().await;
    let (invited, text) = world
        .accounts
        .invite(new("Grace@example.com", Role::Operator), "admin")
        .await
        .unwrap();
    let asked = (0..20).map(|_| {
        let (accounts, text) = (world.accounts.clone(), text.clone());
        tokio::spawn(async move {
            let found = accounts
                .invited(&email("grace@EXAMPLE.com"), text.expose())
                .await?;
            accounts.accept(found, hash()).await
        })
    });
    let outcomes = join_all(asked).await;
    let accepted: Vec<User> = outcomes
        .into_iter()
        .filter_map(|outcome| outcome.unwrap().ok())
        .collect();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].id, invited.value.id);
    assert_eq!(accepted[0].role, Role::Operator);
    assert_eq!(everybody(&world).await, accepted);
    let address = email("Grace@example.com");
    let again = world.accounts.invited(&address, text.expose()).await;
    assert!(matches!(again, Err(Error::Refused(_))));
}

#[tokio::test]
async fn an_invitation_of_somebody_else_an_old_one_and_one_of_a_disabled_person_are_void() {
    let world = world().await;
    let (grace, text) = world
        .accounts
        .invite(new("grace@example.com", Role::Viewer), "admin")
        .await
        .unwrap();
    world
        .accounts
        .invite(new("ivy@example.com", Role::Admin), "admin")
        .await
        .unwrap();
    let invited = async |address: &str, text: &str| {
        let found = world.accounts.invited(&email(address), text).await;
        found.is_ok()
    };
    assert!(invited("grace@example.com", text.expose()).await);
    assert!(!invited("ivy@example.com", text.expose()).await);
    assert!(!invited("nobody@example.com", text.expose()).await);
    assert!(!invited("grace@example.com", "").await);
    let (_, newer) = world.accounts.invite_again(&grace.value.id).await.unwrap();
    assert!(!invited("grace@example.com", text.expose()).await);
    let enabling = |enabled| UserChange {
        enabled: Some(enabled),
        ..UserChange::default()
    };
    let id = &grace.value.id;
    let change = enabling(false);
    world
        .accounts
        .change(id, &change, &|_| Ok(()))
        .await
        .unwrap();
    assert!(!invited("grace@example.com", newer.expose()).await);
    let change = enabling(true);
    world
        .accounts
        .change(id, &change, &|_| Ok(()))
        .await
        .unwrap();
    assert!(invited("grace@example.com", newer.expose()).await);
    world.clock.advance(SignedDuration::from_hours(7 * 24));
    assert!(!invited("grace@example.com", newer.expose()).await);
}

#[tokio::test]
async fn one_person_an_email_whatever_its_case_and_however_many_ask() {
    let world = world().await;
    let asked = (0..20).map(|number| {
        let accounts = world.accounts.clone();
        let address = if number % 2 == 0 {
            "ivy@example.com"
        } else {
            "IVY@Example.com"
        };
        tokio::spawn(async move { accounts.invite(new(address, Role::Viewer), "admin").await })
    });
    let outcomes = join_all(asked).await;
    let made = outcomes
        .into_iter()
        .filter(|it| it.as_ref().unwrap().is_ok());
    assert_eq!(made.count(), 1);
    let ivy = everybody(&world).await.remove(0);
    world.accounts.remove(&ivy.id, &|_| Ok(())).await.unwrap();
    let again = world
        .accounts
        .invite(new("ivy@example.com", Role::Viewer), "admin");
    assert!(again.await.is_ok(), "the address is free again");
}

#[tokio::test]
async fn one_admin_remains_when_all_are_demoted_disabled_and_removed_at_once() {
    let world = world().await;
    let mut ids = Vec::new();
    for number in 0..9 {
        let address = format!("admin-{number}@example.com");
        ids.push(member(&world, &address, Role::Admin).await.id);
    }
    let asked = ids.into_iter().enumerate().map(|(number, id)| {
        let accounts = world.accounts.clone();
        tokio::spawn(async move {
            let change = match number % 3 {
                0 => UserChange {
                    role: Some(Role::Viewer),
                    ..UserChange::default()
                },
                1 => UserChange {
                    enabled: Some(false),
                    ..UserChange::default()
                },
                _ => return accounts.remove(&id, &|_| Ok(())).await.map(drop),
            };
            accounts.change(&id, &change, &|_| Ok(())).await.map(drop)
        })
    });
    let outcomes = join_all(asked).await;
    let refused = outcomes
        .into_iter()
        .filter(|it| it.as_ref().unwrap().is_err());
    assert_eq!(refused.count(), 1);
    let acting = everybody(&world).await;
    let acting = acting.iter().filter(|user| user.is_acting_admin());
    assert_eq!(acting.count(), 1);
}

#[tokio::test]
async fn an_admin_who_never_signed_in_is_none_to_rely_on() {
    let world = world().await;
    let acting = member(&world, "a@example.com", Role::Admin).await;
    let invited = world
        .accounts
        .invite(new("b@example.com", Role::Admin), "admin");
    invited.await.unwrap();
    let refused = world.accounts.remove(&acting.id, &|_| Ok(())).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    assert_eq!(everybody(&world).await.len(), 2);
}

#[tokio::test]
async fn another_role_or_being_disabled_ends_sessions_and_another_name_does_not() {
    let world = world().await;
    let user = member(&world, "a@example.com", Role::Operator).await;
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    let (session, _) = Session::begin(&user, now, &SystemRandom);
    let changes = [
        (
            UserChange {
                name: Some("Ann".parse().unwrap()),
                ..UserChange::default()
            },
            true,
        ),
        (
            UserChange {
                role: Some(Role::Operator),
                ..UserChange::default()
            },
            true,
        ),
        (
            UserChange {
                role: Some(Role::Viewer),
                ..UserChange::default()
            },
            false,
        ),
    ];
    for (change, lives) in changes {
        let outcome = world.accounts.change(&user.id, &change, &|_| Ok(()));
        let (_, after) = outcome.await.unwrap();
        assert_eq!(session.is_of(&after.value), lives, "{change:?}");
    }
    let user = everybody(&world).await.remove(0);
    let (session, _) = Session::begin(&user, now, &SystemRandom);
    let limits = SessionLimits {
        idle: SignedDuration::from_hours(1),
        absolute: SignedDuration::from_hours(12),
    };
    assert!(!session.is_over(now + SignedDuration::from_mins(59), limits));
    assert!(session.is_over(now + SignedDuration::from_hours(1), limits));
}

#[tokio::test]
async fn a_sign_in_that_a_change_overtook_is_none() {
    let world = world().await;
    let proved = member(&world, "a@example.com", Role::Operator).await;
    let demotion = UserChange {
        role: Some(Role::Viewer),
        ..UserChange::default()
    };
    let change = world.accounts.change(&proved.id, &demotion, &|_| Ok(()));
    let (_, present) = change.await.unwrap();
    let late = world.accounts.record_login(&proved.id, proved.epoch).await;
    assert!(matches!(late, Err(Error::Unauthenticated)));
    let epoch = present.value.epoch;
    let signed_in = world.accounts.record_login(&proved.id, epoch).await;
    assert!(signed_in.unwrap().value.last_login.is_some());
}

#[tokio::test]
async fn rows_of_the_python_product_are_people_like_others() {
    let world = world().await;
    let id = "aaaaaaaa-0000-4000-8000-000000000001";
    let text = |text: &str| Value::String(text.to_owned());
    let row = Entity::new(EntityKey::new("users", id))
        .with("email", text("Alice.Admin@example.com"))
        .with("name", text("Alice A."))
        .with("role", text("admin"))
        .with("enabled", Value::Bool(true))
        .with("dark_mode", Value::Bool(false))
        .with("page_size", Value::I32(25))
        .with("created_at", text("2025-12-10T12:00:00.115545"))
        .with("updated_at", text("2025-12-10T12:00:04.602333"))
        .with("last_login", text("2025-12-10T12:00:04.600725"));
    let tables = &world.installation.storage.tables;
    let users = TableName::new("users").unwrap();
    tables
        .write(&users, TableOperation::Insert(row))
        .await
        .unwrap();
    let alice = everybody(&world).await.remove(0);
    assert_eq!(alice.id.as_str(), id);
    assert!(alice.is_acting_admin());
    let first = world
        .accounts
        .create_first_admin(new("b@example.com", Role::Admin), hash());
    assert!(matches!(first.await, Err(Error::AlreadyExists(_))));
    let again = world
        .accounts
        .invite(new("alice.admin@example.com", Role::Viewer), "x");
    assert!(matches!(again.await, Err(Error::AlreadyExists(_))));
    let refused = world.accounts.remove(&alice.id, &|_| Ok(())).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    member(&world, "b@example.com", Role::Admin).await;
    world.accounts.remove(&alice.id, &|_| Ok(())).await.unwrap();
}
