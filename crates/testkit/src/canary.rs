//! Finding a secret wherever it was written, in whatever form: the eyes of the canary test.

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use memchr::memmem;

/// A password that every quoting changes: quotes, percent, backslash, colon, beyond ASCII.
pub const CANARY: &str = "cAnArY17-'q\" 100%20 b\\s:d ü€+/w#;$";

/// Its beginning, which no quoting changes and nothing else in a test holds.
const MARK: &str = "cAnArY17";

/// Knows the forms of the canary.
#[derive(Debug)]
pub struct Searcher {
    needles: Vec<(&'static str, Vec<u8>)>,
}

impl Default for Searcher {
    fn default() -> Self {
        let mut needles = vec![
            ("plain", MARK.as_bytes().to_vec()),
            ("reversed", MARK.bytes().rev().collect()),
            ("percent of every byte", every_byte("%", &HEXUPPER)),
            ("percent of every byte, small", every_byte("%", &HEXLOWER)),
            ("escapes of every byte", every_byte("\\x", &HEXLOWER)),
            ("escapes of every character", every_byte("\\u00", &HEXLOWER)),
            ("UTF-16, little end first", utf16(u16::to_le_bytes)),
            ("UTF-16, big end first", utf16(u16::to_be_bytes)),
            ("hex", HEXLOWER.encode(MARK.as_bytes()).into_bytes()),
            (
                "hex, capitals",
                HEXUPPER.encode(MARK.as_bytes()).into_bytes(),
            ),
            ("a list of numbers", numbers().into_bytes()),
        ];
        needles.extend((0..3).map(|before| ("base64", base64(CANARY.as_bytes(), before))));
        let utf16: Vec<u8> = CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect();
        needles.extend((0..3).map(|before| ("base64 of UTF-16", base64(&utf16, before))));
        let url = |form: &Vec<u8>| form.iter().map(|byte| url_safe(*byte)).collect();
        let safe: Vec<_> = (0..3)
            .map(|before| ("base64 for URLs", url(&base64(CANARY.as_bytes(), before))))
            .collect();
        needles.extend(safe);
        Self { needles }
    }
}

impl Searcher {
    /// In which form the canary stands in `bytes`, if it does.
    pub fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        let mut needles = self.needles.iter();
        let found = needles.find(|(_, needle)| memmem::find(bytes, needle).is_some());
        found.map(|(form, _)| *form)
    }

    /// Fails when the canary stands in `bytes`.
    ///
    /// # Panics
    /// Then, with the name of `place`.
    #[track_caller]
    pub fn is_clean(&self, place: &str, bytes: &[u8]) {
        let found = self.find(bytes);
        assert!(found.is_none(), "the password stands in {place}: {found:?}");
    }
}

/// The part of the base64 text that is the same whatever stands before and after: `before` bytes
/// come first, of which every third place is another alignment.
fn base64(bytes: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    padded.truncate(padded.len() / 3 * 3);
    let text = BASE64.encode(&padded).into_bytes();
    // Four characters for three bytes; the group with the bytes before is theirs.
    let own = if before == 0 { 0 } else { 4 };
    text[own..].to_vec()
}

fn url_safe(byte: u8) -> u8 {
    match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    }
}

fn every_byte(lead: &str, digits: &data_encoding::Encoding) -> Vec<u8> {
    let byte = |byte: u8| format!("{lead}{}", digits.encode(&[byte]));
    MARK.bytes().map(byte).collect::<String>().into_bytes()
}

fn utf16(bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    MARK.encode_utf16().flat_map(bytes).collect()
}

/// As a byte string is printed for people.
fn numbers() -> String {
    let numbers: Vec<String> = MARK.bytes().map(|byte| byte.to_string()).collect();
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64_NOPAD, BASE64URL};

    use super::*;

    /// Each form by other means than the searcher's, with something around it.
    fn leaks() -> Vec<(&'static str, Vec<u8>)> {
        let plain = CANARY.as_bytes();
        let json = serde_json::Value::from(CANARY).to_string();
        let twice = serde_json::Value::from(json.as_str()).to_string();
        let every = |print: &dyn Fn(u8) -> String| {
            let text: String = plain.iter().map(|byte| print(*byte)).collect();
            text.into_bytes()
        };
        let wide = |bytes: fn(u16) -> [u8; 2]| CANARY.encode_utf16().flat_map(bytes).collect();
        vec![
            ("plain", plain.to_vec()),
            ("JSON", json.into_bytes()),
            ("JSON in JSON", twice.into_bytes()),
            ("Rust", format!("{CANARY:?}").into_bytes()),
            ("SQL", CANARY.replace('\'', "''").into_bytes()),
            (
                "pgpass",
                CANARY
                    .replace('\\', "\\\\")
                    .replace(':', "\\:")
                    .into_bytes(),
            ),
            (
                "URL",
                every(&|byte| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
                    _ => format!("%{byte:02X}"),
                }),
            ),
            ("percent", every(&|byte| format!("%{byte:02x}"))),
            ("percent, capitals", every(&|byte| format!("%{byte:02X}"))),
            ("escapes", every(&|byte| format!("\\x{byte:02x}"))),
            ("unicode escapes", every(&|byte| format!("\\u00{byte:02x}"))),
            ("hex", every(&|byte| format!("{byte:02x}"))),
            ("hex, capitals", every(&|byte| format!("{byte:02X}"))),
            ("debug of bytes", format!("{plain:?}").into_bytes()),
            ("UTF-16", wide(u16::to_le_bytes)),
            ("UTF-16 for networks", wide(u16::to_be_bytes)),
            ("reversed", plain.iter().rev().copied().collect()),
        ]
    }

    #[test]
    fn every_form_of_the_canary_is_found_wherever_it_stands() {
        let searcher = Searcher::default();
        for (form, leak) in leaks() {
            let planted = [b"before \xff", leak.as_slice(), b" after"].concat();
            assert!(searcher.find(&planted).is_some(), "{form}");
        }
    }

    #[test]
    fn base64_is_found_whatever_was_encoded_with_it() {
        let searcher = Searcher::default();
        for before in ["", "u", "u:", "us:", "user:", "127.0.0.1:5432:"] {
            for after in ["", "\n", "ab", "abc"] {
                let text = format!("{before}{CANARY}{after}");
                for encoding in [BASE64, BASE64_NOPAD, BASE64URL] {
                    let leak = format!("Basic {}", encoding.encode(text.as_bytes()));
                    assert!(searcher.find(leak.as_bytes()).is_some(), "{leak}");
                }
            }
        }
    }

    #[test]
    fn a_text_without_the_canary_is_clean() {
        let searcher = Searcher::default();
        for text in ["", "canary", "cAnArY1", &"63416e".repeat(50)] {
            assert_eq!(searcher.find(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "the password stands in a file")]
    fn a_leak_in_a_file_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("leak");
        std::fs::write(&path, format!("log line with {CANARY}")).unwrap();
        Searcher::default().is_clean("a file", &std::fs::read(&path).unwrap());
    }
}
