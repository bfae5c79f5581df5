//! Answers of a server: streams of tokens.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/67b6113c-d722-42d1-902c-3f6e8de09173>

use super::SignIn;

/// An answer, as far as it is written.
#[derive(Debug, Default)]
pub(super) struct Answer {
    tokens: Vec<u8>,
    is_welcome: bool,
    has_failed: bool,
}

const COLLATION: [u8; 5] = [9, 4, 0xd0, 0, 52];

impl Answer {
    /// Lets somebody in.
    pub(super) fn welcome(mut self, sign_in: &SignIn) -> Self {
        self.is_welcome = true;
        let database = match sign_in.database.as_str() {
            "" => "master",
            own => own,
        };
        self.change(1, &[short(database), short("")].concat());
        self.change(7, &[&[5][..], &COLLATION, &[0]].concat());
        self.said(0xab, 5701, "Changed database context.");
        let program = [&[1, 0x74, 0, 0, 4][..], &short("Microsoft SQL Server")].concat();
        self.token(0xad, &[&program[..], &[16, 0, 16, 39]].concat());
        self.change(4, &[short("4096"), short("4096")].concat());
        if sign_in.token.is_some() {
            // Tokens are known, without a nonce; no more features.
            self.tokens.extend_from_slice(&[0xae, 2, 0, 0, 0, 0, 0xff]);
        }
        self
    }

    /// Names the host that somebody is to go to.
    pub(super) fn send_on(mut self, host: &str, port: u16) -> Self {
        let name = utf16(host);
        let [low, high] = port.to_le_bytes();
        let data = [
            &[0, low, high][..],
            &word(host.encode_utf16().count()),
            &name,
        ]
        .concat();
        self.change(20, &[&word(data.len())[..], &data, &[0, 0]].concat());
        self
    }

    /// Refuses.
    pub(super) fn error(mut self, number: u32, words: &str) -> Self {
        self.has_failed = true;
        self.said(0xaa, number, words);
        self
    }

    /// A text and some numbers, any number of times.
    pub(super) fn rows(mut self, rows: &[(&str, Vec<i32>)]) -> Self {
        let numbers = rows.first().map_or(0, |(_, numbers)| numbers.len());
        self.tokens.push(0x81);
        self.tokens.extend_from_slice(&word(1 + numbers));
        let text = [&[0, 0, 0, 0, 9, 0, 0xe7, 0, 1][..], &COLLATION, &[0]].concat();
        self.tokens.extend_from_slice(&text);
        for _ in 0..numbers {
            let number = [0, 0, 0, 0, 9, 0, 0x26, 4, 0];
            self.tokens.extend_from_slice(&number);
        }
        for (text, numbers) in rows {
            let text = utf16(text);
            self.tokens.push(0xd1);
            self.tokens.extend_from_slice(&word(text.len()));
            self.tokens.extend_from_slice(&text);
            for number in numbers {
                self.tokens.push(4);
                self.tokens.extend_from_slice(&number.to_le_bytes());
            }
        }
        self
    }

    /// Whether somebody is let in.
    pub(super) fn is_welcome(&self) -> bool {
        self.is_welcome
    }

    /// The whole.
    pub(super) fn done(mut self) -> Vec<u8> {
        let status = if self.has_failed { 2 } else { 0 };
        self.tokens.extend_from_slice(&[0xfd, status]);
        self.tokens.extend_from_slice(&[0; 11]);
        self.tokens
    }

    fn token(&mut self, kind: u8, data: &[u8]) {
        self.tokens.push(kind);
        self.tokens.extend_from_slice(&word(data.len()));
        self.tokens.extend_from_slice(data);
    }

    fn change(&mut self, what: u8, data: &[u8]) {
        self.token(0xe3, &[&[what][..], data].concat());
    }

    fn said(&mut self, kind: u8, number: u32, words: &str) {
        let length = word(words.encode_utf16().count());
        let words = [&[1, 14][..], &length, &utf16(words)].concat();
        let rest = [short("played"), short(""), vec![1, 0, 0, 0]].concat();
        self.token(kind, &[&number.to_le_bytes()[..], &words, &rest].concat());
    }
}

/// Answers of tests are short.
fn word(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A text behind its length in one byte.
fn short(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.encode_utf16().count()).unwrap_or(u8::MAX);
    [&[length][..], &utf16(text)].concat()
}
