//! Requests for access on the wire.

use dilux_core::model::{self, Role};
use dilux_core::repository::Listing;
use serde::Serialize;
use utoipa::ToSchema;

use super::Damaged;
use crate::input::{Fields, FromFields};

/// Longest reason, in characters.
const REASON_LIMIT: usize = 1000;

/// Somebody who wants to come in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessRequest {
    /// Id.
    id: String,
    /// E-mail.
    email: String,
    /// Name.
    name: String,
    /// Their id at the identity provider.
    azure_ad_id: String,
    /// `pending`, `approved` or `rejected`.
    #[schema(example = "pending")]
    status: &'static str,
    /// When they asked.
    requested_at: String,
}

impl From<&model::AccessRequest> for AccessRequest {
    fn from(request: &model::AccessRequest) -> Self {
        Self {
            id: request.id.to_string(),
            email: request.email.to_string(),
            name: request.name.to_string(),
            azure_ad_id: request.subject.to_string(),
            status: request.status.as_str(),
            requested_at: request.requested_at.to_string(),
        }
    }
}

/// The requests that nobody has decided, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessRequestList {
    /// The requests.
    requests: Vec<AccessRequest>,
    /// How many there are.
    count: usize,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl From<Listing<model::AccessRequest>> for AccessRequestList {
    fn from(found: Listing<model::AccessRequest>) -> Self {
        Self {
            count: found.items.len(),
            requests: found.items.iter().map(AccessRequest::from).collect(),
            damaged: found.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

/// With which role somebody is let in.
#[derive(Debug, ToSchema)]
pub(crate) struct Approval {
    /// `viewer` (when absent), `operator` or `admin`.
    #[schema(value_type = Option<String>)]
    pub(crate) role: Role,
}

impl FromFields for Approval {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            role: fields.optional("role").unwrap_or(Role::Viewer),
        })
    }
}

/// Why somebody is not let in.
#[derive(Debug, ToSchema)]
pub(crate) struct Rejection {
    /// Reason, at most 1000 characters.
    pub(crate) reason: Option<String>,
}

impl FromFields for Rejection {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let reason: Option<String> = fields.optional("reason");
        if reason
            .as_ref()
            .is_some_and(|reason| reason.chars().count() > REASON_LIMIT)
        {
            let rule = format!("must be at most {REASON_LIMIT} characters long");
            fields.problem("reason", rule);
        }
        Some(Self { reason })
    }
}
