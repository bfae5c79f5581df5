//! What is refused, each by its name.

use serde_json::{Value, json};

use super::super::issuer::{AUDIENCE, Issuer, Key, TENANT, encoded, merged};
use crate::world::START;

/// A name, and what stands in `Authorization`.
pub(super) type Case = (&'static str, String);

pub(super) fn now() -> i64 {
    START.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// Tokens that say something wrong, signed by the issuer's own key.
pub(super) fn wrong_claims(issuer: &Issuer) -> Vec<Case> {
    let cases = [wrong_places(issuer), wrong_times(), wrong_people()].concat();
    let cases = cases.iter();
    cases
        .map(|(name, changes)| (*name, bearer(&issuer.token(changes))))
        .collect()
}

/// Changes of a good token's claims: whose it is, and for whom.
fn wrong_places(issuer: &Issuer) -> Vec<(&'static str, Value)> {
    vec![
        ("audience of another", json!({ "aud": "another-api" })),
        (
            "audience in capitals",
            json!({ "aud": AUDIENCE.to_uppercase() }),
        ),
        (
            "audience that begins alike",
            json!({ "aud": format!("{AUDIENCE}.evil") }),
        ),
        (
            "audiences of others",
            json!({ "aud": ["another-api", "third-api"] }),
        ),
        ("no audience in a list", json!({ "aud": [] })),
        ("audience among no texts", json!({ "aud": [AUDIENCE, 7] })),
        ("audience in a nested list", json!({ "aud": [[AUDIENCE]] })),
        ("audience is a number", json!({ "aud": 7 })),
        ("audience is an object", json!({ "aud": { "0": AUDIENCE } })),
        ("audience is empty", json!({ "aud": "" })),
        ("audience is missing", json!({ "aud": null })),
        (
            "audience is the client",
            json!({ "aud": "client-of-the-test" }),
        ),
        (
            "issuer of another",
            json!({ "iss": "https://evil.example" }),
        ),
        (
            "issuer with a slash",
            json!({ "iss": format!("{}/", issuer.url) }),
        ),
        (
            "issuer that begins alike",
            json!({ "iss": format!("{}.evil.example", issuer.url) }),
        ),
        ("issuer in a list", json!({ "iss": [issuer.url] })),
        ("issuer is a number", json!({ "iss": 1 })),
        ("issuer is empty", json!({ "iss": "" })),
        ("issuer is missing", json!({ "iss": null })),
    ]
}

/// When it is valid.
fn wrong_times() -> Vec<(&'static str, Value)> {
    let now = now();
    vec![
        ("expired", json!({ "exp": now - 61 })),
        ("expired at the edge", json!({ "exp": now - 60 })),
        ("expiry is zero", json!({ "exp": 0 })),
        (
            "expiry is a text",
            json!({ "exp": (now + 3600).to_string() }),
        ),
        ("expiry has a fraction", json!({ "exp": 1.9e9 + 0.5 })),
        ("expiry in exponents", json!({ "exp": 1e300 })),
        ("expiry is negative", json!({ "exp": -1 })),
        ("expiry is too large", json!({ "exp": u64::MAX })),
        ("expiry is true", json!({ "exp": true })),
        ("expiry in a list", json!({ "exp": [now + 3600] })),
        ("expiry is missing", json!({ "exp": null })),
        ("not valid yet", json!({ "nbf": now + 61 })),
        ("begin is a text", json!({ "nbf": now.to_string() })),
        ("begin is negative", json!({ "nbf": -1 })),
        ("begin has a fraction", json!({ "nbf": 1.5 })),
        ("begin is missing", json!({ "nbf": null })),
    ]
}

/// Of whom it speaks.
fn wrong_people() -> Vec<(&'static str, Value)> {
    let other_tenant = "99999999-2222-3333-4444-555555555555";
    vec![
        ("another tenant", json!({ "tid": other_tenant })),
        ("tenant in a list", json!({ "tid": [TENANT] })),
        ("tenant is missing", json!({ "tid": null })),
        ("tenant is empty", json!({ "tid": "" })),
        ("subject is empty", json!({ "sub": "" })),
        ("subject is missing", json!({ "sub": null })),
        ("subject is a number", json!({ "sub": 1 })),
        (
            "subject with blanks around",
            json!({ "sub": " subject-of-ann " }),
        ),
        ("subject is too long", json!({ "sub": "x".repeat(256) })),
        ("object id is empty", json!({ "oid": "" })),
        ("object id is a number", json!({ "oid": 1 })),
        (
            "object id is the id of a row",
            json!({ "oid": "pending-1" }),
        ),
        (
            "object id with a quote",
            json!({ "oid": "a' or '1' eq '1" }),
        ),
        ("an ID token", json!({ "nonce": "n" })),
        ("an ID token with a hash", json!({ "at_hash": "h" })),
    ]
}

/// Tokens whose header asks for something, signed by the issuer's own key.
pub(super) fn wrong_headers(issuer: &Issuer) -> Vec<Case> {
    let own = issuer.key.public();
    let cases = [
        ("algorithm none", json!({ "alg": "none" })),
        ("algorithm None", json!({ "alg": "None" })),
        ("algorithm NONE", json!({ "alg": "NONE" })),
        ("algorithm nOnE", json!({ "alg": "nOnE" })),
        ("algorithm empty", json!({ "alg": "" })),
        ("algorithm missing", json!({ "alg": null })),
        ("algorithm in small letters", json!({ "alg": "es256" })),
        ("algorithm with a blank", json!({ "alg": "ES256 " })),
        ("algorithm in a list", json!({ "alg": ["ES256"] })),
        ("algorithm of another curve", json!({ "alg": "ES384" })),
        ("algorithm of another kind", json!({ "alg": "RS256" })),
        ("algorithm EdDSA for a curve", json!({ "alg": "EdDSA" })),
        ("algorithm HS256", json!({ "alg": "HS256" })),
        ("algorithm unknown", json!({ "alg": "ES512" })),
        ("key unknown", json!({ "kid": "another" })),
        ("key is a path", json!({ "kid": "../../dev/null" })),
        ("key is a number", json!({ "kid": 1 })),
        ("key is empty", json!({ "kid": "" })),
        ("key of its own", json!({ "jwk": own })),
        (
            "key at an address",
            json!({ "jku": format!("{}/keys", issuer.url) }),
        ),
        (
            "certificate at an address",
            json!({ "x5u": format!("{}/keys", issuer.url) }),
        ),
        ("certificate of its own", json!({ "x5c": ["MIIB"] })),
        ("critical extension", json!({ "crit": ["exp"], "exp": 1 })),
        ("critical nothing", json!({ "crit": [] })),
        (
            "payload not encoded",
            json!({ "b64": false, "crit": ["b64"] }),
        ),
        ("payload said to be encoded", json!({ "b64": true })),
        ("compressed", json!({ "zip": "DEF" })),
        ("encrypted", json!({ "enc": "A256GCM" })),
        ("a token in a token", json!({ "cty": "JWT" })),
        ("a token of sign-outs", json!({ "typ": "logout+jwt" })),
        ("a type that is a number", json!({ "typ": 1 })),
    ];
    let cases = cases.iter();
    cases
        .map(|(name, changes)| {
            let header = merged(issuer.header(), changes);
            (*name, bearer(&issuer.key.token(&header, &issuer.claims())))
        })
        .collect()
}

/// Tokens that the issuer's key did not sign.
pub(super) fn wrong_signatures(issuer: &Issuer) -> Vec<Case> {
    let good = issuer.token(&json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let stranger = Key::p256(&issuer.key.id);
    let foreign = stranger.token(&issuer.header(), &issuer.claims());
    let root = merged(issuer.claims(), &json!({ "sub": "somebody-else" }));
    let injected = merged(issuer.header(), &json!({ "jwk": stranger.public() }));
    let none = encoded(r#"{"alg":"none"}"#);
    let shared = {
        let header = json!({ "typ": "JWT", "alg": "HS256", "kid": issuer.key.id });
        let message = format!("{}.{payload}", encoded(header.to_string()));
        let public = issuer.key.public().to_string();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes());
        let tag = ring::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", encoded(tag))
    };
    let flipped: String = signature.chars().rev().collect();
    let zeros = encoded([0; 64]);
    [
        ("unsigned", format!("{message}.")),
        ("unsigned without the dot", message.to_owned()),
        ("unsigned by its header", format!("{none}.{payload}.")),
        (
            "unsigned by its header, with a signature",
            format!("{none}.{payload}.{signature}"),
        ),
        ("signed with the public key as a secret", shared),
        ("signed by a stranger", foreign),
        (
            "signed by a key that it brings",
            stranger.token(&injected, &issuer.claims()),
        ),
        ("other claims under the signature", {
            format!("{header}.{}.{signature}", encoded(root.to_string()))
        }),
        ("signature backwards", format!("{message}.{flipped}")),
        ("signature of zeros", format!("{message}.{zeros}")),
        (
            "signature cut short",
            format!("{message}.{}", &signature[..40]),
        ),
        (
            "signature with more behind",
            format!("{message}.{signature}AAAA"),
        ),
        ("signature of another token", {
            let other = issuer.token(&json!({ "sub": "another" }));
            format!("{message}.{}", other.rsplit_once('.').unwrap().1)
        }),
    ]
    .map(|(name, token)| (name, bearer(&token)))
    .to_vec()
}

/// What is not even a token.
pub(super) fn malformed(issuer: &Issuer) -> Vec<Case> {
    let good = issuer.token(&json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims) = (issuer.header().to_string(), issuer.claims().to_string());
    let doubled = |name: &str, value: &str| {
        let claims = format!("{{\"{name}\":{value},{}", &claims[1..]);
        issuer.key.token_of(&header, &claims)
    };
    let header_twice = format!("{{\"alg\":\"none\",{}", &header[1..]);
    let long = issuer.token(&json!({ "extra": "x".repeat(20_000) }));
    let deep = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
    [
        ("nothing between dots", "..".to_owned()),
        ("no payload", format!("{}..{}", parts[0], parts[2])),
        ("no header", format!(".{}.{}", parts[1], parts[2])),
        ("four parts", format!("{good}.{}", parts[2])),
        ("five parts", format!("{good}.a.b")),
        ("one part", parts[1].to_owned()),
        (
            "padded header",
            format!("{}==.{}.{}", parts[0], parts[1], parts[2]),
        ),
        ("padded signature", format!("{good}==")),
        (
            "letters that are not of the alphabet",
            good.replace('.', ".+/"),
        ),
        (
            "payload is no base64",
            format!("{}.%%%.{}", parts[0], parts[2]),
        ),
        (
            "header is no JSON",
            issuer.key.token_of("alg=ES256", &claims),
        ),
        ("header is a list", issuer.key.token_of("[]", &claims)),
        ("claims are no JSON", issuer.key.token_of(&header, "iss=x")),
        ("claims are a list", issuer.key.token_of(&header, "[]")),
        ("claims are a text", issuer.key.token_of(&header, "\"x\"")),
        ("claims are null", issuer.key.token_of(&header, "null")),
        (
            "claims with more behind",
            issuer.key.token_of(&header, &format!("{claims}{{}}")),
        ),
        (
            "claims too deep",
            issuer.key.token_of(&header, &format!("{{\"a\":{deep}}}")),
        ),
        ("audience twice", doubled("aud", "\"another-api\"")),
        ("expiry twice", doubled("exp", "1")),
        ("subject twice", doubled("sub", "\"somebody-else\"")),
        ("an unknown claim twice", doubled("name", "\"Mallory\"")),
        (
            "algorithm twice",
            issuer.key.token_of(&header_twice, &claims),
        ),
        ("longer than any token", long),
        ("with a blank inside", good.replacen('.', ". ", 1)),
    ]
    .map(|(name, token)| (name, bearer(&token)))
    .to_vec()
}

pub(super) fn wrong_schemes(issuer: &Issuer) -> Vec<Case> {
    let good = issuer.token(&json!({}));
    vec![
        ("no scheme", good.clone()),
        ("scheme Basic", format!("Basic {good}")),
        ("scheme DPoP", format!("DPoP {good}")),
        ("scheme glued on", format!("Bearer{good}")),
        ("a tab for the blank", format!("Bearer\t{good}")),
        ("scheme twice", format!("Bearer Bearer {good}")),
        ("two tokens", format!("Bearer {good}, Bearer {good}")),
        ("in quotes", format!("Bearer \"{good}\"")),
    ]
}

pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}
