//! People who may sign in, and how they prove who they are.

use jiff::{SignedDuration, Timestamp};

use super::{Email, Grants, InvalidName, Label, Role, SecretHash, UserId};

/// How exactly the last sign-in is known of somebody who brings a token with each request.
const LOGIN_RESOLUTION: SignedDuration = SignedDuration::from_hours(1);

/// Rows a page that a person prefers: 10–100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u32);

impl PageSize {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(25)
    }
}

impl TryFrom<i64> for PageSize {
    type Error = InvalidName;

    fn try_from(number: i64) -> Result<Self, InvalidName> {
        u32::try_from(number)
            .ok()
            .filter(|number| (10..=100).contains(number))
            .map(Self)
            .ok_or_else(|| InvalidName("must be between 10 and 100".to_owned()))
    }
}

/// The slow hash of a password, as a PHC string. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// A one-time permission to set a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Hash of its text.
    pub hash: SecretHash,
    /// From when on it is void.
    pub expires_at: Timestamp,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Id: of the identity provider in rows of the Python product, else `pending-` and a UUID.
    pub id: UserId,
    /// E-mail, unique whatever its case.
    pub email: Email,
    /// Name.
    pub name: Label,
    /// What they may do.
    pub role: Role,
    /// What they may do beside, as an operator.
    pub grants: Grants,
    /// Whether they may sign in.
    pub enabled: bool,
    /// Preferred look.
    pub dark_mode: bool,
    /// Preferred rows a page.
    pub page_size: PageSize,
    /// How they sign in here; `None` until an invitation was accepted.
    pub password: Option<PasswordHash>,
    /// An invitation that was not accepted yet.
    pub invitation: Option<Invitation>,
    /// Who they are at the identity provider; `None` until they came from there. Rows of the Python
    /// product have it as their id.
    pub subject: Option<UserId>,
    /// Sessions of another epoch are over. It goes up whenever all of them shall end.
    pub epoch: u32,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Last sign-in.
    pub last_login: Option<Timestamp>,
    /// Id of who created them.
    pub created_by: Option<String>,
}

impl User {
    /// Whether somebody of the identity provider may still turn out to be them.
    pub fn awaits_subject(&self) -> bool {
        self.subject.is_none() && self.id.is_pending()
    }

    /// Whether a sign-in at `now` is to be recorded beside the last one: a token of an identity
    /// provider comes with each request.
    pub fn should_record_login(&self, now: Timestamp) -> bool {
        self.last_login
            .is_none_or(|last| now.duration_since(last) >= LOGIN_RESOLUTION)
    }

    /// Whether they are an admin who can sign in: one of these must always remain.
    pub fn is_acting_admin(&self) -> bool {
        let can_sign_in = self.password.is_some() || self.last_login.is_some();
        self.role == Role::Admin && self.enabled && can_sign_in
    }
}
