//! What a connection string says of encryption, in the words of many drivers.

use crate::model::{InvalidName, TlsMode};

use super::refused;

/// Words that only ask for encryption, which is what happens without them too.
const OPTIONAL: &[&str] = &["prefer", "preferred", "allow", "optional"];

/// Words of libpq and MySQL for encryption without a look at the certificate.
const WITHOUT_PROOF: &[&str] = &["require", "required"];

/// Words that have the certificate verified. One mode stands for them all, the strictest.
const VERIFIED: &[&str] = &["verifyca", "verifyfull", "verifyidentity", "strict"];

/// Yes. Most drivers that have such a switch verify the certificate then, unless they are told not to.
const YES: &[&str] = &["true", "yes", "1", "mandatory"];

/// Words that turn encryption off.
const NO: &[&str] = &["false", "no", "0", "off", "none", "disable", "disabled"];

/// The words found so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Encryption {
    /// The strictest mode that was named.
    named: Option<TlsMode>,
    /// Whether a switch was turned on.
    is_on: bool,
    /// Whether any certificate is good enough for that switch.
    trusts_any: bool,
}

impl Encryption {
    /// Takes the word of a key that asks for encryption.
    pub(super) fn ask(&mut self, key: &str, word: &str) -> Result<(), InvalidName> {
        let word = folded(word);
        let is_one_of = |words: &[&str]| words.contains(&&*word);
        if is_one_of(WITHOUT_PROOF) {
            self.named = self.named.max(Some(TlsMode::Require));
        } else if is_one_of(VERIFIED) {
            self.named = Some(TlsMode::VerifyFull);
        } else if is_one_of(YES) {
            self.is_on = true;
        } else if is_one_of(NO) {
            return Err(refused(format!(
                "has a '{key}' that turns encryption off, which is not done: connections are \
                 encrypted whenever the server can; leave it out"
            )));
        } else if !is_one_of(OPTIONAL) {
            return Err(refused(format!(
                "has a '{key}' whose value is not known; leave it out and send tls_mode"
            )));
        }
        Ok(())
    }

    /// Takes the word of a key that says whether any certificate is good enough.
    pub(super) fn trust(&mut self, key: &str, word: &str) -> Result<(), InvalidName> {
        let word = folded(word);
        if !YES.contains(&&*word) && !NO.contains(&&*word) {
            return Err(refused(format!("has a '{key}' that must be true or false")));
        }
        self.trusts_any = YES.contains(&&*word);
        Ok(())
    }

    /// The mode that they insist on together, if they do.
    pub(super) fn tls_mode(&self) -> Option<TlsMode> {
        let switched = match (self.is_on, self.trusts_any) {
            (false, _) => None,
            (true, true) => Some(TlsMode::Require),
            (true, false) => Some(TlsMode::VerifyFull),
        };
        self.named.max(switched)
    }
}

/// Drivers differ in case and in dashes.
fn folded(word: &str) -> String {
    let word = word.trim().chars();
    let letters = word.filter(|c| !matches!(c, ' ' | '_' | '-'));
    letters.flat_map(char::to_lowercase).collect()
}
