//! The session's cookie, and the defence of requests that bring it against foreign pages.
//!
//! A browser sends the cookie by itself, so a request with it proves nothing about who wanted it.
//! What changes something must therefore carry a header that forms cannot send and foreign scripts
//! may not, and must not come from a page of another origin by the browser's own word.

use axum::http::Method;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};

use crate::addressing::Addressing;
use crate::identity::PATIENCE;

/// Name of the cookie. The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
pub(crate) const NAME: &str = "__Host-dilux_session";

/// The header that a page of ours sends with each change, whatever its value.
const OWN_PAGE: HeaderName = HeaderName::from_static("x-requested-with");

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Name of the cookie of a sign-in that was begun and goes on at the identity provider.
const ATTEMPT: &str = "__Host-dilux_sign_in";

/// The text of the session that a request brings.
pub(crate) fn session_in(headers: &HeaderMap) -> Option<&str> {
    cookie_in(headers, NAME)
}

/// The text of the attempt to sign in that a request brings.
pub(crate) fn attempt_in(headers: &HeaderMap) -> Option<&str> {
    cookie_in(headers, ATTEMPT)
}

fn cookie_in<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter();
    let pairs = texts
        .filter_map(|text| text.to_str().ok())
        .flat_map(|text| text.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// The header that gives a browser its session.
pub(crate) fn give(text: &SecretValue) -> (HeaderName, String) {
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";
    (
        header::SET_COOKIE,
        format!("{NAME}={}; {attributes}", text.expose()),
    )
}

/// The header that gives a browser its attempt to sign in. It must come along when the identity
/// provider sends the browser back, which `Strict` would not allow.
pub(crate) fn give_attempt(text: &SecretValue) -> (HeaderName, String) {
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";
    let lifetime = PATIENCE.as_secs();
    (
        header::SET_COOKIE,
        format!(
            "{ATTEMPT}={}; {attributes}; Max-Age={lifetime}",
            text.expose()
        ),
    )
}

/// The header that takes an attempt from a browser.
pub(crate) fn take_back_attempt() -> (HeaderName, String) {
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    (header::SET_COOKIE, format!("{ATTEMPT}=; {attributes}"))
}

/// The header that takes the session from a browser.
pub(crate) fn take_back() -> (HeaderName, HeaderValue) {
    let text = "__Host-dilux_session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";
    (header::SET_COOKIE, HeaderValue::from_static(text))
}

/// Fails for a change that a foreign page may have sent with the cookie.
pub(crate) fn require_own_page(
    method: &Method,
    headers: &HeaderMap,
    addressing: &Addressing,
) -> Result<()> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    refuse_foreign_page(headers, addressing)?;
    if headers.contains_key(OWN_PAGE) {
        Ok(())
    } else {
        Err(Error::Forbidden(
            "a change with the session's cookie needs the header X-Requested-With".to_owned(),
        ))
    }
}

/// Fails when the browser says that a page of another origin sent the request.
pub(crate) fn refuse_foreign_page(headers: &HeaderMap, addressing: &Addressing) -> Result<()> {
    if is_from_own_page(headers, addressing) {
        Ok(())
    } else {
        Err(Error::Forbidden(
            "the request comes from a page of another site".to_owned(),
        ))
    }
}

/// `Sec-Fetch-Site` decides, since proxies leave it as it is; browsers without it send `Origin` with
/// what changes something; programs send neither.
fn is_from_own_page(headers: &HeaderMap, addressing: &Addressing) -> bool {
    if let Some(site) = headers.get(FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    let origin = headers.get(header::ORIGIN);
    origin.is_none_or(|origin| addressing.is_own(origin))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use dilux_core::config::AccessSettings;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        });
        pairs.collect()
    }

    #[test]
    fn the_session_is_found_among_other_cookies_and_no_other_name_is_taken_for_it() {
        let found = |text: &str| session_in(&headers(&[("cookie", text)])).map(str::to_owned);
        assert_eq!(
            found("a=b; __Host-dilux_session=x; c=d").as_deref(),
            Some("x")
        );
        for none in [
            "",
            "a=b",
            "dilux_session=x",
            "__host-dilux_session=x",
            "__Host-dilux_session",
        ] {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn the_cookie_stays_on_this_host_and_out_of_scripts() {
        let (_, given) = give(&SecretValue::new("x"));
        let (_, taken) = take_back();
        for cookie in [given.as_str(), taken.to_str().unwrap()] {
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(cookie.starts_with("__Host-") && !cookie.contains("Domain"));
        }
    }

    #[test]
    fn a_change_needs_the_header_and_comes_from_an_own_page() {
        let own = ("x-requested-with", "dilux");
        let request = Request::builder().header("host", "localhost:7071");
        let request = request.body(Body::empty()).unwrap();
        let addressing = Addressing::of(&request, &AccessSettings::default()).unwrap();
        let allowed = |sent: &[(&'static str, &str)]| {
            require_own_page(&Method::POST, &headers(sent), &addressing).is_ok()
        };
        assert!(allowed(&[own]));
        assert!(!allowed(&[]), "a form cannot send the header");
        assert!(allowed(&[own, ("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[own, ("origin", "http://localhost:7071")]));
        for foreign in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "SAME-ORIGIN"),
            ("origin", "null"),
            ("origin", "http://localhost:8080"),
            ("origin", "http://localhost:7071.evil.example"),
            ("origin", "http://evil.example"),
            ("origin", ""),
        ] {
            assert!(!allowed(&[own, foreign]), "{foreign:?}");
        }
        let reading = require_own_page(&Method::GET, &headers(&[]), &addressing);
        assert!(reading.is_ok(), "reading changes nothing");
    }
}
