//! People of an identity provider (Entra ID, any OpenID Connect issuer): whom a token speaks of.
//!
//! The signature is checked by `jsonwebtoken` over `ring`; which tokens are for us is decided in
//! `claims`, and whose keys are believed in `keys`. Nothing here knows who is registered.

mod claims;
mod code_flow;
mod fetch;
mod header;
mod keys;
mod object;
mod return_path;
mod signature;

use dilux_core::accounts::Identity;
use dilux_core::config::IdentityProviderSettings;
use dilux_core::{Error, Result};
use jiff::Timestamp;

pub(crate) use code_flow::{Callback, PATIENCE};
pub(crate) use return_path::ReturnPath;

use claims::Claims;
use code_flow::UsedAttempts;
use keys::Keys;

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("it is longer than {} KiB", header::LONGEST / 1024)]
    TooLong,
    #[error("it is not a signed JSON Web Token")]
    Malformed,
    #[error("its header asks for something that is not supported")]
    Header,
    #[error("its algorithm is not allowed")]
    Algorithm,
    #[error("it names no key of the issuer")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("its claim '{0}' is missing")]
    Missing(&'static str),
    #[error("its claim '{0}' is not written as it must be")]
    Form(&'static str),
    #[error("it comes from another issuer")]
    Issuer,
    #[error("it is for another audience")]
    Audience,
    #[error("it is of another tenant")]
    Tenant,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    Early,
    #[error("it is an ID token; send an access token")]
    IdToken,
    #[error("it belongs to another sign-in")]
    Nonce,
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::SignInRefused(format!("the token is not accepted: {fault}"))
    }
}

/// The identity provider of the settings.
#[derive(Debug)]
pub(crate) struct IdentityProvider {
    settings: IdentityProviderSettings,
    keys: Keys,
    used: UsedAttempts,
}

impl IdentityProvider {
    /// The provider; asked for its keys when the first token comes.
    pub(crate) fn new(settings: IdentityProviderSettings) -> Self {
        Self {
            keys: Keys::new(settings.clone()),
            settings,
            used: UsedAttempts::default(),
        }
    }

    /// Whether a bearer may be one of the provider's tokens at all, by its looks.
    pub(crate) fn is_token(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Who an access token for the API speaks of.
    pub(crate) async fn identify(&self, token: &str, now: Timestamp) -> Result<Identity> {
        let claims = self.claims(token, now).await?;
        claims.require_access(&self.settings, now)?;
        Ok(claims.identity(&self.settings)?)
    }

    /// The claims of a token that the provider signed, whoever it is for.
    async fn claims(&self, token: &str, now: Timestamp) -> Result<Claims> {
        let header = header::read(token)?;
        let key = self.keys.find(&header, now).await?;
        Ok(Claims::new(signature::verify(token, &header, &key)?))
    }
}
