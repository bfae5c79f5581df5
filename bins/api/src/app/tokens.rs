//! Tokens: who presents which. API tokens: make, list, revoke.

use std::net::IpAddr;

use dilux_core::api_tokens::{ApiTokens, NewApiToken, audit_details};
use dilux_core::bootstrap::Bootstrap;
use dilux_core::model::{ApiToken, ApiTokenId, AuditAction, AuditResourceType};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use serde_json::Value;

use super::audit::Event;
use super::page::newest_first;
use super::{Application, Listed, Page};
use crate::caller::{Caller, Proof};
use crate::identity::IdentityProvider;
use crate::wire::page::PageWish;

impl Application {
    /// Who presents `text` as a token; fails when it opens nothing.
    pub(crate) async fn identify_token(
        &self,
        text: &str,
        address: Option<IpAddr>,
    ) -> Result<Caller> {
        if Bootstrap::is_token(text) {
            let is_open = self.bootstrap().is_opened_by(text).await?;
            return is_open
                .then(Caller::bootstrap)
                .ok_or(Error::Unauthenticated);
        }
        if IdentityProvider::is_token(text) {
            return self.identify_person(text, address).await;
        }
        let token = self.live_token(text).await?;
        let caller = Caller::program(&token.value);
        let now = self.installation.clock.now();
        if token.value.should_record_use(now) {
            self.record_use(token).await;
        }
        Ok(caller)
    }

    /// The API token that `text` opens; fails when it opens none.
    async fn live_token(&self, text: &str) -> Result<Versioned<ApiToken>> {
        let token = self.api_tokens().opened_by(text).await?;
        token.ok_or(Error::Unauthenticated)
    }

    /// Who `caller`, who showed `proof` before, is now. It is no use of the proof: an answer that
    /// lasts is nobody at work.
    pub(crate) async fn identify_again(&self, proof: &Proof, caller: &Caller) -> Result<Caller> {
        let mut found = match proof {
            Proof::Session(text) => {
                let (session, user) = self.live_session(text.expose()).await?;
                Caller::person(&user, session.value.id)
            }
            Proof::Token(text) if IdentityProvider::is_token(text.expose()) => {
                self.present_person(text.expose(), caller).await?
            }
            Proof::Unasked => Caller::anybody(),
            Proof::Token(text) => Caller::program(&self.live_token(text.expose()).await?.value),
        };
        found.address = caller.address;
        Ok(found)
    }

    /// Notes the use of a token. Somebody else doing so, or revoking it, at the same moment is no
    /// reason to refuse, and neither is a store that takes no writes.
    async fn record_use(&self, token: Versioned<ApiToken>) {
        let mut used = token.value;
        used.last_used = Some(self.installation.clock.now());
        let tokens = &self.installation.repositories.api_tokens;
        if let Err(error) = tokens.replace(used, &token.version).await {
            tracing::debug!(%error, "the use of an API token was not recorded");
        }
    }

    /// The API tokens of the installation.
    fn api_tokens(&self) -> ApiTokens {
        ApiTokens::new(self.installation.clone())
    }

    /// The bootstrap token of the installation.
    pub(crate) fn bootstrap(&self) -> Bootstrap {
        Bootstrap::new(self.installation.clone())
    }

    /// Makes a token. Gives its text, which is kept nowhere.
    pub(crate) async fn create_token(
        &self,
        new: NewApiToken,
        caller: &Caller,
    ) -> Result<(ApiToken, SecretValue)> {
        let made = self.api_tokens().create(new, &caller.user_email).await?;
        self.record(caller, event(AuditAction::TokenCreated, &made.0))
            .await;
        Ok(made)
    }

    /// The tokens, newest first.
    pub(crate) async fn list_tokens(&self, wish: &PageWish) -> Result<Listed<ApiToken>> {
        let Listing { items, damaged } = self.installation.repositories.api_tokens.list().await?;
        let items = items.into_iter().map(|row| row.value).collect();
        let page = Page::cut(items, &wish.start(), wish.limit(), |token: &ApiToken| {
            (newest_first(token.created_at), token.id.to_string())
        });
        Ok(Listed { page, damaged })
    }

    /// Revokes a token: the next request with it is refused.
    pub(crate) async fn delete_token(&self, id: &ApiTokenId, caller: &Caller) -> Result<()> {
        let token = self.api_tokens().revoke(id).await?;
        self.record(caller, event(AuditAction::TokenDeleted, &token))
            .await;
        Ok(())
    }
}

fn event(action: AuditAction, token: &ApiToken) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::Token,
        resource_id: token.id.to_string(),
        resource_name: token.name.to_string(),
        details: Value::Object(audit_details(token)),
        failure: None,
    }
}
