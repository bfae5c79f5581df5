//! Takes secrets and control characters out of what a tool said.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::Failure;
use secrecy::{ExposeSecret as _, SecretString};

const MASK: &str = "[redacted]";

/// Knows every form in which a secret might come back.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// Longest first, so that a form that contains another is replaced whole.
    forms: Vec<SecretString>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Redactor({} forms)", self.forms.len())
    }
}

impl Redactor {
    /// A redactor for one secret.
    pub(crate) fn new(secret: &SecretValue) -> Self {
        let plain = secret.expose();
        if plain.is_empty() {
            return Self::default();
        }
        let bytes = plain.as_bytes();
        let mut forms = vec![
            plain.to_owned(),
            percent_encoded(plain),
            percent_encoded(plain).replace("%20", "+"),
            percent_encoded(plain).to_lowercase(),
            BASE64.encode(bytes),
            BASE64_NOPAD.encode(bytes),
            BASE64URL.encode(bytes),
            BASE64URL_NOPAD.encode(bytes),
            HEXLOWER.encode(bytes),
            HEXUPPER.encode(bytes),
            plain.replace('\'', "''"),
            plain.replace('"', "\"\""),
            plain.replace('\\', "\\\\"),
            plain.replace('\\', "\\\\").replace('\'', "\\'"),
            plain.replace('\\', "\\\\").replace('"', "\\\""),
            plain.replace('\\', "\\\\").replace(':', "\\:"),
            escape_controls(plain),
        ];
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self {
            forms: forms.into_iter().map(SecretString::from).collect(),
        }
    }

    /// Length in bytes of the longest form.
    pub(crate) fn longest(&self) -> usize {
        self.forms
            .first()
            .map_or(0, |form| form.expose_secret().len())
    }

    /// `text` without secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for form in &self.forms {
            if clean.contains(form.expose_secret()) {
                clean = clean.replace(form.expose_secret(), MASK);
            }
        }
        clean
    }

    /// What a tool said, without secrets, control characters visible.
    pub(crate) fn clean(&self, bytes: &[u8]) -> String {
        escape_controls(&self.redact(&String::from_utf8_lossy(bytes)))
    }

    /// A failure without secrets in any of its texts.
    pub(crate) fn failure(&self, failure: &Failure) -> Failure {
        Failure {
            kind: failure.kind,
            message: self.redact(&failure.message),
            detail: self.redact(&failure.detail),
        }
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&HEXUPPER.encode(&[byte]));
        }
    }
    encoded
}

/// Control characters except line ends, and characters that reorder text, in visible form.
pub(crate) fn escape_controls(text: &str) -> String {
    let reorders = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if (character.is_control() && character != '\n') || reorders(character) {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_disappears() {
        let redactor = Redactor::new(&SecretValue::new("p'a\"s\\s: wörd"));
        for leak in [
            "p'a\"s\\s: wörd",
            "p''a\"s\\s: wörd",
            "p'a\"\"s\\s: wörd",
            "p\\'a\"s\\\\s: wörd",
            "p'a\\\"s\\\\s: wörd",
            "p%27a%22s%5Cs%3A%20w%C3%B6rd",
            "p%27a%22s%5cs%3a%20w%c3%b6rd",
            "cCdhInNcczogd8O2cmQ=",
            "70276122735c733a2077c3b67264",
        ] {
            let clean = redactor.clean(format!("before {leak} after").as_bytes());
            assert_eq!(clean, "before [redacted] after", "{leak}");
        }
    }

    #[test]
    fn control_characters_become_visible() {
        let clean = Redactor::default().clean(b"a\x1b[31mred\0\r\nnext \xff");
        assert_eq!(clean, "a\\u{1b}[31mred\\u{0}\\u{d}\nnext \u{fffd}");
    }

    #[test]
    fn an_empty_secret_changes_nothing() {
        assert_eq!(
            Redactor::new(&SecretValue::new("")).redact("as it is"),
            "as it is"
        );
    }
}
