//! An installation with nobody in it.

use std::sync::Arc;

use dilux_core::accounts::{Accounts, NewUser};
use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{Email, Grants, PasswordHash, Role, User};
use dilux_core::random::{SystemRandom, hex_text};
use dilux_core::storage::{Profile, open};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) accounts: Accounts,
    pub(crate) clock: Arc<ManualClock>,
    _directory: TempDir,
}

pub(crate) async fn world() -> World {
    let directory = TempDir::new().unwrap();
    let store = format!("file://{}", directory.path().display());
    let settings =
        Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
    let clock = Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
    let shared: SharedClock = clock.clone();
    let settings = settings.unwrap();
    let random: dilux_core::random::SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Interactive, &shared, &random).unwrap();
    let installation = Installation::new(Arc::new(settings), storage, shared, random);
    installation.prepare().await.unwrap();
    World {
        accounts: Accounts::new(installation.clone()),
        installation,
        clock,
        _directory: directory,
    }
}

pub(crate) fn email(text: &str) -> Email {
    text.parse().unwrap()
}

pub(crate) fn new(address: &str, role: Role) -> NewUser {
    NewUser {
        email: email(address),
        name: None,
        role,
        grants: Grants::default(),
    }
}

/// The hash of a password; no two are alike, as salts see to.
pub(crate) fn hash() -> PasswordHash {
    let salt = hex_text(&SystemRandom, 8);
    PasswordHash::new(format!("$argon2id${salt}"))
}

/// Somebody who accepted their invitation.
pub(crate) async fn member(world: &World, address: &str, role: Role) -> User {
    let (_, text) = world
        .accounts
        .invite(new(address, role), "admin")
        .await
        .unwrap();
    let invited = world.accounts.invited(&email(address), text.expose()).await;
    world
        .accounts
        .accept(invited.unwrap(), hash())
        .await
        .unwrap()
}

pub(crate) async fn everybody(world: &World) -> Vec<User> {
    let found = world.installation.repositories.users.list().await.unwrap();
    assert_eq!(found.damaged, []);
    found.items.into_iter().map(|user| user.value).collect()
}
