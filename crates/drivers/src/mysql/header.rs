//! The first line of a MariaDB dump, which forbids client commands, for clients that do not know
//! it.

use bytes::{Bytes, BytesMut};

/// The ways in which versions spell the line.
const SPELLINGS: [&[u8]; 2] = [b"/*M!999999\\-", b"/*!999999\\-"];

/// Longest first line that is looked at.
const LONGEST: usize = 256;

/// Holds the start of a dump back until its first line is whole.
#[derive(Debug)]
pub(super) struct Header {
    /// `None` once the start went through.
    held: Option<BytesMut>,
}

impl Header {
    /// For a client that knows the line, or does not.
    pub(super) fn new(knows_sandbox: bool) -> Self {
        Self {
            held: (!knows_sandbox).then(BytesMut::new),
        }
    }

    /// Takes bytes of the dump and gives those that may go on.
    pub(super) fn pass(&mut self, bytes: Bytes) -> Bytes {
        let Some(held) = &mut self.held else {
            return bytes;
        };
        held.extend_from_slice(&bytes);
        if held.contains(&b'\n') || held.len() > LONGEST {
            self.rest()
        } else {
            Bytes::new()
        }
    }

    /// What is still held back, at the end of the dump.
    pub(super) fn rest(&mut self) -> Bytes {
        let Some(mut held) = self.held.take() else {
            return Bytes::new();
        };
        if SPELLINGS.iter().any(|spelling| held.starts_with(spelling))
            && let Some(end) = held.iter().position(|byte| *byte == b'\n')
        {
            return held.split_off(end + 1).freeze();
        }
        held.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(knows_sandbox: bool, dump: &str, chunk: usize) -> String {
        let mut header = Header::new(knows_sandbox);
        let mut out = Vec::new();
        for piece in dump.as_bytes().chunks(chunk) {
            out.extend_from_slice(&header.pass(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&header.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_that_line_is_left_out_and_only_for_who_does_not_know_it() {
        let rest = "-- MariaDB dump\nINSERT INTO t VALUES ('/*M!999999\\- x */');\n";
        for line in [
            "/*M!999999\\- enable the sandbox mode */ \n",
            "/*!999999\\- enable the sandbox mode */\n",
        ] {
            let dump = format!("{line}{rest}");
            for chunk in [1, 5, 4096] {
                assert_eq!(passed(false, &dump, chunk), rest);
                assert_eq!(passed(true, &dump, chunk), dump);
                assert_eq!(passed(false, rest, chunk), rest);
            }
        }
        assert_eq!(passed(false, "no line end", 3), "no line end");
    }
}
