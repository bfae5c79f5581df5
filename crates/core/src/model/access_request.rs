//! Requests of strangers who proved who they are and want to come in.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::{AccessRequestId, Email, InvalidName, Label, UserId};

/// How long somebody who was rejected must wait before they may ask again.
const COOL_DOWN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRequestStatus {
    /// Nobody has decided.
    Pending,
    /// They are a user now.
    Approved,
    /// They are not.
    Rejected,
}

impl AccessRequestStatus {
    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl FromStr for AccessRequestStatus {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        [Self::Pending, Self::Approved, Self::Rejected]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| InvalidName("must be one of pending, approved, rejected".to_owned()))
    }
}

/// A request for access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// Id.
    pub id: AccessRequestId,
    /// E-mail of who asks.
    pub email: Email,
    /// Their name.
    pub name: Label,
    /// Their id at the identity provider; that of the user when they are approved.
    pub subject: UserId,
    /// What became of it.
    pub status: AccessRequestStatus,
    /// When they asked.
    pub requested_at: Timestamp,
    /// When somebody decided.
    pub resolved_at: Option<Timestamp>,
    /// Id of who decided.
    pub resolved_by: Option<String>,
    /// Why they were rejected.
    pub rejection_reason: Option<String>,
}

impl AccessRequest {
    /// Whether this one stands in the way of another one at `now`: it waits, or was rejected a
    /// short while ago.
    pub fn bars_another(&self, now: Timestamp) -> bool {
        match self.status {
            AccessRequestStatus::Pending => true,
            AccessRequestStatus::Approved => false,
            AccessRequestStatus::Rejected => {
                let since = self.resolved_at.unwrap_or(self.requested_at);
                now.duration_since(since) < COOL_DOWN
            }
        }
    }
}
