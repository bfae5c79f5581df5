//! API tokens: made, recognised, revoked. Who may ask for it is decided where it is asked for.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::installation::Installation;
use crate::model::{ApiToken, ApiTokenId, Grants, InvalidName, Label, Role, SecretHash};
use crate::repository::{Collection, Versioned};
use crate::secret::SecretValue;
use crate::storage::StorageErrorKind;

/// How often a revocation is tried again after the use of the token was recorded in between.
const RACES: usize = 5;

/// Days until a token is void: 1–366.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifetimeDays(u32);

impl LifetimeDays {
    const MOST: u32 = 366;

    /// The lifetime as a duration.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.0))
    }
}

impl Default for LifetimeDays {
    fn default() -> Self {
        Self(90)
    }
}

impl TryFrom<u32> for LifetimeDays {
    type Error = InvalidName;

    fn try_from(days: u32) -> Result<Self, InvalidName> {
        if (1..=Self::MOST).contains(&days) {
            Ok(Self(days))
        } else {
            let reason = format!("must be between 1 and {}", Self::MOST);
            Err(InvalidName(reason))
        }
    }
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// What it is for.
    pub name: Label,
    /// What it may do.
    pub role: Role,
    /// What it may do beside, as an operator.
    pub grants: Grants,
    /// How long it is good.
    pub lifetime: LifetimeDays,
}

/// The API tokens of an installation.
#[derive(Debug, Clone)]
pub struct ApiTokens {
    installation: Installation,
}

impl ApiTokens {
    /// The tokens of this installation.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    fn rows(&self) -> &Collection<ApiToken, ApiTokenId> {
        &self.installation.repositories.api_tokens
    }

    /// Makes a token in the name of `created_by`. Gives its text, which is kept nowhere.
    pub async fn create(
        &self,
        new: NewApiToken,
        created_by: &str,
    ) -> Result<(ApiToken, SecretValue)> {
        let (id, text) = ApiToken::text(&*self.installation.random);
        let now = self.installation.clock.now();
        let token = ApiToken {
            id,
            name: new.name,
            role: new.role,
            grants: new.grants,
            hash: SecretHash::of(text.expose()),
            created_at: now,
            created_by: created_by.to_owned(),
            expires_at: now
                .checked_add(new.lifetime.duration())
                .map_err(|error| Error::internal("compute the expiry", error))?,
            last_used: None,
        };
        let token = self.rows().insert(token).await?.value;
        Ok((token, text))
    }

    /// The token in force that `text` is; `None` when it is none.
    pub async fn opened_by(&self, text: &str) -> Result<Option<Versioned<ApiToken>>> {
        let Some(id) = ApiToken::id_in(text) else {
            return Ok(None);
        };
        let now = self.installation.clock.now();
        let token = self.rows().get(&id).await?;
        Ok(token.filter(|token| token.value.is_opened_by(text, now)))
    }

    /// Revokes a token: from now on it opens nothing.
    pub async fn revoke(&self, id: &ApiTokenId) -> Result<ApiToken> {
        for _ in 0..RACES {
            let token = self.rows().get(id).await?.ok_or_else(|| Error::NotFound {
                what: "Token",
                id: id.to_string(),
            })?;
            match self.rows().delete(id, &token.version).await {
                Ok(()) => return Ok(token.value),
                // Its use was recorded in between.
                Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Unavailable {
            message: "others change it all the time; try again in a moment".to_owned(),
            retry_after: None,
            source: None,
        })
    }
}

/// What the audit log tells of a token beside its id and name.
pub fn audit_details(token: &ApiToken) -> Map<String, Value> {
    let details = [
        ("role", token.role.to_string()),
        ("grants", token.grants.to_string()),
        ("expires_at", token.expires_at.to_string()),
    ];
    let details = details.into_iter();
    details
        .map(|(name, text)| (name.to_owned(), Value::String(text)))
        .collect()
}
