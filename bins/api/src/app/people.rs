//! People: the first admin, invitations, lists, changes; and requests for access.

use dilux_core::accounts::{Accounts, NewUser, Preferences, UserChange};
use dilux_core::model::{
    AccessRequest, AccessRequestId, AuditAction, AuditResourceType, Email, Role, User, UserId,
};
use dilux_core::repository::{DamagedRow, Listing, Version, Versioned};
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use serde_json::{Value, json};

use super::audit::Event;
use super::sessions::event;
use super::{Application, Page};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::password::require_choosable;
use crate::permission::Permission;
use crate::wire::user::UserFilter;

/// A page of people.
#[derive(Debug)]
pub(crate) struct UserPage {
    /// Those that match, by e-mail.
    pub(crate) page: Page<User>,
    /// Requests for access that nobody has decided.
    pub(crate) pending_requests: usize,
    /// Rows that cannot be read.
    pub(crate) damaged: Vec<DamagedRow>,
}

impl Application {
    /// The people of the installation.
    pub(super) fn accounts(&self) -> Accounts {
        Accounts::new(self.installation.clone())
    }

    /// Registers the first admin.
    pub(crate) async fn create_first_admin(
        &self,
        new: NewUser,
        password: SecretValue,
        caller: &Caller,
    ) -> Result<User> {
        require_choosable("password", &password, new.email.as_str())?;
        let wanted = self.installation.settings.admin_email.as_ref();
        if wanted.is_some_and(|wanted| !wanted.is_same(&new.email)) {
            return Err(Error::invalid("email", "must be that of DILUX_ADMIN_EMAIL"));
        }
        let hash = self.passwords.hash(password).await?;
        let user = self.accounts().create_first_admin(new, hash).await?;
        let details = json!({ "event": "first_admin_created", "role": user.role.as_str() });
        self.record(caller, event(AuditAction::UserCreated, &user, details))
            .await;
        self.spend_bootstrap().await;
        Ok(user)
    }

    /// Removes the bootstrap token, now that somebody is registered and it opens nothing.
    pub(super) async fn spend_bootstrap(&self) {
        if let Err(error) = self.bootstrap().spend().await {
            tracing::warn!(%error, "the bootstrap token was not removed; the next start does it");
        }
    }

    /// Whether nobody was registered yet.
    pub(crate) async fn is_first_run(&self) -> Result<bool> {
        self.accounts().is_first_run().await
    }

    /// Sets the password of somebody who was invited.
    pub(crate) async fn accept_invitation(
        &self,
        email: &Email,
        invitation: &str,
        password: SecretValue,
    ) -> Result<User> {
        require_choosable("password", &password, email.as_str())?;
        let invited = self.accounts().invited(email, invitation).await?;
        let hash = self.passwords.hash(password).await?;
        let user = self.accounts().accept(invited, hash).await?;
        let caller = Caller::admin(user.id.to_string(), user.email.to_string());
        let details = json!({ "event": "invitation_accepted" });
        self.record(&caller, event(AuditAction::UserUpdated, &user, details))
            .await;
        Ok(user)
    }

    /// The people that match `filter`, by e-mail.
    pub(crate) async fn list_users(&self, filter: &UserFilter) -> Result<UserPage> {
        let Listing { items, damaged } = self.installation.repositories.users.list().await?;
        let mut items: Vec<User> = items.into_iter().map(|user| user.value).collect();
        items.retain(|user| filter.matches(user));
        let page = Page::cut(items, &filter.start(), filter.page_size, |user| {
            (user.email.folded(), user.id.to_string())
        });
        Ok(UserPage {
            page,
            pending_requests: self.accounts().pending_requests().await?.items.len(),
            damaged,
        })
    }

    /// One person: anybody for those who may administer, else oneself.
    pub(crate) async fn view_user(&self, id: &UserId, caller: &Caller) -> Result<Versioned<User>> {
        if !caller.is(id) {
            caller.require(Permission::Administer)?;
        }
        self.accounts().user(id).await
    }

    /// Registers somebody with an invitation.
    pub(crate) async fn invite(
        &self,
        new: NewUser,
        caller: &Caller,
    ) -> Result<(Versioned<User>, SecretValue)> {
        let invited = self.accounts().invite(new, &caller.user_id).await?;
        let user = &invited.0.value;
        let details = json!({ "role": user.role.as_str(), "name": user.name.as_str() });
        self.record(caller, event(AuditAction::UserCreated, user, details))
            .await;
        self.spend_bootstrap().await;
        Ok(invited)
    }

    /// Gives somebody a new invitation.
    pub(crate) async fn invite_again(
        &self,
        id: &UserId,
        caller: &Caller,
    ) -> Result<(Versioned<User>, SecretValue)> {
        let invited = self.accounts().invite_again(id).await?;
        let details = json!({ "event": "invited_again" });
        self.record(
            caller,
            event(AuditAction::UserUpdated, &invited.0.value, details),
        )
        .await;
        Ok(invited)
    }

    /// Changes somebody. Nobody takes their own rights away.
    pub(crate) async fn update_user(
        &self,
        id: &UserId,
        change: &UserChange,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<Versioned<User>> {
        if caller.is(id) && change.role.is_some_and(|role| !caller.rights.is_role(role)) {
            return Err(refused("You cannot demote yourself. Ask another admin."));
        }
        if caller.is(id) && change.enabled == Some(false) {
            return Err(refused("You cannot disable yourself. Ask another admin."));
        }
        let accepts = |version: &Version| if_match.check(version);
        let changed = self.accounts().change(id, change, &accepts).await?;
        let (before, after) = changed;
        let details = json!({ "changes": changes(&before, &after.value) });
        self.record(
            caller,
            event(AuditAction::UserUpdated, &after.value, details),
        )
        .await;
        Ok(after)
    }

    /// Removes somebody other than oneself.
    pub(crate) async fn delete_user(
        &self,
        id: &UserId,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<()> {
        if caller.is(id) {
            return Err(refused("You cannot delete yourself. Ask another admin."));
        }
        let accepts = |version: &Version| if_match.check(version);
        let user = self.accounts().remove(id, &accepts).await?;
        let details = json!({ "name": user.name.as_str(), "role": user.role.as_str() });
        self.record(caller, event(AuditAction::UserDeleted, &user, details))
            .await;
        Ok(())
    }

    /// Sets the caller's own preferences.
    pub(crate) async fn prefer(
        &self,
        preferences: Preferences,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<Versioned<User>> {
        let person = caller.require_person()?;
        let accepts = |version: &Version| if_match.check(version);
        self.accounts()
            .prefer(&person.id, preferences, &accepts)
            .await
    }

    /// The requests for access that nobody has decided.
    pub(crate) async fn access_requests(&self) -> Result<Listing<AccessRequest>> {
        self.accounts().pending_requests().await
    }

    /// Lets somebody in who asked.
    pub(crate) async fn approve(
        &self,
        id: &AccessRequestId,
        role: Role,
        caller: &Caller,
    ) -> Result<User> {
        let user = self.accounts().approve(id, role, &caller.user_id).await?;
        let event = Event {
            action: AuditAction::AccessRequestApproved,
            resource_type: AuditResourceType::AccessRequest,
            resource_id: id.to_string(),
            resource_name: user.email.to_string(),
            details: json!({ "role": role.as_str() }),
            failure: None,
        };
        self.record(caller, event).await;
        self.spend_bootstrap().await;
        Ok(user)
    }

    /// Refuses somebody who asked.
    pub(crate) async fn reject(
        &self,
        id: &AccessRequestId,
        reason: Option<String>,
        caller: &Caller,
    ) -> Result<AccessRequest> {
        let details = reason
            .as_ref()
            .map_or(Value::Null, |it| json!({ "reason": it }));
        let request = self.accounts().reject(id, reason, &caller.user_id).await?;
        let event = Event {
            action: AuditAction::AccessRequestRejected,
            resource_type: AuditResourceType::AccessRequest,
            resource_id: id.to_string(),
            resource_name: request.email.to_string(),
            details,
            failure: None,
        };
        self.record(caller, event).await;
        Ok(request)
    }
}

fn refused(message: &str) -> Error {
    Error::Refused(message.to_owned())
}

/// What a change did, field by field.
fn changes(before: &User, after: &User) -> Value {
    let fields = [
        ("name", before.name.to_string(), after.name.to_string()),
        ("role", before.role.to_string(), after.role.to_string()),
        (
            "grants",
            before.grants.to_string(),
            after.grants.to_string(),
        ),
        (
            "enabled",
            before.enabled.to_string(),
            after.enabled.to_string(),
        ),
    ];
    let changed = fields.into_iter().filter(|(_, from, to)| from != to);
    changed
        .map(|(name, from, to)| (name.to_owned(), json!({ "from": from, "to": to })))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
