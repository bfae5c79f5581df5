//! People whom an identity provider vouches for: who of those registered they are, and what becomes
//! of somebody who is nobody here.
//!
//! The subject says who somebody is. An e-mail counts once, to find the row that an admin made for
//! them before; from then on the subject is theirs, whatever their e-mail becomes.

use super::{Accounts, NewUser, RACES, is_lost_race, name_of, too_many_races};
use crate::error::Result;
use crate::model::{AccessRequestId, Email, Grants, Label, Role, User, UserId};
use crate::repository::Versioned;
use crate::storage::StorageErrorKind;

/// Somebody whom an identity provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is there.
    pub subject: UserId,
    /// Their e-mail; only one that the provider has verified.
    pub email: Option<Email>,
    /// Their name.
    pub name: Option<Label>,
}

/// Who an identity turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// Somebody registered, who may be disabled.
    Known(Versioned<User>),
    /// Somebody who was registered by e-mail, and has the subject from now on.
    Bound(Versioned<User>),
    /// The first admin, made just now.
    FirstAdmin(Versioned<User>),
    /// Nobody here.
    Unknown(NoAccess),
}

/// Why somebody unknown was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAccess {
    /// The provider vouches for no e-mail, so that nobody can tell who they are.
    NoEmail,
    /// The e-mail is that of somebody who is another subject.
    EmailTaken,
    /// This request was noted for the admins.
    Asked(AccessRequestId),
    /// No request was noted: one waits, was rejected a short while ago, or requests are switched
    /// off.
    NotAsked,
}

impl Accounts {
    /// Finds out who somebody is. At their first sign-in, an invitation is bound to them, or they
    /// become the first admin when nobody is registered and theirs is the e-mail in the settings.
    /// A request for access is noted for everybody else.
    pub async fn arrive(&self, identity: &Identity) -> Result<Arrival> {
        for _ in 0..RACES {
            if let Some(user) = self.users().with_subject(&identity.subject).await? {
                return Ok(Arrival::Known(user));
            }
            let Some(email) = &identity.email else {
                return Ok(Arrival::Unknown(NoAccess::NoEmail));
            };
            let Some(registered) = self.users().with_email(email).await? else {
                if let Some(arrival) = self.arrive_first(identity, email).await? {
                    return Ok(arrival);
                }
                return Ok(Arrival::Unknown(self.ask(identity, email).await?));
            };
            if registered.value.subject.as_ref() == Some(&identity.subject) {
                // They were bound since we looked.
                return Ok(Arrival::Known(registered));
            }
            if !registered.value.awaits_subject() {
                return Ok(Arrival::Unknown(NoAccess::EmailTaken));
            }
            if !registered.value.enabled {
                return Ok(Arrival::Known(registered));
            }
            if let Some(user) = self.bind(registered, identity).await? {
                return Ok(Arrival::Bound(user));
            }
        }
        too_many_races()
    }

    /// Gives somebody registered their subject; an invitation is used up. `None` when something
    /// changed meanwhile.
    async fn bind(
        &self,
        registered: Versioned<User>,
        identity: &Identity,
    ) -> Result<Option<Versioned<User>>> {
        let mut user = registered.value;
        let now = self.now();
        user.subject = Some(identity.subject.clone());
        user.invitation = None;
        user.last_login = Some(now);
        user.updated_at = now;
        match self.users().bind(user, &registered.version).await {
            Ok(user) => Ok(Some(user)),
            Err(error) if is_lost_race(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the first admin of somebody whose e-mail the settings name. `None` when it is not
    /// theirs, or when there was a first admin already, be they as fast as us.
    async fn arrive_first(&self, identity: &Identity, email: &Email) -> Result<Option<Arrival>> {
        let wanted = self.installation.settings.admin_email.as_ref();
        if !wanted.is_some_and(|wanted| wanted.is_same(email)) || !self.is_first_run().await? {
            return Ok(None);
        }
        let new = NewUser {
            email: email.clone(),
            name: identity.name.clone(),
            role: Role::Admin,
            grants: Grants::default(),
        };
        let mut user = self.registered(new, None)?;
        user.subject = Some(identity.subject.clone());
        user.last_login = Some(user.created_at);
        match self.users().create_first(user).await {
            Ok(user) => Ok(Some(Arrival::FirstAdmin(user))),
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => {
                let present = self.users().with_subject(&identity.subject).await?;
                Ok(present.map(Arrival::Known))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn ask(&self, identity: &Identity, email: &Email) -> Result<NoAccess> {
        let name = match &identity.name {
            Some(name) => name.clone(),
            None => name_of(email)?,
        };
        let subject = identity.subject.clone();
        let request = self.request_access(subject, email.clone(), name).await?;
        Ok(request.map_or(NoAccess::NotAsked, |request| NoAccess::Asked(request.id)))
    }
}
