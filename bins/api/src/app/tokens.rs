//! API tokens: make, list, revoke, and recognise.

use std::net::IpAddr;

use dilux_core::model::{ApiToken, ApiTokenId, AuditAction, AuditResourceType, SecretHash};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::secret::SecretValue;
use dilux_core::storage::StorageErrorKind;
use dilux_core::{Error, Result};
use jiff::SignedDuration;
use serde_json::json;

use super::audit::Event;
use super::page::newest_first;
use super::{Application, Listed, Page};
use crate::caller::{Caller, Proof};
use crate::identity::IdentityProvider;
use crate::wire::page::PageWish;
use crate::wire::token::NewToken;

impl Application {
    /// Who presents `text` as a token; fails when it opens nothing.
    pub(crate) async fn identify_token(
        &self,
        text: &str,
        address: Option<IpAddr>,
    ) -> Result<Caller> {
        if self.token.matches(text) {
            return Ok(Caller::bootstrap());
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
        let id = ApiToken::id_in(text).ok_or(Error::Unauthenticated)?;
        let tokens = &self.installation.repositories.api_tokens;
        let token = tokens.get(&id).await?.ok_or(Error::Unauthenticated)?;
        if token
            .value
            .is_opened_by(text, self.installation.clock.now())
        {
            Ok(token)
        } else {
            Err(Error::Unauthenticated)
        }
    }

    /// Who `caller`, who showed `proof` before, is now. It is no use of the proof: an answer that
    /// lasts is nobody at work.
    pub(crate) async fn identify_again(&self, proof: &Proof, caller: &Caller) -> Result<Caller> {
        let mut found = match proof {
            Proof::Session(text) => {
                let (session, user) = self.live_session(text.expose()).await?;
                Caller::person(&user, session.value.id)
            }
            Proof::Token(text) if self.token.matches(text.expose()) => Caller::bootstrap(),
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

    /// Makes a token. Gives its text, which is kept nowhere.
    pub(crate) async fn create_token(
        &self,
        new: NewToken,
        caller: &Caller,
    ) -> Result<(ApiToken, SecretValue)> {
        let (id, text) = ApiToken::text(&*self.installation.random);
        let now = self.installation.clock.now();
        let lifetime = SignedDuration::from_hours(24 * i64::from(new.expires_in_days));
        let token = ApiToken {
            id,
            name: new.name,
            role: new.role,
            grants: new.grants,
            hash: SecretHash::of(text.expose()),
            created_at: now,
            created_by: caller.user_email.clone(),
            expires_at: now
                .checked_add(lifetime)
                .map_err(|error| Error::internal("compute the expiry", error))?,
            last_used: None,
        };
        let tokens = &self.installation.repositories.api_tokens;
        let token = tokens.insert(token).await?.value;
        self.record(caller, event(AuditAction::TokenCreated, &token))
            .await;
        Ok((token, text))
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
        let tokens = &self.installation.repositories.api_tokens;
        for _ in 0..super::RACES {
            let token = tokens.get(id).await?.ok_or_else(|| Error::NotFound {
                what: "Token",
                id: id.to_string(),
            })?;
            match tokens.delete(id, &token.version).await {
                Ok(()) => {
                    self.record(caller, event(AuditAction::TokenDeleted, &token.value))
                        .await;
                    return Ok(());
                }
                // Its use was recorded in between.
                Err(error) if error.kind() == StorageErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error.into()),
            }
        }
        super::too_many_races()
    }
}

fn event(action: AuditAction, token: &ApiToken) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::Token,
        resource_id: token.id.to_string(),
        resource_name: token.name.to_string(),
        details: json!({
            "role": token.role.as_str(),
            "grants": token.grants.to_string(),
            "expires_at": token.expires_at.to_string(),
        }),
        failure: None,
    }
}
