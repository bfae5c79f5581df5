//! Who asked in the recording: people of our own, with sessions in place of their foreign tokens.

use dilux_core::accounts::Accounts;
use dilux_core::model::{Session, UserId};
use jiff::SignedDuration;
use serde_json::json;

use super::example::Example;
use crate::sessions::PASSPHRASE;
use crate::world::{TOKEN, World};

/// Names in the recording, with e-mails and names; the first one is registered from the start.
const PEOPLE: [(&str, &str, &str); 6] = [
    ("admin", "alice.admin@example.com", "Alice Admin"),
    ("operator", "bob.operator@example.com", "Bob Operator"),
    ("requester", "carol.new@example.com", "Carol New"),
    ("rejected", "dave.out@example.com", "Dave Out"),
    ("disabled", "frank.former@example.com", "Frank Former"),
    ("viewer", "erin.viewer@example.com", "Erin Viewer"),
];

/// The people of the recording.
#[derive(Debug)]
pub(super) struct People(Accounts);

impl People {
    /// Registers the first admin.
    pub(super) async fn register(world: &World) -> Self {
        let (_, email, name) = PEOPLE[0];
        let body = json!({ "email": email, "name": name, "password": PASSPHRASE });
        world.post("/api/auth/setup", &body).await.expect(201);
        Self(Accounts::new(world.installation.clone()))
    }

    /// Does what happened before an example and is not one itself: strangers knocked and thereby
    /// asked for access, and one of them was let in.
    pub(super) async fn prepare(&mut self, world: &World, example: &Example) {
        if example.name == "access-requests.list" {
            for (id, email, name) in &PEOPLE[1..] {
                world.clock.advance(SignedDuration::from_secs(1));
                let subject: UserId = format!("subject-{id}").parse().unwrap();
                let (email, name) = (email.parse().unwrap(), name.parse().unwrap());
                let asked = self.0.request_access(subject, email, name).await;
                assert!(asked.unwrap().is_some());
            }
        }
        if example.name == "users.disable" {
            let pending = self.0.pending_requests().await.unwrap().items;
            let frank = pending.iter().find(|it| it.email.as_str() == PEOPLE[4].1);
            let admin = self.user_id(world, PEOPLE[0].1).await.unwrap();
            let role = dilux_core::model::Role::Viewer;
            let approved = self.0.approve(&frank.unwrap().id, role, admin.as_str());
            approved.await.unwrap();
        }
    }

    /// The headers with which an example is sent.
    pub(super) async fn headers(
        &self,
        world: &World,
        example: &Example,
    ) -> Vec<(&'static str, String)> {
        let host = ("host", "localhost:7071".to_owned());
        let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
        match example.caller.as_deref() {
            None => vec![host, bearer(TOKEN)],
            Some("nobody") => vec![host],
            Some(name) => {
                let known = PEOPLE.iter().find(|(known, _, _)| *known == name);
                let session = match known {
                    Some((_, email, _)) => self.session(world, email).await,
                    None => None,
                };
                match session {
                    Some(cookie) => vec![host, cookie, ("x-requested-with", "test".to_owned())],
                    None => vec![host, bearer("of-a-stranger")],
                }
            }
        }
    }

    async fn user_id(&self, world: &World, email: &str) -> Option<UserId> {
        let users = &world.installation.repositories.users;
        let found = users.with_email(&email.parse().unwrap()).await.unwrap();
        found.map(|user| user.value.id)
    }

    /// The cookie of a new session of somebody; `None` for strangers.
    async fn session(&self, world: &World, email: &str) -> Option<(&'static str, String)> {
        let id = self.user_id(world, email).await?;
        let mut user = self.0.user(&id).await.unwrap().value;
        if user.enabled && user.last_login.is_none() {
            user = self.0.record_login(&id, user.epoch).await.unwrap().value;
        }
        let installation = &world.installation;
        let now = installation.clock.now();
        let (session, text) = Session::begin(&user, now, &*installation.random);
        let sessions = &installation.repositories.sessions;
        sessions.insert(session).await.unwrap();
        Some(("cookie", format!("__Host-dilux_session={}", text.expose())))
    }
}
