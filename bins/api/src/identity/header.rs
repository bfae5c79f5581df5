//! The header of a token: what it asks of us, before anything is believed.

use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::Fault;
use super::object::Object;

/// Longest token, in bytes.
pub(super) const LONGEST: usize = 16 * 1024;

/// Algorithms with a public key. Neither `none` nor the ones with a shared secret: whoever knows the
/// public key could sign with it.
const ALLOWED: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Parameters that change what a token means, or name a key by themselves (RFC 7515, 7516, 7797).
/// The keys are the issuer's, and nothing else is understood.
const REFUSED: [&str; 9] = [
    "crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc", "cty",
];

/// Values of `typ`, in lower case, that an access or ID token may have (RFC 7519, 9068).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The algorithm of the signature.
    pub(super) algorithm: Algorithm,
    /// Which key.
    pub(super) key_id: Option<String>,
}

/// Reads the header of a token of three parts.
pub(super) fn read(token: &str) -> Result<Header, Fault> {
    if token.len() > LONGEST {
        return Err(Fault::TooLong);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(Fault::Malformed);
    };
    if payload.is_empty() || signature.is_empty() {
        return Err(Fault::Malformed);
    }
    let header = BASE64URL_NOPAD
        .decode(header.as_bytes())
        .map_err(|_| Fault::Malformed)?;
    let Object(header) = serde_json::from_slice(&header).map_err(|_| Fault::Malformed)?;
    if REFUSED.iter().any(|name| header.contains_key(*name)) {
        return Err(Fault::Header);
    }
    let is_known_type = |value: &Value| {
        let text = value.as_str().map(str::to_ascii_lowercase);
        text.is_some_and(|text| TYPES.contains(&text.as_str()))
    };
    if !header.get("typ").is_none_or(is_known_type) {
        return Err(Fault::Header);
    }
    let algorithm = header.get("alg").and_then(Value::as_str);
    let algorithm = algorithm.and_then(|name| Algorithm::from_str(name).ok());
    let algorithm = algorithm.filter(|algorithm| ALLOWED.contains(algorithm));
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err(Fault::Header),
    };
    Ok(Header {
        algorithm: algorithm.ok_or(Fault::Algorithm)?,
        key_id,
    })
}
