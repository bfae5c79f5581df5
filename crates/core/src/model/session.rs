//! Sessions of people who signed in with a browser.

use jiff::{SignedDuration, Timestamp};

use super::api_token::is_stale;
use super::{SecretHash, SessionId, User, UserId};
use crate::random::{Random, hex_text};
use crate::secret::SecretValue;

/// Random bytes of a session's text.
const SECRET_BYTES: usize = 32;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without a request.
    pub idle: SignedDuration,
    /// In all.
    pub absolute: SignedDuration,
}

/// A session. Its text is in the cookie only; its id is the hash of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Id.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// The user's epoch when it began.
    pub epoch: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// About when it was last used.
    pub last_used: Timestamp,
}

impl Session {
    /// A new session of `user` with its text.
    pub fn begin(user: &User, now: Timestamp, random: &dyn Random) -> (Self, SecretValue) {
        let text = hex_text(random, SECRET_BYTES);
        let session = Self {
            id: SessionId::of_text(&text),
            user_id: user.id.clone(),
            epoch: user.epoch,
            created_at: now,
            last_used: now,
        };
        (session, SecretValue::new(text))
    }

    /// Whether it is over by its age, or by having lain idle.
    pub fn is_over(&self, now: Timestamp, limits: SessionLimits) -> bool {
        now.duration_since(self.created_at) >= limits.absolute
            || now.duration_since(self.last_used) >= limits.idle
    }

    /// Whether it is a session of `user` as they are now.
    pub fn is_of(&self, user: &User) -> bool {
        user.enabled && self.user_id == user.id && self.epoch == user.epoch
    }

    /// Whether a use at `now` is to be recorded.
    pub fn should_record_use(&self, now: Timestamp) -> bool {
        is_stale(Some(self.last_used), now)
    }
}

impl SessionId {
    /// The id of the session with this text.
    pub fn of_text(text: &str) -> Self {
        Self::of_hash(SecretHash::of(text))
    }
}
