//! What a token says, once its signature is known to be the issuer's: whether it is for us, in time,
//! and whom it speaks of.

use dilux_core::accounts::Identity;
use dilux_core::config::IdentityProviderSettings;
use dilux_core::model::{Email, Label, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::Fault;

/// Seconds that the issuer's clock and ours may differ.
const LEEWAY: i64 = 60;

/// Longest subject, in bytes (OpenID Connect Core, section 2).
const LONGEST_SUBJECT: usize = 255;

/// Longest name that is taken over.
const LONGEST_NAME: usize = 100;

/// The claims of a token.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// Claims whose signature was verified.
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Fails unless these are of an access token for the API.
    pub(super) fn require_access(
        &self,
        settings: &IdentityProviderSettings,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.require_origin(settings)?;
        if !self.audiences()?.contains(&settings.audience.as_str()) {
            return Err(Fault::Audience);
        }
        self.require_unexpired(now)?;
        let begin = self.seconds("nbf")?.ok_or(Fault::Missing("nbf"))?;
        require_begun(begin, now)?;
        // An ID token tells a dashboard who signed in. It is for that dashboard and opens nothing.
        if self.0.contains_key("nonce") || self.0.contains_key("at_hash") {
            return Err(Fault::IdToken);
        }
        Ok(())
    }

    /// Fails unless these are of the ID token of the sign-in with this nonce. It need not say from
    /// when on it is valid: it comes from the issuer itself, and says when it was written.
    pub(super) fn require_sign_in(
        &self,
        settings: &IdentityProviderSettings,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.require_origin(settings)?;
        let audiences = self.audiences()?;
        let client = settings.client_id.as_str();
        let party = self.text("azp")?;
        let is_ours = audiences.contains(&client)
            && party.map_or(audiences.len() == 1, |party| party == client);
        if !is_ours {
            return Err(Fault::Audience);
        }
        self.require_unexpired(now)?;
        require_begun(self.seconds("iat")?.ok_or(Fault::Missing("iat"))?, now)?;
        if let Some(begin) = self.seconds("nbf")? {
            require_begun(begin, now)?;
        }
        let given = self.required_text("nonce")?;
        if given.as_bytes().ct_eq(nonce.as_bytes()).into() {
            Ok(())
        } else {
            Err(Fault::Nonce)
        }
    }

    /// Whom the token speaks of.
    pub(super) fn identity(&self, settings: &IdentityProviderSettings) -> Result<Identity, Fault> {
        let name = self.0.get("name").and_then(Value::as_str);
        let name = name.map(|name| name.chars().take(LONGEST_NAME).collect::<String>());
        Ok(Identity {
            subject: self.subject(settings)?,
            email: self.verified_email(settings.tenant.is_some()),
            name: name.and_then(|name| name.trim().parse::<Label>().ok()),
        })
    }

    fn require_origin(&self, settings: &IdentityProviderSettings) -> Result<(), Fault> {
        if self.required_text("iss")? != settings.issuer {
            return Err(Fault::Issuer);
        }
        match &settings.tenant {
            Some(tenant) if self.required_text("tid")? != tenant => Err(Fault::Tenant),
            _ => Ok(()),
        }
    }

    fn require_unexpired(&self, now: Timestamp) -> Result<(), Fault> {
        let end = self.seconds("exp")?.ok_or(Fault::Missing("exp"))?;
        if end.saturating_add(LEEWAY) <= now.as_second() {
            return Err(Fault::Expired);
        }
        Ok(())
    }

    /// For Entra ID the object id, which is also the id in rows of the Python product; else the
    /// hash of issuer and subject.
    fn subject(&self, settings: &IdentityProviderSettings) -> Result<UserId, Fault> {
        let sub = self.required_text("sub")?;
        if sub.trim() != sub || sub.len() > LONGEST_SUBJECT {
            return Err(Fault::Form("sub"));
        }
        let Some(oid) = self.text("oid")? else {
            return Ok(UserId::of_subject(&settings.issuer, sub));
        };
        if settings.tenant.is_none() {
            return Ok(UserId::of_subject(&settings.issuer, sub));
        }
        if is_uuid(oid) {
            oid.parse().map_err(|_| Fault::Form("oid"))
        } else {
            Err(Fault::Form("oid"))
        }
    }

    /// The e-mail, when somebody has seen to it that it is theirs. Of Entra ID, `email` counts with
    /// `xms_edov` (the domain's owner vouches), and without it the name that a tenant's admins gave
    /// one of their own people, whose domain the tenant has proved to own. A guest's name is
    /// another tenant's word.
    fn verified_email(&self, has_tenant: bool) -> Option<Email> {
        let email = |name: &str| self.0.get(name)?.as_str()?.parse::<Email>().ok();
        let is_true = |name: &str| {
            let value = self.0.get(name);
            value.is_some_and(|value| *value == Value::Bool(true))
        };
        let edov = self.0.get("xms_edov");
        let is_owner_verified = is_true("xms_edov")
            || edov.is_some_and(|value| *value == 1 || *value == "1" || *value == "true");
        if is_true("email_verified") || (has_tenant && is_owner_verified) {
            return email("email");
        }
        let is_guest =
            self.0.contains_key("idp") || self.0.get("acct").is_some_and(|kind| *kind != 0);
        if has_tenant && !is_guest {
            return email("upn").or_else(|| email("preferred_username"));
        }
        None
    }

    fn audiences(&self) -> Result<Vec<&str>, Fault> {
        match self.0.get("aud") {
            None => Err(Fault::Missing("aud")),
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(all)) => {
                let texts = all.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
                texts.ok_or(Fault::Form("aud"))
            }
            Some(_) => Err(Fault::Form("aud")),
        }
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, Fault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(Fault::Form(name)),
        }
    }

    fn required_text(&self, name: &'static str) -> Result<&str, Fault> {
        self.text(name)?.ok_or(Fault::Missing(name))
    }

    /// An instant in whole seconds, as a number.
    fn seconds(&self, name: &'static str) -> Result<Option<i64>, Fault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => {
                let seconds = value.as_i64().filter(|seconds| *seconds >= 0);
                seconds.map(Some).ok_or(Fault::Form(name))
            }
        }
    }
}

fn require_begun(begin: i64, now: Timestamp) -> Result<(), Fault> {
    if begin > now.as_second().saturating_add(LEEWAY) {
        Err(Fault::Early)
    } else {
        Ok(())
    }
}

/// Whether a text is a UUID as Entra ID writes it.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}
