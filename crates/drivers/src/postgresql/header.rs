//! The few lines at the start of a plain dump that depend on the version of who restores it.

use bytes::{Bytes, BytesMut};

/// Bytes at the start that are looked at; the settings of a dump stand in the first 2 KiB.
const HEADER: usize = 4096;

/// A setting that `pg_dump` writes since 17 and servers know since 17.
const TRANSACTION_TIMEOUT: &[u8] = b"\nSET transaction_timeout = 0;\n";

/// Holds the start of a dump back until it can be adapted to the server.
#[derive(Debug)]
pub(super) struct Header {
    /// `None` once the start went through.
    held: Option<BytesMut>,
    server_major: u32,
}

impl Header {
    /// For a server of this major version.
    pub(super) fn new(server_major: u32) -> Self {
        Self {
            held: Some(BytesMut::new()),
            server_major,
        }
    }

    /// Takes bytes of the dump and gives those that may go on.
    pub(super) fn pass(&mut self, bytes: Bytes) -> Bytes {
        match &mut self.held {
            None => bytes,
            Some(held) => {
                held.extend_from_slice(&bytes);
                if held.len() < HEADER {
                    Bytes::new()
                } else {
                    self.rest()
                }
            }
        }
    }

    /// What is still held back, at the end of the dump.
    pub(super) fn rest(&mut self) -> Bytes {
        let Some(held) = self.held.take() else {
            return Bytes::new();
        };
        if self.server_major >= 17 {
            return held.freeze();
        }
        let width = TRANSACTION_TIMEOUT.len();
        let limit = held.len().min(HEADER);
        let found = held[..limit]
            .windows(width)
            .position(|window| window == TRANSACTION_TIMEOUT);
        match found {
            None => held.freeze(),
            Some(at) => {
                let mut adapted = BytesMut::with_capacity(held.len());
                // The line end before the line stays.
                adapted.extend_from_slice(&held[..=at]);
                adapted.extend_from_slice(&held[at + width..]);
                adapted.freeze()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(server_major: u32, dump: &[u8], chunk: usize) -> Vec<u8> {
        let mut header = Header::new(server_major);
        let mut out = Vec::new();
        for piece in dump.chunks(chunk) {
            out.extend_from_slice(&header.pass(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&header.rest());
        out
    }

    #[test]
    fn a_setting_that_older_servers_do_not_know_is_left_out_for_them() {
        let data = "row\n".repeat(5000);
        let dump =
            format!("SET lock_timeout = 0;\nSET transaction_timeout = 0;\nSET x = 1;\n{data}");
        let without = dump.replacen("SET transaction_timeout = 0;\n", "", 1);
        for chunk in [1, 7, 4096, 100_000] {
            assert_eq!(
                passed(16, dump.as_bytes(), chunk),
                without.as_bytes(),
                "{chunk}"
            );
            assert_eq!(
                passed(17, dump.as_bytes(), chunk),
                dump.as_bytes(),
                "{chunk}"
            );
        }
    }

    #[test]
    fn the_same_words_in_the_data_stay() {
        let dump = format!("{}\nSET transaction_timeout = 0;\n", "x".repeat(HEADER));
        assert_eq!(passed(15, dump.as_bytes(), 1000), dump.as_bytes());
        assert_eq!(passed(15, b"short", 1), b"short");
    }
}
