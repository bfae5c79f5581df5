//! The keys of the issuer: fetched when first needed and once an hour, and when a token names one
//! that is not known yet, but never more often than once a minute, whatever tokens come.

use std::sync::{Arc, PoisonError, RwLock};

use dilux_core::config::IdentityProviderSettings;
use dilux_core::{Error, Result};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::Fault;
use super::fetch::{Fetcher, unavailable};
use super::header::Header;

/// Age at which the keys are fetched again.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// Age at which they are believed no more, however long the issuer is silent.
const USABLE: SignedDuration = SignedDuration::from_hours(24);

/// Least time between two fetches.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// Least time between two fetches as long as there are no keys at all.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// What the issuer says of itself (OpenID Connect Discovery).
#[derive(Debug, Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Where people sign in, and where codes are exchanged.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    /// For browsers.
    pub(super) authorization: Url,
    /// For us.
    pub(super) token: Url,
    /// Whether the app's secret may stand in the body; else it is in a header.
    pub(super) takes_secret_in_body: bool,
}

/// A set of keys, as fetched. A key of a kind that is not known is no reason to believe none.
#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// What was fetched.
#[derive(Debug)]
struct Fetched {
    keys: Vec<Jwk>,
    endpoints: Endpoints,
    at: Timestamp,
}

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct Keys {
    settings: IdentityProviderSettings,
    fetcher: Fetcher,
    fetched: RwLock<Option<Arc<Fetched>>>,
    /// When a fetch began last; held while one is under way.
    tried: Mutex<Option<Timestamp>>,
}

impl Keys {
    /// Keys that were not fetched yet.
    pub(super) fn new(settings: IdentityProviderSettings) -> Self {
        Self {
            settings,
            fetcher: Fetcher::default(),
            fetched: RwLock::default(),
            tried: Mutex::default(),
        }
    }

    /// The key that a token must be signed with.
    pub(super) async fn find(&self, header: &Header, now: Timestamp) -> Result<DecodingKey> {
        if let Some(fetched) = self.usable(now)
            && let Some(key) = fetched.find(header)
        {
            // While somebody else fetches, the old keys do.
            let is_old = now.duration_since(fetched.at) >= FRESH;
            let Some(tried) = is_old.then(|| self.tried.try_lock().ok()).flatten() else {
                return Ok(key);
            };
            if let Err(error) = self.fetch(tried, now).await {
                tracing::warn!(%error, "the keys of the identity provider could not be renewed");
                return Ok(key);
            }
        } else {
            let tried = self.tried.lock().await;
            // Whoever held the lock before may have fetched what is missing.
            let found = self.usable(now).and_then(|fetched| fetched.find(header));
            if let Some(key) = found {
                return Ok(key);
            }
            self.fetch(tried, now).await?;
        }
        let fetched = self.usable(now);
        let key = fetched.and_then(|fetched| fetched.find(header));
        key.ok_or_else(|| Fault::UnknownKey.into())
    }

    /// Where to sign in.
    pub(super) async fn endpoints(&self, now: Timestamp) -> Result<Endpoints> {
        if self.usable(now).is_none() {
            let tried = self.tried.lock().await;
            if self.usable(now).is_none() {
                self.fetch(tried, now).await?;
            }
        }
        let fetched = self.usable(now);
        let fetched = fetched.ok_or_else(|| unavailable("it did not a moment ago".into()))?;
        Ok(fetched.endpoints.clone())
    }

    /// What asks the issuer.
    pub(super) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    fn usable(&self, now: Timestamp) -> Option<Arc<Fetched>> {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        let fetched = fetched.clone()?;
        (now.duration_since(fetched.at) < USABLE).then_some(fetched)
    }

    /// Fetches the keys, unless that was tried a moment ago.
    async fn fetch(
        &self,
        mut tried: tokio::sync::MutexGuard<'_, Option<Timestamp>>,
        now: Timestamp,
    ) -> Result<()> {
        let has_keys = self.usable(now).is_some();
        let pause = if has_keys { PAUSE } else { FIRST_PAUSE };
        if tried.is_some_and(|tried| now.duration_since(tried).abs() < pause) {
            return if has_keys {
                Ok(())
            } else {
                Err(unavailable("it did not a moment ago".into()))
            };
        }
        *tried = Some(now);
        let description = self.describe().await?;
        let address = self.named(&description.jwks_uri)?;
        let set: KeySet = self.fetcher.get(&address).await?;
        let keys = set.keys.into_iter();
        let keys = keys.filter_map(|key| serde_json::from_value(key).ok());
        let fetched = Fetched {
            keys: keys.collect(),
            endpoints: self.endpoints_of(&description)?,
            at: now,
        };
        let mut place = self.fetched.write().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::new(fetched));
        Ok(())
    }

    /// What the issuer says of itself. It must be the one that was asked.
    async fn describe(&self) -> Result<Description> {
        let issuer = self.settings.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let url = Url::parse(&url).map_err(|error| Error::internal("name the issuer", error))?;
        let description: Description = self.fetcher.get(&url).await?;
        if description.issuer != self.settings.issuer {
            return Err(unavailable("it calls itself by another name".into()));
        }
        Ok(description)
    }

    fn endpoints_of(&self, description: &Description) -> Result<Endpoints> {
        let methods = description.token_endpoint_auth_methods_supported.as_deref();
        let in_body = |method: &String| method == "client_secret_post";
        Ok(Endpoints {
            authorization: self.named(&description.authorization_endpoint)?,
            token: self.named(&description.token_endpoint)?,
            takes_secret_in_body: methods.unwrap_or_default().iter().any(in_body),
        })
    }

    /// An address that the issuer names: as safe as its own, or not used.
    fn named(&self, address: &str) -> Result<Url> {
        let url = Url::parse(address).ok();
        let url = url.filter(|url| self.settings.may_use(url));
        url.ok_or_else(|| unavailable("it names an address that is not behind https".into()))
    }
}

impl Fetched {
    /// The key of a header: the one it names, or the only one that it may mean.
    fn find(&self, header: &Header) -> Option<DecodingKey> {
        let fits = |key: &&Jwk| {
            let id = key.common.key_id.as_deref();
            let is_named = header.key_id.is_none() || header.key_id.as_deref() == id;
            is_named && verifies(key, header.algorithm)
        };
        let mut fitting = self.keys.iter().filter(fits);
        let (key, None) = (fitting.next()?, fitting.next()) else {
            return None;
        };
        DecodingKey::from_jwk(key).ok()
    }
}

/// Whether a key is one for signatures of this algorithm.
fn verifies(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let is_for_signatures = common
        .public_key_use
        .as_ref()
        .is_none_or(|it| *it == PublicKeyUse::Signature)
        && common
            .key_operations
            .as_ref()
            .is_none_or(|all| all.contains(&KeyOperations::Verify))
        && common
            .key_algorithm
            .is_none_or(|it| it == KeyAlgorithm::from(algorithm));
    let is_of_kind = match (&key.algorithm, algorithm) {
        (
            AlgorithmParameters::RSA(_),
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
        ) => true,
        (AlgorithmParameters::EllipticCurve(point), Algorithm::ES256) => {
            point.curve == EllipticCurve::P256
        }
        (AlgorithmParameters::EllipticCurve(point), Algorithm::ES384) => {
            point.curve == EllipticCurve::P384
        }
        (AlgorithmParameters::OctetKeyPair(point), Algorithm::EdDSA) => {
            point.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    is_for_signatures && is_of_kind
}
