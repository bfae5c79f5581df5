//! Signing in with a browser through the identity provider: it ends in a session.

use std::net::IpAddr;

use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use url::Url;

use super::Application;
use crate::identity::{Callback, IdentityProvider, ReturnPath};

impl Application {
    /// Who vouches for people, as its settings name it; `None` when nobody does.
    pub(crate) fn issuer(&self) -> Option<&str> {
        let settings = self.installation.settings.identity_provider.as_ref();
        settings.map(|settings| settings.issuer.as_str())
    }

    /// Begins a sign-in: where to send the browser, and the text of its cookie.
    pub(crate) async fn begin_provider_sign_in(
        &self,
        return_to: ReturnPath,
    ) -> Result<(Url, SecretValue)> {
        let now = self.installation.clock.now();
        let random = &*self.installation.random;
        self.provider()?.begin(return_to, now, random).await
    }

    /// Ends a sign-in: the text of a new session, and where to go with it.
    pub(crate) async fn finish_provider_sign_in(
        &self,
        callback: Callback,
        cookie: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<(SecretValue, ReturnPath)> {
        let now = self.installation.clock.now();
        let cookie = cookie.unwrap_or_default();
        let (identity, return_to) = self.provider()?.finish(callback, cookie, now).await?;
        let user = self.admit(&identity, address).await?;
        let accounts = self.accounts();
        let user = accounts.record_login(&user.value.id, user.value.epoch);
        let user = user.await?.value;
        let (_, text) = self.begin_session(&user).await?;
        self.forget_ended_sessions().await;
        self.record_arrival(&user, address, "session_begun").await;
        Ok((text, return_to))
    }

    fn provider(&self) -> Result<&IdentityProvider> {
        self.provider.as_ref().ok_or_else(|| Error::NotFound {
            what: "Way to sign in",
            id: "oidc".to_owned(),
        })
    }
}
