//! People: the first admin, invitations, passwords. Changes and removals are in `changes`, people of
//! an identity provider in `arrivals`, requests for access in `requests`.
//!
//! Whatever must hold of all of them together (one first admin, one person an e-mail, an admin who
//! can sign in) holds by what the store does at once, also between processes.

mod arrivals;
mod changes;
mod requests;

use jiff::{SignedDuration, Timestamp};

pub use arrivals::{Arrival, Identity, NoAccess};

use crate::error::{Error, Result};
use crate::installation::Installation;
use crate::model::{
    Email, Grants, Invitation, Label, PageSize, PasswordHash, Role, SecretHash, User, UserId,
};
use crate::random::hex_text;
use crate::repository::{UserRepository, Versioned};
use crate::secret::SecretValue;
use crate::storage::{StorageError, StorageErrorKind};

/// How often a change is tried again after others were faster.
const RACES: usize = 20;

/// How long an invitation may be accepted.
const INVITATION_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Random bytes of an invitation.
const INVITATION_BYTES: usize = 32;

/// Somebody to be registered.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// E-mail.
    pub email: Email,
    /// Name; what stands before the `@` when absent.
    pub name: Option<Label>,
    /// What they may do.
    pub role: Role,
    /// What they may do beside, as an operator.
    pub grants: Grants,
}

/// A change of somebody; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Name.
    pub name: Option<Label>,
    /// Role.
    pub role: Option<Role>,
    /// Grants.
    pub grants: Option<Grants>,
    /// Whether they may sign in.
    pub enabled: Option<bool>,
}

/// Own preferences; what is absent stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Preferences {
    /// Look.
    pub dark_mode: Option<bool>,
    /// Rows a page.
    pub page_size: Option<PageSize>,
}

/// The people of an installation.
#[derive(Debug, Clone)]
pub struct Accounts {
    installation: Installation,
}

impl Accounts {
    /// The people of this installation.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    fn users(&self) -> &UserRepository {
        &self.installation.repositories.users
    }

    fn now(&self) -> Timestamp {
        self.installation.clock.now()
    }

    /// One person; `NotFound` when there is none.
    pub async fn user(&self, id: &UserId) -> Result<Versioned<User>> {
        let found = self.users().get(id).await?;
        found.ok_or_else(|| Error::NotFound {
            what: "User",
            id: id.to_string(),
        })
    }

    /// Whether nobody was registered yet. A row that cannot be read is somebody.
    pub async fn is_first_run(&self) -> Result<bool> {
        let all = self.users().list().await?;
        Ok(all.items.is_empty() && all.damaged.is_empty())
    }

    /// Registers the first admin. Of N callers at the same time exactly one succeeds; the others,
    /// and all who come later, are refused.
    pub async fn create_first_admin(&self, new: NewUser, password: PasswordHash) -> Result<User> {
        let refusal = || {
            Error::AlreadyExists(
                "there are accounts already; ask an admin for an invitation".to_owned(),
            )
        };
        if !self.is_first_run().await? {
            return Err(refusal());
        }
        let mut user = self.registered(new, None)?;
        user.role = Role::Admin;
        user.password = Some(password);
        match self.users().create_first(user).await {
            Ok(user) => Ok(user.value),
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => Err(refusal()),
            Err(error) => Err(error.into()),
        }
    }

    /// Registers somebody, with an invitation whose text is given out this once.
    pub async fn invite(
        &self,
        new: NewUser,
        created_by: &str,
    ) -> Result<(Versioned<User>, SecretValue)> {
        let refusal = |email: &Email| {
            Error::AlreadyExists(format!("User with email '{email}' already exists"))
        };
        if let Some(user) = self.users().with_email(&new.email).await? {
            return Err(refusal(&user.value.email));
        }
        let mut user = self.registered(new, Some(created_by.to_owned()))?;
        let (invitation, text) = self.invitation()?;
        user.invitation = Some(invitation);
        let email = user.email.clone();
        match self.users().create(user).await {
            Ok(user) => Ok((user, text)),
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => Err(refusal(&email)),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives somebody a new invitation; an earlier one is void. Their password holds until it is
    /// accepted.
    pub async fn invite_again(&self, id: &UserId) -> Result<(Versioned<User>, SecretValue)> {
        let (invitation, text) = self.invitation()?;
        let (_, user) = self
            .edit(id, &|_| Ok(()), &|user| {
                user.invitation = Some(invitation.clone());
                Ok(())
            })
            .await?;
        Ok((user, text))
    }

    /// Who this invitation is for, when it is in force.
    pub async fn invited(&self, email: &Email, text: &str) -> Result<Versioned<User>> {
        let now = self.now();
        let is_right = |user: &Versioned<User>| {
            let invitation = user.value.invitation.as_ref();
            user.value.enabled
                && invitation.is_some_and(|invitation| {
                    invitation.hash == SecretHash::of(text) && now < invitation.expires_at
                })
        };
        let found = self.users().with_email(email).await?;
        found.filter(is_right).ok_or_else(void_invitation)
    }

    /// Accepts an invitation that was found to be in force: sets the password and ends every
    /// session. Of N callers exactly one succeeds.
    pub async fn accept(&self, invited: Versioned<User>, password: PasswordHash) -> Result<User> {
        let mut user = invited.value;
        user.invitation = None;
        user.password = Some(password);
        user.epoch += 1;
        user.updated_at = self.now();
        match self.users().replace(user, &invited.version).await {
            Ok(user) => Ok(user.value),
            Err(error) if is_lost_race(&error) => Err(void_invitation()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets another password and ends every session; fails when the person changed since they were
    /// read.
    pub async fn change_password(
        &self,
        present: Versioned<User>,
        password: PasswordHash,
    ) -> Result<User> {
        let mut user = present.value;
        user.password = Some(password);
        user.invitation = None;
        user.epoch += 1;
        user.updated_at = self.now();
        let user = self.users().replace(user, &present.version).await?;
        Ok(user.value)
    }

    /// Notes that somebody signed in; fails when what they proved was changed since: then they are
    /// of another epoch.
    pub async fn record_login(&self, id: &UserId, epoch: u32) -> Result<Versioned<User>> {
        let now = self.now();
        let sign_in = |user: &mut User| {
            if user.epoch != epoch {
                return Err(Error::Unauthenticated);
            }
            user.last_login = Some(now);
            Ok(())
        };
        let (_, user) = self.edit(id, &|_| Ok(()), &sign_in).await?;
        Ok(user)
    }

    /// Somebody new, without a way to sign in.
    fn registered(&self, new: NewUser, created_by: Option<String>) -> Result<User> {
        let name = match new.name {
            Some(name) => name,
            None => name_of(&new.email)?,
        };
        let now = self.now();
        Ok(User {
            id: UserId::pending(&*self.installation.random),
            email: new.email,
            name,
            role: new.role,
            grants: new.grants,
            enabled: true,
            dark_mode: false,
            page_size: PageSize::default(),
            password: None,
            invitation: None,
            subject: None,
            epoch: 0,
            created_at: now,
            updated_at: now,
            last_login: None,
            created_by,
        })
    }

    fn invitation(&self) -> Result<(Invitation, SecretValue)> {
        let text = hex_text(&*self.installation.random, INVITATION_BYTES);
        let expires_at = self
            .now()
            .checked_add(INVITATION_LIFETIME)
            .map_err(|error| Error::internal("compute the expiry", error))?;
        let invitation = Invitation {
            hash: SecretHash::of(&text),
            expires_at,
        };
        Ok((invitation, SecretValue::new(text)))
    }
}

/// What stands before the `@`, as far as a name may be long.
fn name_of(email: &Email) -> Result<Label> {
    let name: String = email.local_part().chars().take(100).collect();
    name.parse()
        .map_err(|error| Error::internal("name a user", error))
}

fn void_invitation() -> Error {
    Error::Refused(
        "the invitation is not valid: it was used, has expired, or is for another e-mail; ask an \
         admin for a new one"
            .to_owned(),
    )
}

fn is_lost_race(error: &StorageError) -> bool {
    matches!(
        error.kind(),
        StorageErrorKind::PreconditionFailed
            | StorageErrorKind::NotFound
            | StorageErrorKind::AlreadyExists
    )
}

fn too_many_races<T>() -> Result<T> {
    Err(Error::Unavailable {
        message: "others change it all the time; try again in a moment".to_owned(),
        retry_after: None,
        source: None,
    })
}
