//! Signing in with a browser: the code flow of OpenID Connect with PKCE. The tokens come to us and to
//! nobody else; the browser ends with a session like any other.
//!
//! What belongs to one attempt is derived from a random text in a cookie of that browser, so that
//! nothing is kept for strangers who only begin.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use dilux_core::accounts::Identity;
use dilux_core::config::ClientSecretSetting;
use dilux_core::random::{Random, hex_text};
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use super::fetch::{Exchange, unavailable};
use super::{IdentityProvider, ReturnPath};

/// How long somebody may take to sign in at the provider.
pub(crate) const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// Random bytes of an attempt.
const SECRET_BYTES: usize = 32;

/// Where the provider sends people back to.
const CALLBACK: &str = "/api/auth/oidc/callback";

/// Attempts that are remembered as used at most.
const CAPACITY: usize = 10_000;

/// What the provider sends a browser back with.
#[derive(Debug, Default)]
pub(crate) struct Callback {
    /// What is exchanged for tokens.
    pub(crate) code: Option<SecretValue>,
    /// What we sent along.
    pub(crate) state: Option<String>,
    /// Which issuer it is (RFC 9207).
    pub(crate) issuer: Option<String>,
    /// Why nobody signed in.
    pub(crate) error: Option<String>,
}

/// One attempt to sign in: the text in the cookie.
struct Attempt {
    text: SecretValue,
    begun_at: i64,
    return_to: ReturnPath,
}

impl Attempt {
    fn begin(return_to: ReturnPath, now: Timestamp, random: &dyn Random) -> Self {
        let secret = hex_text(random, SECRET_BYTES);
        let path = BASE64URL_NOPAD.encode(return_to.as_str().as_bytes());
        let begun_at = now.as_second();
        Self {
            text: SecretValue::new(format!("{secret}.{begun_at}.{path}")),
            begun_at,
            return_to,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (secret, begun_at, path) = (parts.next()?, parts.next()?, parts.next()?);
        let path = BASE64URL_NOPAD.decode(path.as_bytes()).ok()?;
        let is_whole = secret.len() == 2 * SECRET_BYTES && parts.next().is_none();
        is_whole.then_some(Self {
            text: SecretValue::new(text),
            begun_at: begun_at.parse().ok()?,
            return_to: String::from_utf8(path).ok()?.parse().ok()?,
        })
    }

    /// A text that belongs to the attempt and tells nothing about the others.
    fn derived(&self, purpose: &str) -> String {
        let text = self.text.expose();
        BASE64URL_NOPAD.encode(&Sha256::digest(format!("{purpose}|{text}").as_bytes()))
    }

    fn state(&self) -> String {
        self.derived("state")
    }

    fn nonce(&self) -> String {
        self.derived("nonce")
    }

    fn verifier(&self) -> String {
        self.derived("verifier")
    }

    fn challenge(&self) -> String {
        BASE64URL_NOPAD.encode(&Sha256::digest(self.verifier().as_bytes()))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let age = now.as_second().saturating_sub(self.begun_at);
        !(0..PATIENCE.as_secs()).contains(&age)
    }
}

/// Attempts that came to their end, by their states. Kept in memory: beyond that, a code is good
/// once at the provider too.
#[derive(Debug, Default)]
pub(super) struct UsedAttempts(Mutex<HashMap<String, Timestamp>>);

impl UsedAttempts {
    /// Uses one up; `false` when it was before.
    fn take(&self, state: String, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CAPACITY {
            all.retain(|_, used| now.duration_since(*used) < PATIENCE);
        }
        if all.len() >= CAPACITY {
            let oldest = all.iter().min_by_key(|(_, used)| **used);
            if let Some(oldest) = oldest.map(|(state, _)| state.clone()) {
                all.remove(&oldest);
            }
        }
        all.insert(state, now).is_none()
    }
}

impl IdentityProvider {
    /// Begins an attempt: where to send the browser, and the text of its cookie.
    pub(crate) async fn begin(
        &self,
        return_to: ReturnPath,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(Url, SecretValue)> {
        let mut url = self.keys.endpoints(now).await?.authorization;
        let attempt = Attempt::begin(return_to, now, random);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri()?)
            .append_pair("scope", "openid profile email")
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok((url, attempt.text))
    }

    /// Ends the attempt of a cookie: who signed in, and where they wanted to go.
    pub(crate) async fn finish(
        &self,
        callback: Callback,
        cookie: &str,
        now: Timestamp,
    ) -> Result<(Identity, ReturnPath)> {
        let attempt = Attempt::read(cookie).filter(|attempt| !attempt.is_over(now));
        let attempt = attempt.ok_or_else(not_ours)?;
        let state = attempt.state();
        let is_ours = callback
            .state
            .is_some_and(|given| given.as_bytes().ct_eq(state.as_bytes()).into());
        let is_mixed_up = callback
            .issuer
            .is_some_and(|issuer| issuer != self.settings.issuer);
        if !is_ours || is_mixed_up || !self.used.take(state, now) {
            return Err(not_ours());
        }
        let code = callback.code.filter(|_| callback.error.is_none());
        let code = code.ok_or_else(|| refused(callback.error.as_deref()))?;
        let token = self.exchange(&code, &attempt, now).await?;
        let claims = self.claims(&token, now).await?;
        claims.require_sign_in(&self.settings, &attempt.nonce(), now)?;
        Ok((claims.identity(&self.settings)?, attempt.return_to))
    }

    fn redirect_uri(&self) -> Result<String> {
        let url = self.settings.public_url.join(CALLBACK);
        let url = url.map_err(|error| Error::internal("name the callback", error))?;
        Ok(url.to_string())
    }

    /// Exchanges a code for the ID token. Whatever else comes with it is dropped.
    async fn exchange(
        &self,
        code: &SecretValue,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<String> {
        let endpoints = self.keys.endpoints(now).await?;
        let secret = self.client_secret().await?;
        let exchange = Exchange {
            client_id: &self.settings.client_id,
            secret: secret.as_ref(),
            sends_secret_in_body: endpoints.takes_secret_in_body,
            fields: &[
                ("grant_type", "authorization_code"),
                ("code", code.expose()),
                ("redirect_uri", &self.redirect_uri()?),
                ("code_verifier", &attempt.verifier()),
            ],
        };
        let answer = self.keys.fetcher().exchange(&endpoints.token, &exchange);
        answer.await?.ok_or_else(|| refused(None))
    }

    async fn client_secret(&self) -> Result<Option<SecretValue>> {
        match &self.settings.client_secret {
            None => Ok(None),
            Some(ClientSecretSetting::Value(secret)) => Ok(Some(secret.clone())),
            Some(ClientSecretSetting::File(path)) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|error| {
                    tracing::error!(%error, "DILUX_OIDC_CLIENT_SECRET_FILE cannot be read");
                    unavailable(error.into())
                })?;
                Ok(Some(SecretValue::new(text.trim())))
            }
        }
    }
}

fn not_ours() -> Error {
    Error::Refused(
        "this sign-in was not begun in this browser, took too long, or is over; begin again"
            .to_owned(),
    )
}

/// The provider's reason, as far as it is one of the short codes of OAuth.
fn refused(reason: Option<&str>) -> Error {
    let is_code = |reason: &&str| {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        (1..=40).contains(&reason.len()) && reason.bytes().all(is_letter)
    };
    let reason = reason.filter(is_code).unwrap_or("no reason given");
    Error::SignInRefused(format!(
        "the identity provider did not sign you in ({reason}); begin again"
    ))
}
