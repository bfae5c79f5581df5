//! Verifies signatures: `jsonwebtoken` takes tokens apart, `ring` computes. Nothing is signed here.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation, decode};
use ring::signature as ring_signature;
use ring::signature::{RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::Fault;
use super::header::Header;
use super::object::Object;

/// The crate's own providers bring a second implementation of everything that `ring` does here.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| unsupported(),
    verifier_factory: |algorithm, key| verifier(*algorithm, key),
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| unsupported(),
        rsa_pub_components_from_public_key: |_| unsupported(),
        ec_pub_components_from_private_key: |_, _| unsupported(),
        ed_pub_components_from_private_key: |_, _| unsupported(),
        compute_digest: |_, _| unsupported(),
    },
};

/// The claims of a token whose signature `key` verifies. Which claims there must be is the caller's
/// business.
pub(super) fn verify(
    token: &str,
    header: &Header,
    key: &DecodingKey,
) -> Result<Map<String, Value>, Fault> {
    if PROVIDER.install_default().is_ok() {
        tracing::debug!("tokens are verified by ring");
    }
    let mut rules = Validation::new(header.algorithm);
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    match decode::<Object>(token, key, &rules) {
        Ok(token) => Ok(token.claims.0),
        Err(error) => Err(match error.kind() {
            ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => Fault::Malformed,
            _ => Fault::Signature,
        }),
    }
}

fn unsupported<T>() -> JwtResult<T> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

/// A key and the algorithm to use it with.
struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(algorithm: Algorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    if algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(RingVerifier {
        algorithm,
        key: key.clone(),
    }))
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let outcome = match (self.key.kind(), rsa(self.algorithm)) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, Some(parameters)) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signed)
            }
            (DecodingKeyKind::SecretOrDer(point), None) => match self.algorithm {
                Algorithm::ES256 => {
                    let curve = &ring_signature::ECDSA_P256_SHA256_FIXED;
                    UnparsedPublicKey::new(curve, point).verify(message, signed)
                }
                Algorithm::ES384 => {
                    let curve = &ring_signature::ECDSA_P384_SHA384_FIXED;
                    UnparsedPublicKey::new(curve, point).verify(message, signed)
                }
                Algorithm::EdDSA => {
                    let curve = &ring_signature::ED25519;
                    UnparsedPublicKey::new(curve, point).verify(message, signed)
                }
                _ => Err(ring::error::Unspecified),
            },
            _ => Err(ring::error::Unspecified),
        };
        outcome.map_err(|_| signature::Error::new())
    }
}

/// The parameters of an RSA algorithm; `None` for others. Keys are of 2048 bits at least.
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&ring_signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&ring_signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&ring_signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}
