//! The greetings (PRELOGIN) of client and server: what each can, before anybody signs in.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/60f56408-0188-4cd5-8b90-25c6f2423868>

use std::io;

const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD: u8 = 3;
const SESSIONS: u8 = 4;
const TOKENS: u8 = 6;
const END: u8 = 0xff;

const CAN_AND_WANTS: u8 = 1;
const CANNOT: u8 = 2;
const INSISTS: u8 = 3;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ServerGreeting {
    version: Vec<u8>,
    /// Whether everything from now on is encrypted.
    pub(super) encrypts: bool,
    /// Whether it knows tokens of Entra ID.
    takes_tokens: bool,
}

/// The greeting of a client that wants all to be encrypted, or nothing.
pub(super) fn of_client(encrypts: bool, brings_token: bool) -> Vec<u8> {
    let encryption = if encrypts { CAN_AND_WANTS } else { CANNOT };
    let mut options = vec![
        // The lowest that SQL Server 2012 and later have.
        (VERSION, vec![11, 0, 0, 0, 0, 0]),
        (ENCRYPTION, vec![encryption]),
        (INSTANCE, vec![0]),
        (THREAD, vec![0; 4]),
        (SESSIONS, vec![0]),
    ];
    if brings_token {
        options.push((TOKENS, vec![1]));
    }
    written(&options)
}

impl ServerGreeting {
    /// Reads the content of a server's message.
    pub(super) fn read(content: &[u8]) -> io::Result<Self> {
        let mut greeting = Self::default();
        let mut rest = content;
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "its greeting is broken");
        loop {
            let [option, entry @ ..] = rest else {
                return Err(broken());
            };
            if *option == END {
                return Ok(greeting);
            }
            let Some(([a, b, c, d], after)) = entry.split_first_chunk() else {
                return Err(broken());
            };
            let start = usize::from(u16::from_be_bytes([*a, *b]));
            let length = usize::from(u16::from_be_bytes([*c, *d]));
            let value = content.get(start..start + length).ok_or_else(broken)?;
            match (*option, value) {
                (VERSION, value) if value.len() == 6 => value.clone_into(&mut greeting.version),
                (ENCRYPTION, [word]) => {
                    greeting.encrypts = matches!(*word, CAN_AND_WANTS | INSISTS);
                }
                (TOKENS, [word]) => greeting.takes_tokens = *word != 0,
                (VERSION | ENCRYPTION | TOKENS, _) => return Err(broken()),
                _ => {}
            }
            rest = after;
        }
    }

    /// The same for a client that need not care for encryption any more.
    pub(super) fn without_encryption(&self) -> Vec<u8> {
        let mut version = self.version.clone();
        version.resize(6, 0);
        let mut options = vec![(VERSION, version), (ENCRYPTION, vec![CANNOT])];
        if self.takes_tokens {
            options.push((TOKENS, vec![1]));
        }
        written(&options)
    }
}

/// A table of what stands where, and what stands there.
fn written(options: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let (mut table, mut values) = (Vec::new(), Vec::new());
    let start = options.len() * 5 + 1;
    // Greetings have a few dozen bytes.
    let word = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    for (option, value) in options {
        table.push(*option);
        table.extend_from_slice(&word(start + values.len()));
        table.extend_from_slice(&word(value.len()));
        values.extend_from_slice(value);
    }
    table.push(END);
    [table, values].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(word: u8) -> Vec<u8> {
        written(&[
            (VERSION, vec![16, 0, 16, 119, 0, 0]),
            (ENCRYPTION, vec![word]),
        ])
    }

    #[test]
    fn only_a_server_that_says_so_encrypts() {
        for (word, encrypts) in [(0, false), (1, true), (2, false), (3, true), (0x80, false)] {
            let greeting = ServerGreeting::read(&encryption(word)).unwrap();
            assert_eq!(greeting.encrypts, encrypts, "{word}");
        }
        let silent = written(&[(VERSION, vec![16, 0, 16, 119, 0, 0])]);
        assert!(!ServerGreeting::read(&silent).unwrap().encrypts);
    }

    #[test]
    fn what_is_passed_on_has_the_version_and_the_word_on_tokens() {
        let options = [
            (VERSION, vec![12, 0, 8, 208, 0, 0]),
            (ENCRYPTION, vec![INSISTS]),
            (INSTANCE, vec![0]),
            (TOKENS, vec![1]),
            (9, vec![1, 2, 3]),
        ];
        let greeting = ServerGreeting::read(&written(&options)).unwrap();
        let passed_on = ServerGreeting::read(&greeting.without_encryption()).unwrap();
        let expected = ServerGreeting {
            encrypts: false,
            ..greeting
        };
        assert_eq!(passed_on, expected);
        assert!(passed_on.takes_tokens);
    }

    #[test]
    fn a_greeting_that_is_cut_anywhere_is_refused() {
        let whole = encryption(1);
        for end in 0..whole.len() {
            assert!(ServerGreeting::read(&whole[..end]).is_err(), "{end}");
        }
        let beyond = [ENCRYPTION, 0xff, 0xff, 0xff, 0xff, END];
        assert!(ServerGreeting::read(&beyond).is_err());
    }

    #[test]
    fn a_client_says_whether_it_encrypts_and_brings_a_token() {
        let plain = of_client(false, false);
        let token = of_client(true, true);
        assert!(!ServerGreeting::read(&plain).unwrap().encrypts);
        let read = ServerGreeting::read(&token).unwrap();
        assert!(read.encrypts && read.takes_tokens);
    }
}
