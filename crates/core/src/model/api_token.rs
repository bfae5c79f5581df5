//! API tokens: how programs sign in.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ApiTokenId, Grants, InvalidName, Label, Role};
use crate::random::{Random, hex_text};
use crate::secret::SecretValue;

/// How every API token begins, so that people and scanners recognise a lost one.
const PREFIX: &str = "dilux_api_";

/// Random bytes of a token.
const SECRET_BYTES: usize = 32;

/// Use is recorded when this much time has passed since it last was: never once a request.
const USE_RESOLUTION: SignedDuration = SignedDuration::from_mins(1);

/// The SHA-256 of a random text: what is kept of tokens, sessions and invitations. The text has 256
/// random bits, so that a slow hash would add nothing.
#[derive(Debug, Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Reads lower-case hexadecimal.
    pub fn from_hex(text: &str) -> Result<Self, InvalidName> {
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| InvalidName("must be 64 hexadecimal digits".to_owned()))
    }
}

impl PartialEq for SecretHash {
    /// Takes the same time whatever differs.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

/// An API token. Its text is shown once and never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Id; part of the text.
    pub id: ApiTokenId,
    /// What it is for.
    pub name: Label,
    /// What it may do.
    pub role: Role,
    /// What it may do beside, as an operator.
    pub grants: Grants,
    /// Hash of the text.
    pub hash: SecretHash,
    /// Creation.
    pub created_at: Timestamp,
    /// E-mail of who made it.
    pub created_by: String,
    /// From when on it is void.
    pub expires_at: Timestamp,
    /// About when it was last used.
    pub last_used: Option<Timestamp>,
}

impl ApiToken {
    /// A new id with a new text.
    pub fn text(random: &dyn Random) -> (ApiTokenId, SecretValue) {
        let id = ApiTokenId::random(random);
        let text = format!("{PREFIX}{id}_{}", hex_text(random, SECRET_BYTES));
        (id, SecretValue::new(text))
    }

    /// The id that a text names; `None` for a text that is no API token.
    pub fn id_in(text: &str) -> Option<ApiTokenId> {
        let (id, _) = text.strip_prefix(PREFIX)?.split_once('_')?;
        id.parse().ok()
    }

    /// Whether `text` is this token, and it is in force at `now`.
    pub fn is_opened_by(&self, text: &str, now: Timestamp) -> bool {
        SecretHash::of(text) == self.hash && now < self.expires_at
    }

    /// Whether a use at `now` is to be recorded.
    pub fn should_record_use(&self, now: Timestamp) -> bool {
        is_stale(self.last_used, now)
    }
}

/// Whether a use at `now` is to be recorded beside the one recorded last.
pub(super) fn is_stale(recorded: Option<Timestamp>, now: Timestamp) -> bool {
    recorded.is_none_or(|recorded| now.duration_since(recorded) >= USE_RESOLUTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same byte again and again.
    #[derive(Debug)]
    struct Sevens;

    impl Random for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    #[test]
    fn a_token_opens_with_its_own_text_until_it_expires() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let (id, text) = ApiToken::text(&Sevens);
        assert_eq!(ApiToken::id_in(text.expose()), Some(id.clone()));
        let token = ApiToken {
            id,
            name: "ci".parse().unwrap(),
            role: Role::Viewer,
            grants: Grants::default(),
            hash: SecretHash::of(text.expose()),
            created_at: now,
            created_by: "a@example.com".to_owned(),
            expires_at: now + SignedDuration::from_hours(1),
            last_used: None,
        };
        assert!(token.is_opened_by(text.expose(), now));
        assert!(!token.is_opened_by(&format!("{}0", text.expose()), now));
        assert!(!token.is_opened_by(text.expose(), token.expires_at));
    }

    #[test]
    fn use_is_recorded_at_most_once_a_minute() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        assert!(is_stale(None, now));
        assert!(!is_stale(Some(now), now + SignedDuration::from_secs(59)));
        assert!(is_stale(Some(now), now + SignedDuration::from_secs(60)));
    }

    #[test]
    fn other_texts_name_no_token() {
        for text in [
            "",
            "dilux_",
            "dilux_api_",
            "dilux_api_x",
            "dilux_api_../_y",
            "eyJ.a.b",
        ] {
            assert_eq!(ApiToken::id_in(text), None, "{text}");
        }
    }
}
