//! What stands between a plain dump and `psql`: the dump runs in psql's restricted mode under a
//! key of ours, so that nothing in it is ever taken for a command to the client. A dump's own key
//! would not do: the server that it came from saw that key.

use bytes::{Bytes, BytesMut};

/// Bytes at the start that are looked at; the settings of a dump stand in the first 2 KiB.
const START: usize = 4096;

/// Bytes at the end that are looked at.
const END: usize = 256;

/// A setting that `pg_dump` writes since 17 and servers know since 17.
const TRANSACTION_TIMEOUT: &[u8] = b"\nSET transaction_timeout = 0;\n";

const RESTRICT: &[u8] = b"\\restrict ";

/// Adapts a dump on its way. Its start is held back until it is whole, its end always.
#[derive(Debug)]
pub(super) struct Script {
    /// `None` once the start went through.
    start: Option<BytesMut>,
    end: Bytes,
    /// The line that ends the dump's own restricted mode.
    unrestrict: Option<Vec<u8>>,
    key: String,
    server_major: u32,
}

impl Script {
    /// For a server of this major version, under a `key` of letters and digits that nobody else
    /// knows.
    pub(super) fn new(server_major: u32, key: &str) -> Self {
        let start = Some(BytesMut::new());
        Self {
            start,
            end: Bytes::new(),
            unrestrict: None,
            key: key.to_owned(),
            server_major,
        }
    }

    /// Takes bytes of the dump and gives those that may go on, in two pieces.
    pub(super) fn pass(&mut self, bytes: Bytes) -> [Bytes; 2] {
        let Some(start) = &mut self.start else {
            return self.hold_end(bytes);
        };
        start.extend_from_slice(&bytes);
        if start.len() < START {
            return [Bytes::new(), Bytes::new()];
        }
        let start = self.adapted_start();
        self.hold_end(start)
    }

    /// What is still held back, at the end of the dump.
    pub(super) fn rest(&mut self) -> Bytes {
        let mut rest = BytesMut::from(&std::mem::take(&mut self.end)[..]);
        rest.extend_from_slice(&self.adapted_start());
        if let Some(line) = &self.unrestrict
            && let Some(at) = last_position(&rest, line)
        {
            let after = rest.split_off(at + line.len());
            // The line end before the line stays.
            rest.truncate(at + 1);
            rest.extend_from_slice(&after);
        }
        rest.freeze()
    }

    fn hold_end(&mut self, bytes: Bytes) -> [Bytes; 2] {
        if bytes.len() >= END {
            let mut bytes = bytes;
            let end = bytes.split_off(bytes.len() - END);
            return [std::mem::replace(&mut self.end, end), bytes];
        }
        let mut joined = BytesMut::from(&self.end[..]);
        joined.extend_from_slice(&bytes);
        let end = joined.split_off(joined.len().saturating_sub(END));
        self.end = end.freeze();
        [joined.freeze(), Bytes::new()]
    }

    /// The start of the dump with our own restriction; empty when it went through already.
    fn adapted_start(&mut self) -> Bytes {
        let Some(mut start) = self.start.take() else {
            return Bytes::new();
        };
        if let Some((from, to)) = own_restriction(&start) {
            let key = &start[from + RESTRICT.len()..to];
            self.unrestrict = Some([b"\n\\unrestrict ", key, b"\n"].concat());
            let after = start.split_off(to + 1);
            start.truncate(from);
            start.extend_from_slice(&after);
        }
        if self.server_major < 17 {
            let width = TRANSACTION_TIMEOUT.len();
            let limit = start.len().min(START);
            let found = start[..limit]
                .windows(width)
                .position(|seen| seen == TRANSACTION_TIMEOUT);
            if let Some(at) = found {
                let after = start.split_off(at + width);
                start.truncate(at + 1);
                start.extend_from_slice(&after);
            }
        }
        let restriction = format!("\\restrict {}\n", self.key);
        [restriction.as_bytes(), &start].concat().into()
    }
}

/// Where the line stands with which a dump restricts itself, without its line end: before
/// everything but comments and blank lines.
fn own_restriction(start: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let to = from + start[from..].iter().position(|byte| *byte == b'\n')?;
        let line = &start[from..to];
        if line.starts_with(RESTRICT) {
            return Some((from, to));
        }
        if !(line.is_empty() || line.starts_with(b"--")) {
            return None;
        }
        from = to + 1;
    }
}

fn last_position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).rposition(|seen| seen == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(server_major: u32, dump: &str, chunk: usize) -> String {
        let mut script = Script::new(server_major, "OURS");
        let mut out = Vec::new();
        for piece in dump.as_bytes().chunks(chunk) {
            for part in script.pass(Bytes::copy_from_slice(piece)) {
                out.extend_from_slice(&part);
            }
        }
        out.extend_from_slice(&script.rest());
        String::from_utf8(out).unwrap()
    }

    fn in_all_chunks(server_major: u32, dump: &str, expected: &str) {
        for chunk in [1, 7, 255, 256, 4096, 1_000_000] {
            assert_eq!(passed(server_major, dump, chunk), expected, "chunk {chunk}");
        }
    }

    #[test]
    fn a_dump_is_restricted_under_our_key_instead_of_its_own() {
        for rows in [0, 5000] {
            let body = format!("-- Dumped from 15\nSET x = 1;\n{}", "row\n".repeat(rows));
            let dump = format!(
                "--\n-- dump\n--\n\n\\restrict abC1\n\n{body}--\n-- complete\n--\n\n\\unrestrict abC1\n\n"
            );
            let expected =
                format!("\\restrict OURS\n--\n-- dump\n--\n\n\n{body}--\n-- complete\n--\n\n\n");
            in_all_chunks(15, &dump, &expected);
        }
    }

    #[test]
    fn a_dump_without_restriction_gets_one() {
        in_all_chunks(
            15,
            "-- dump\nSET x = 1;\n",
            "\\restrict OURS\n-- dump\nSET x = 1;\n",
        );
        in_all_chunks(15, "", "\\restrict OURS\n");
    }

    #[test]
    fn what_looks_like_a_restriction_in_the_data_stays() {
        let dump = format!(
            "SELECT 1;\n\\restrict abC1\n{}\\unrestrict abC1\n",
            "row\n".repeat(3000)
        );
        in_all_chunks(15, &dump, &format!("\\restrict OURS\n{dump}"));
    }

    #[test]
    fn a_setting_that_older_servers_do_not_know_is_left_out_for_them() {
        let data = "row\n".repeat(5000);
        let dump =
            format!("SET lock_timeout = 0;\nSET transaction_timeout = 0;\nSET x = 1;\n{data}");
        let without = dump.replacen("SET transaction_timeout = 0;\n", "", 1);
        in_all_chunks(16, &dump, &format!("\\restrict OURS\n{without}"));
        in_all_chunks(17, &dump, &format!("\\restrict OURS\n{dump}"));
        let late = format!("{}\nSET transaction_timeout = 0;\n", "x".repeat(START));
        in_all_chunks(16, &late, &format!("\\restrict OURS\n{late}"));
    }
}
