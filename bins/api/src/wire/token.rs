//! API tokens on the wire.

use dilux_core::api_tokens::{LifetimeDays, NewApiToken};
use dilux_core::model::{ApiToken, Grant, Grants, Label, Role};
use dilux_core::secret::SecretValue;
use serde::Serialize;
use utoipa::ToSchema;

use super::Damaged;
use super::page::PageNotes;
use crate::app::Listed;
use crate::input::{Fields, FromFields};

/// An API token, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    /// Id.
    id: String,
    /// What it is for.
    #[schema(example = "nightly report")]
    name: String,
    /// `viewer`, `operator` or `admin`.
    #[schema(example = "viewer")]
    role: &'static str,
    /// What it may do beside, as an operator: `data`, `deletion`.
    grants: Vec<&'static str>,
    /// Creation.
    created_at: String,
    /// Who made it.
    created_by: String,
    /// From when on it is void.
    expires_at: String,
    /// When it was last used, to the minute; `null` before the first time.
    last_used: Option<String>,
}

impl From<&ApiToken> for Token {
    fn from(token: &ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.to_string(),
            role: token.role.as_str(),
            grants: token.grants.iter().map(Grant::as_str).collect(),
            created_at: token.created_at.to_string(),
            created_by: token.created_by.clone(),
            expires_at: token.expires_at.to_string(),
            last_used: token.last_used.map(|at| at.to_string()),
        }
    }
}

/// The tokens, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenList {
    /// The tokens.
    tokens: Vec<Token>,
    #[serde(flatten)]
    notes: PageNotes,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl From<Listed<ApiToken>> for TokenList {
    fn from(found: Listed<ApiToken>) -> Self {
        Self {
            notes: PageNotes::from(&found.page),
            tokens: found.page.items.iter().map(Token::from).collect(),
            damaged: found.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

/// A new token with its text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenCreated {
    /// What was done.
    message: String,
    /// The token.
    token: Token,
    /// What to send as `Authorization: Bearer …`. It is shown this once and kept nowhere.
    secret: String,
}

impl TokenCreated {
    /// The answer that shows the text.
    pub(crate) fn new(token: &ApiToken, text: &SecretValue) -> Self {
        Self {
            message: "Token created. Its secret is shown this once.".to_owned(),
            token: Token::from(token),
            secret: text.expose().to_owned(),
        }
    }
}

/// A token to be made.
#[derive(Debug, ToSchema)]
pub(crate) struct NewToken {
    /// What it is for, 1–100 characters.
    #[schema(value_type = String, example = "nightly report")]
    pub(crate) name: Label,
    /// `viewer`, `operator` or `admin`.
    #[schema(value_type = String, example = "viewer")]
    pub(crate) role: Role,
    /// What it may do beside, as an operator: `data`, `deletion`.
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) grants: Grants,
    /// Days until it is void, 1–366; 90 when absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 366)]
    pub(crate) expires_in_days: LifetimeDays,
}

impl From<NewToken> for NewApiToken {
    fn from(wanted: NewToken) -> Self {
        Self {
            name: wanted.name,
            role: wanted.role,
            grants: wanted.grants,
            lifetime: wanted.expires_in_days,
        }
    }
}

impl FromFields for NewToken {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let name = fields.required("name");
        let role = fields.required("role");
        let grants: Vec<Grant> = fields.values("grants");
        let days = fields.optional::<u32>("expires_in_days");
        let days = days.map_or(Ok(LifetimeDays::default()), LifetimeDays::try_from);
        let days = days.unwrap_or_else(|refusal| {
            fields.problem("expires_in_days", refusal.to_string());
            LifetimeDays::default()
        });
        Some(Self {
            name: name?,
            role: role?,
            grants: grants.into_iter().collect(),
            expires_in_days: days,
        })
    }
}
