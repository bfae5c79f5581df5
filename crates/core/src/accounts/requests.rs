//! Requests for access: asked for by strangers who proved who they are, decided by admins.

use super::{Accounts, NewUser, RACES, is_lost_race, too_many_races};
use crate::error::{Error, Result};
use crate::model::{
    AccessRequest, AccessRequestId, AccessRequestStatus, Email, Grants, Label, Role, SecretHash,
    User, UserId,
};
use crate::repository::{Listing, Versioned};
use crate::storage::StorageErrorKind;

impl Accounts {
    /// Notes that somebody asks for access. `None` when requests are switched off, or when an
    /// earlier one of theirs waits or was rejected a short while ago.
    pub async fn request_access(
        &self,
        subject: UserId,
        email: Email,
        name: Label,
    ) -> Result<Option<AccessRequest>> {
        let repositories = &self.installation.repositories;
        let settings = repositories.settings.get().await?;
        if !settings.is_none_or(|settings| settings.value.access_requests_enabled) {
            return Ok(None);
        }
        let now = self.now();
        let all = repositories.access_requests.list().await?.items;
        let theirs = all.iter().map(|request| &request.value);
        let theirs: Vec<_> = theirs
            .filter(|request| request.subject == subject || request.email.is_same(&email))
            .collect();
        if theirs.iter().any(|request| request.bars_another(now)) {
            return Ok(None);
        }
        let request = AccessRequest {
            id: nth_id(&subject, theirs.len())?,
            email,
            name,
            subject,
            status: AccessRequestStatus::Pending,
            requested_at: now,
            resolved_at: None,
            resolved_by: None,
            rejection_reason: None,
        };
        match repositories.access_requests.insert(request).await {
            Ok(request) => Ok(Some(request.value)),
            // The same person asked twice at once.
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The requests that nobody has decided, newest first.
    pub async fn pending_requests(&self) -> Result<Listing<AccessRequest>> {
        let found = self
            .installation
            .repositories
            .access_requests
            .list()
            .await?;
        let all = found.items.into_iter().map(|request| request.value);
        let mut items: Vec<AccessRequest> = all
            .filter(|request| request.status == AccessRequestStatus::Pending)
            .collect();
        items.sort_by(|a, b| {
            let by_time = b.requested_at.cmp(&a.requested_at);
            by_time.then_with(|| a.id.cmp(&b.id))
        });
        Ok(Listing {
            items,
            damaged: found.damaged,
        })
    }

    /// Approves a request: who asked is a user from now on. The request is decided first, so that
    /// it cannot be rejected meanwhile; an approval that was interrupted then is finished by
    /// repeating it.
    pub async fn approve(&self, id: &AccessRequestId, role: Role, by: &str) -> Result<User> {
        let request = self.request(id).await?;
        let present = self.users().with_email(&request.value.email).await?;
        match request.value.status {
            AccessRequestStatus::Rejected => return Err(resolved()),
            AccessRequestStatus::Approved if present.is_some() => return Err(resolved()),
            AccessRequestStatus::Approved => {}
            AccessRequestStatus::Pending => {
                if let Some(user) = &present
                    && user.value.last_login.is_some()
                {
                    return Err(Error::AlreadyExists(format!(
                        "User with email '{}' already exists",
                        user.value.email
                    )));
                }
                self.resolve(id, AccessRequestStatus::Approved, None, by)
                    .await?;
            }
        }
        let request = request.value;
        if let Some(invited) = present {
            // Somebody registered them before they asked: they stay the same person.
            let change = super::UserChange {
                role: Some(role),
                ..super::UserChange::default()
            };
            let (_, user) = self.change(&invited.value.id, &change, &|_| Ok(())).await?;
            return Ok(user.value);
        }
        let new = NewUser {
            email: request.email,
            name: Some(request.name),
            role,
            grants: Grants::default(),
        };
        let mut user = self.registered(new, Some(by.to_owned()))?;
        user.id = request.subject.clone();
        user.subject = Some(request.subject);
        Ok(self.users().create(user).await?.value)
    }

    /// Rejects a request.
    pub async fn reject(
        &self,
        id: &AccessRequestId,
        reason: Option<String>,
        by: &str,
    ) -> Result<AccessRequest> {
        self.resolve(id, AccessRequestStatus::Rejected, reason, by)
            .await
    }

    async fn request(&self, id: &AccessRequestId) -> Result<Versioned<AccessRequest>> {
        let found = self
            .installation
            .repositories
            .access_requests
            .get(id)
            .await?;
        found.ok_or_else(|| Error::NotFound {
            what: "Access request",
            id: id.to_string(),
        })
    }

    async fn resolve(
        &self,
        id: &AccessRequestId,
        status: AccessRequestStatus,
        reason: Option<String>,
        by: &str,
    ) -> Result<AccessRequest> {
        for _ in 0..RACES {
            let present = self.request(id).await?;
            if present.value.status != AccessRequestStatus::Pending {
                return Err(resolved());
            }
            let mut decided = present.value;
            decided.status = status;
            decided.resolved_at = Some(self.now());
            decided.resolved_by = Some(by.to_owned());
            decided.rejection_reason.clone_from(&reason);
            let requests = &self.installation.repositories.access_requests;
            match requests.replace(decided, &present.version).await {
                Ok(stored) => return Ok(stored.value),
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        too_many_races()
    }
}

/// The id of somebody's nth request, so that asking twice at once makes one.
fn nth_id(subject: &UserId, number: usize) -> Result<AccessRequestId> {
    let hash = SecretHash::of(&format!("access request|{subject}|{number}")).to_hex();
    hash.parse()
        .map_err(|error: crate::model::InvalidId| Error::internal("name an access request", error))
}

fn resolved() -> Error {
    Error::Refused("Access request has already been resolved".to_owned())
}
