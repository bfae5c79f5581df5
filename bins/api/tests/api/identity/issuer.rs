//! An identity provider on a loopback port, with keys of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaKeyPair, RsaPublicKeyComponents,
};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use rsa::rand_core::OsRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::world::{START, World};

/// The audience of the API.
pub(crate) const AUDIENCE: &str = "api-of-the-test";

/// The tenant of the API.
pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// RSA keys take long to make: all tests share one.
static RSA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = RsaPrivateKey::new(&mut OsRng, 2048).unwrap();
    key.to_pkcs8_der().unwrap().as_bytes().to_vec()
});

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A key that signs tokens.
pub(crate) struct Key {
    pub(crate) id: String,
    pair: Pair,
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

impl Key {
    pub(crate) fn p256(id: &str) -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        Self::of(id, Pair::P256(pair))
    }

    pub(crate) fn p384(id: &str) -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P384_SHA384_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        Self::of(id, Pair::P384(pair))
    }

    pub(crate) fn ed25519(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self::of(id, Pair::Ed25519(pair))
    }

    pub(crate) fn rsa(id: &str) -> Self {
        Self::of(
            id,
            Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(&RSA).unwrap())),
        )
    }

    fn of(id: &str, pair: Pair) -> Self {
        Self {
            id: id.to_owned(),
            pair,
        }
    }

    /// The key as the issuer publishes it.
    pub(crate) fn public(&self) -> Value {
        let curve = |name: &str, pair: &EcdsaKeyPair| {
            let point = pair.public_key().as_ref()[1..].to_vec();
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": name, "x": encoded(x), "y": encoded(y) })
        };
        let mut key = match &self.pair {
            Pair::P256(pair) => curve("P-256", pair),
            Pair::P384(pair) => curve("P-384", pair),
            Pair::Ed25519(pair) => {
                let x = encoded(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            }
            Pair::Rsa(pair) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": encoded(public.n), "e": encoded(public.e) })
            }
        };
        key["kid"] = json!(self.id);
        key["use"] = json!("sig");
        key
    }

    /// The signature of a text; `algorithm` chooses among those of the key's kind.
    pub(crate) fn sign(&self, algorithm: &str, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => {
                let signature = pair.sign(&random, text.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let padding: &dyn ring::signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, text.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
        }
    }

    /// A token of these parts, whatever they say.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of(&header.to_string(), &claims.to_string())
    }

    /// A token of these texts, which need not be JSON.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> String {
        let parsed: Value = serde_json::from_str(header).unwrap_or_default();
        let algorithm = parsed["alg"].as_str().unwrap_or_default().to_owned();
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature = encoded(self.sign(&algorithm, &message));
        format!("{message}.{signature}")
    }
}

/// What the issuer answers with.
#[derive(Default)]
struct Answers {
    keys: Mutex<Vec<Value>>,
    /// How often its keys were asked for.
    fetches: AtomicUsize,
    /// What it calls itself, when not by its address.
    name: Mutex<Option<String>>,
    is_silent: std::sync::atomic::AtomicBool,
    /// What the exchange of codes answers, and what it was asked.
    exchange: Mutex<Option<Exchange>>,
    exchanged: Mutex<Vec<String>>,
}

/// Answers a form with a status and a body.
pub(crate) type Exchange = Box<dyn FnMut(&str) -> (u16, Value) + Send>;

/// An issuer of tokens.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) key: Key,
    answers: Arc<Answers>,
    _server: AbortOnDropHandle<()>,
}

impl Issuer {
    /// An issuer with one key, of P-256.
    pub(crate) async fn start() -> Self {
        let key = Key::p256("first");
        let answers = Arc::new(Answers::default());
        answers.keys.lock().unwrap().push(key.public());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = routes(url.clone(), &answers);
        let server = async move { axum::serve(listener, routes).await.unwrap() };
        Self {
            url,
            key,
            answers,
            _server: AbortOnDropHandle::new(tokio::spawn(server)),
        }
    }

    /// A world that believes this issuer, with its tenant, and with more settings.
    pub(crate) async fn world(&self, more: &[(&str, &str)]) -> World {
        let own = [
            ("DILUX_OIDC_ISSUER", self.url.as_str()),
            ("DILUX_OIDC_CLIENT_ID", "client-of-the-test"),
            ("DILUX_OIDC_AUDIENCE", AUDIENCE),
        ];
        World::with_variables(&[own.as_slice(), more].concat()).await
    }

    /// A world for people of one tenant.
    pub(crate) async fn tenant_world(&self) -> World {
        self.world(&[("DILUX_OIDC_TENANT", TENANT)]).await
    }

    /// Publishes these keys from now on.
    pub(crate) fn publish(&self, keys: &[Value]) {
        *self.answers.keys.lock().unwrap() = keys.to_vec();
    }

    /// How often its keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.answers.fetches.load(Ordering::SeqCst)
    }

    /// Calls itself by another name from now on.
    pub(crate) fn rename(&self, name: &str) {
        *self.answers.name.lock().unwrap() = Some(name.to_owned());
    }

    /// Answers exchanges of codes this way from now on.
    pub(crate) fn exchange_by(&self, exchange: Exchange) {
        *self.answers.exchange.lock().unwrap() = Some(exchange);
    }

    /// The header `Authorization` and the form of each exchange.
    pub(crate) fn exchanged(&self) -> Vec<String> {
        self.answers.exchanged.lock().unwrap().clone()
    }

    /// Answers nothing usable from now on, or does so again.
    pub(crate) fn silence(&self, is_silent: bool) {
        self.answers.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": "ES256", "kid": self.key.id })
    }

    /// The claims of a good token of Ann.
    pub(crate) fn claims(&self) -> Value {
        let now: jiff::Timestamp = START.parse().unwrap();
        let now = now.as_second();
        json!({
            "iss": self.url, "aud": AUDIENCE, "tid": TENANT,
            "sub": "subject-of-ann", "oid": "aaaaaaaa-0000-4000-8000-000000000001",
            "iat": now, "nbf": now, "exp": now + 3600,
            "name": "Ann Example", "preferred_username": "ann@example.com",
            "email": "ann@example.com", "email_verified": true,
        })
    }

    /// A good token with other claims; `null` takes one away.
    pub(crate) fn token(&self, changes: &Value) -> String {
        self.key
            .token(&self.header(), &merged(self.claims(), changes))
    }
}

/// An object with changes; `null` takes a name away.
pub(crate) fn merged(mut object: Value, changes: &Value) -> Value {
    let map = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            map.remove(name);
        } else {
            map.insert(name.clone(), value.clone());
        }
    }
    object
}

fn routes(url: String, answers: &Arc<Answers>) -> Router {
    let (describing, publishing) = (answers.clone(), answers.clone());
    let describe = async move || {
        if describing.is_silent.load(Ordering::SeqCst) {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let name = describing.name.lock().unwrap().clone();
        Ok(Json(json!({
            "issuer": name.unwrap_or_else(|| url.clone()),
            "jwks_uri": format!("{url}/keys"),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
        })))
    };
    let publish = async move || {
        publishing.fetches.fetch_add(1, Ordering::SeqCst);
        Json(json!({ "keys": *publishing.keys.lock().unwrap() }))
    };
    let exchanging = answers.clone();
    let exchange = async move |headers: HeaderMap, form: String| {
        let credentials = headers.get("authorization");
        let credentials = credentials.map_or("", |value| value.to_str().unwrap());
        let mut exchanged = exchanging.exchanged.lock().unwrap();
        exchanged.push(format!("{credentials}\n{form}"));
        let mut answer = exchanging.exchange.lock().unwrap();
        let (status, body) = answer.as_mut().unwrap()(&form);
        (StatusCode::from_u16(status).unwrap(), Json(body))
    };
    Router::new()
        .route("/token", post(exchange))
        .route("/.well-known/openid-configuration", get(describe))
        .route("/keys", get(publish))
}
