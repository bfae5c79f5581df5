//! People of the identity provider: who they are here, and what is noted of their coming.

use std::net::IpAddr;

use dilux_core::accounts::{Arrival, Identity, NoAccess};
use dilux_core::model::{AuditAction, AuditResourceType, User};
use dilux_core::repository::Versioned;
use dilux_core::{Error, Result};
use serde_json::json;

use super::Application;
use super::audit::Event;
use super::noted::Due;
use super::sessions::{disabled, event};
use crate::caller::Caller;

impl Application {
    /// Who presents a token of the identity provider; fails when it is none, or of nobody here.
    pub(super) async fn identify_person(
        &self,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Caller> {
        let provider = self.provider.as_ref().ok_or(Error::Unauthenticated)?;
        let now = self.installation.clock.now();
        let identity = provider.identify(token, now).await?;
        let user = self.admit(&identity, address).await?;
        Ok(Caller::bearer(&user.value))
    }

    /// Who `caller`, who came with this token before, is now. Nothing is noted of it.
    pub(super) async fn present_person(&self, token: &str, caller: &Caller) -> Result<Caller> {
        let provider = self.provider.as_ref().ok_or(Error::Unauthenticated)?;
        provider
            .identify(token, self.installation.clock.now())
            .await?;
        let person = caller.require_person()?;
        let user = self.installation.repositories.users.get(&person.id).await?;
        match user {
            Some(user) if user.value.enabled => Ok(Caller::bearer(&user.value)),
            Some(_) => Err(disabled()),
            None => Err(Error::Unauthenticated),
        }
    }

    /// The person that an identity is, who may come in.
    pub(super) async fn admit(
        &self,
        identity: &Identity,
        address: Option<IpAddr>,
    ) -> Result<Versioned<User>> {
        match self.accounts().arrive(identity).await? {
            Arrival::Known(user) if !user.value.enabled => {
                let now = self.installation.clock.now();
                let id = &user.value.id;
                if self.denials.due(id, now) != Due::No {
                    self.denials.note(id.clone(), now);
                    let name = "login_denied_disabled";
                    self.record_denial(&user.value, address, name).await;
                }
                Err(disabled())
            }
            Arrival::Known(user) => Ok(self.note_use(user, address).await),
            Arrival::Bound(user) => {
                self.record_arrival(&user.value, address, "first_login")
                    .await;
                Ok(user)
            }
            Arrival::FirstAdmin(user) => {
                let mut caller = Caller::bearer(&user.value);
                caller.address = address;
                let details = json!({ "event": "first_admin_created", "role": "admin" });
                let made = event(AuditAction::UserCreated, &user.value, details);
                self.record(&caller, made).await;
                self.spend_bootstrap().await;
                Ok(user)
            }
            Arrival::Unknown(why) => {
                self.record_stranger(identity, address, &why).await;
                Err(Error::Forbidden(explain(&why).to_owned()))
            }
        }
    }

    /// Notes that somebody unknown asked for access, or was turned away: once an hour each, and of so
    /// many at most that strangers, whom the provider alone knows, cannot flood the log.
    async fn record_stranger(&self, who: &Identity, address: Option<IpAddr>, why: &NoAccess) {
        let email = who.email.as_ref().map(ToString::to_string);
        let email = email.unwrap_or_default();
        let (name, resource_type, resource_id) = match why {
            NoAccess::Asked(request) => (
                "access_request_created",
                AuditResourceType::AccessRequest,
                request.to_string(),
            ),
            NoAccess::NoEmail | NoAccess::EmailTaken | NoAccess::NotAsked => {
                let now = self.installation.clock.now();
                if self.strangers.due(&who.subject, now) != Due::Yes {
                    return;
                }
                self.strangers.note(who.subject.clone(), now);
                let name = "login_denied_not_registered";
                (name, AuditResourceType::User, who.subject.to_string())
            }
        };
        let is_request = resource_type == AuditResourceType::AccessRequest;
        let event = Event {
            action: AuditAction::UserLogin,
            resource_type,
            resource_id,
            resource_name: email.clone(),
            details: json!({ "event": name }),
            failure: (!is_request).then(|| "nobody of this identity is registered".to_owned()),
        };
        self.record(&Caller::stranger(&who.subject, email, address), event)
            .await;
    }

    /// Notes once an hour that somebody was here. Somebody else changing their row at the same
    /// moment is no reason to refuse, and neither is a store that takes no writes.
    async fn note_use(&self, user: Versioned<User>, address: Option<IpAddr>) -> Versioned<User> {
        if !user
            .value
            .should_record_login(self.installation.clock.now())
        {
            return user;
        }
        let accounts = self.accounts();
        match accounts
            .record_login(&user.value.id, user.value.epoch)
            .await
        {
            Ok(user) => {
                self.record_arrival(&user.value, address, "login").await;
                user
            }
            Err(error) => {
                tracing::debug!(%error, "a sign-in was not recorded");
                user
            }
        }
    }

    pub(super) async fn record_arrival(&self, user: &User, address: Option<IpAddr>, name: &str) {
        let mut caller = Caller::bearer(user);
        caller.address = address;
        let details = json!({
            "event": name, "role": user.role.as_str(), "method": "identity_provider",
        });
        self.record(&caller, event(AuditAction::UserLogin, user, details))
            .await;
    }
}

fn explain(why: &NoAccess) -> &'static str {
    match why {
        NoAccess::NoEmail => {
            "you are nobody here, and the identity provider vouches for no e-mail of yours; ask an \
             admin for access"
        }
        NoAccess::EmailTaken => {
            "your e-mail belongs to somebody else here; ask an admin to remove the old account"
        }
        NoAccess::Asked(_) => {
            "you have no access to this service yet; a request was noted, an admin can approve it"
        }
        NoAccess::NotAsked => {
            "you have no access to this service; a request of yours waits or was rejected, or \
             requests are switched off: ask an admin"
        }
    }
}
