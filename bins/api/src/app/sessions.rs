//! Signing in and out, and recognising sessions.

use std::net::IpAddr;

use dilux_core::model::{AuditAction, AuditResourceType, Email, Session, SessionId, User};
use dilux_core::repository::Versioned;
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use serde_json::json;

use super::Application;
use super::audit::Event;
use crate::caller::{Caller, Person};

impl Application {
    /// Signs somebody in: their row and the text of a new session.
    pub(crate) async fn sign_in(
        &self,
        email: &Email,
        password: SecretValue,
        address: Option<IpAddr>,
    ) -> Result<(User, SecretValue)> {
        let account = email.folded();
        let now = self.installation.clock.now();
        self.attempts.begin(&account, address, now)?;
        let found = self
            .installation
            .repositories
            .users
            .with_email(email)
            .await?;
        let hash = found.as_ref().and_then(|user| user.value.password.as_ref());
        let is_right = self.passwords.verify(password, hash).await?;
        let Some(user) = found else {
            return Err(wrong());
        };
        let user = user.value;
        if !is_right {
            self.record_denial(&user, address, "login_denied_wrong_password")
                .await;
            return Err(wrong());
        }
        if !user.enabled {
            self.record_denial(&user, address, "login_denied_disabled")
                .await;
            return Err(disabled());
        }
        self.attempts.succeed(&account, address);
        let accounts = self.accounts();
        let user = accounts.record_login(&user.id, user.epoch).await?.value;
        let (session, text) = self.begin_session(&user).await?;
        self.forget_ended_sessions().await;
        let mut caller = Caller::person(&user, session);
        caller.address = address;
        let details = json!({ "event": "login", "role": user.role.as_str() });
        self.record(&caller, event(AuditAction::UserLogin, &user, details))
            .await;
        Ok((user, text))
    }

    /// Begins a session of somebody.
    pub(super) async fn begin_session(&self, user: &User) -> Result<(SessionId, SecretValue)> {
        let now = self.installation.clock.now();
        let (session, text) = Session::begin(user, now, &*self.installation.random);
        let id = session.id.clone();
        let sessions = &self.installation.repositories.sessions;
        sessions.insert(session).await?;
        Ok((id, text))
    }

    /// Ends the caller's session.
    pub(crate) async fn sign_out(&self, caller: &Caller) -> Result<()> {
        let person = caller.require_person()?;
        let session = person.session.as_ref().ok_or_else(|| {
            Error::Refused("there is no session to end: the call was made with a token".to_owned())
        })?;
        self.end_session(session).await?;
        let user = self.accounts().user(&person.id).await?.value;
        let details = json!({ "event": "logout" });
        self.record(caller, event(AuditAction::UserLogout, &user, details))
            .await;
        Ok(())
    }

    async fn end_session(&self, id: &SessionId) -> Result<()> {
        let sessions = &self.installation.repositories.sessions;
        for _ in 0..super::RACES {
            let Some(session) = sessions.get(id).await? else {
                return Ok(());
            };
            match sessions.delete(id, &session.version).await {
                Ok(()) => return Ok(()),
                // Its use was recorded in between.
                Err(error) if super::is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        super::too_many_races()
    }

    /// Who presents `text` as a session; fails when it is none, is over, or ended with a change of
    /// its person.
    pub(crate) async fn identify_session(&self, text: &str) -> Result<Caller> {
        let (session, user) = self.live_session(text).await?;
        let id = session.value.id.clone();
        if session
            .value
            .should_record_use(self.installation.clock.now())
        {
            self.record_session_use(session).await;
        }
        Ok(Caller::person(&user, id))
    }

    /// Who presents `text`, as [`Self::identify_session`] has it, without noting a use.
    pub(super) async fn live_session(&self, text: &str) -> Result<(Versioned<Session>, User)> {
        let repositories = &self.installation.repositories;
        let id = SessionId::of_text(text);
        let session = repositories.sessions.get(&id).await?;
        let session = session.ok_or(Error::Unauthenticated)?;
        let now = self.installation.clock.now();
        if session
            .value
            .is_over(now, self.installation.settings.sessions)
        {
            return Err(Error::Unauthenticated);
        }
        let user = repositories.users.get(&session.value.user_id).await?;
        let user = user.ok_or(Error::Unauthenticated)?.value;
        if !user.enabled {
            return Err(disabled());
        }
        if !session.value.is_of(&user) {
            return Err(Error::Unauthenticated);
        }
        Ok((session, user))
    }

    /// Notes the use of a session. Somebody else doing so, or ending it, at the same moment is no
    /// reason to refuse.
    async fn record_session_use(&self, session: Versioned<Session>) {
        let mut used = session.value;
        used.last_used = self.installation.clock.now();
        let sessions = &self.installation.repositories.sessions;
        if let Err(error) = sessions.replace(used, &session.version).await {
            tracing::debug!(%error, "the use of a session was not recorded");
        }
    }

    /// Deletes sessions that are over, of the first page; the next sign-in goes on.
    pub(super) async fn forget_ended_sessions(&self) {
        let sessions = &self.installation.repositories.sessions;
        let now = self.installation.clock.now();
        let limits = self.installation.settings.sessions;
        let page = match sessions.page(None).await {
            Ok((page, _)) => page,
            Err(error) => {
                tracing::debug!(%error, "ended sessions were not looked for");
                return;
            }
        };
        for session in page.items {
            if session.value.is_over(now, limits)
                && let Err(error) = sessions.delete(&session.value.id, &session.version).await
            {
                tracing::debug!(%error, "an ended session was not deleted");
            }
        }
    }

    /// Changes the caller's own password: every session ends, and a new one begins.
    pub(crate) async fn change_own_password(
        &self,
        present: SecretValue,
        new: SecretValue,
        caller: &Caller,
    ) -> Result<SecretValue> {
        let Person { id, .. } = caller.require_person()?;
        let user = self.accounts().user(id).await?;
        let account = user.value.email.folded();
        crate::password::require_choosable("new_password", &new, &account)?;
        let now = self.installation.clock.now();
        self.attempts.begin(&account, caller.address, now)?;
        let hash = user.value.password.as_ref();
        if !self.passwords.verify(present, hash).await? {
            return Err(Error::invalid("current_password", "is wrong"));
        }
        self.attempts.succeed(&account, caller.address);
        let hash = self.passwords.hash(new).await?;
        let user = self.accounts().change_password(user, hash).await?;
        let (_, text) = self.begin_session(&user).await?;
        let details = json!({ "changes": ["password"] });
        self.record(caller, event(AuditAction::UserUpdated, &user, details))
            .await;
        Ok(text)
    }

    /// Notes what a dashboard says about its own sign-ins.
    pub(crate) async fn record_own_event(&self, is_login: bool, caller: &Caller) -> Result<()> {
        let (action, name) = if is_login {
            (AuditAction::UserLogin, "login")
        } else {
            (AuditAction::UserLogout, "logout")
        };
        let event = Event {
            action,
            resource_type: AuditResourceType::User,
            resource_id: caller.user_id.clone(),
            resource_name: caller.user_email.clone(),
            details: json!({ "event": name, "role": caller.rights.as_str() }),
            failure: None,
        };
        self.record(caller, event).await;
        Ok(())
    }

    pub(super) async fn record_denial(&self, user: &User, address: Option<IpAddr>, name: &str) {
        let mut caller = Caller::admin(user.id.to_string(), user.email.to_string());
        caller.address = address;
        let mut event = event(AuditAction::UserLogin, user, json!({ "event": name }));
        event.failure = Some("the sign-in was refused".to_owned());
        self.record(&caller, event).await;
    }
}

/// An entry of the audit log about a person.
pub(super) fn event(action: AuditAction, user: &User, details: serde_json::Value) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::User,
        resource_id: user.id.to_string(),
        resource_name: user.email.to_string(),
        details,
        failure: None,
    }
}

fn wrong() -> Error {
    Error::SignInRefused("the e-mail or the password is wrong".to_owned())
}

/// The answer to somebody who may not come in any more.
pub(super) fn disabled() -> Error {
    Error::SignInRefused(
        "Your account has been disabled. Please contact an administrator.".to_owned(),
    )
}
