//! The last words of a tool: drained all the time, so that the tool never waits for us, and kept
//! only up to a bound.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;

use super::redact::Redactor;

/// Bytes kept.
const KEPT: usize = 64 * 1024;

/// Drains standard error in the background and keeps its end.
#[derive(Debug)]
pub(crate) struct StderrTail {
    ring: Arc<Mutex<Ring>>,
    /// `None` once it was waited for.
    drain: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Ring {
    bytes: VecDeque<u8>,
    has_dropped: bool,
}

impl Ring {
    fn push(&mut self, chunk: &[u8]) {
        let chunk = if chunk.len() > KEPT {
            self.has_dropped = true;
            &chunk[chunk.len() - KEPT..]
        } else {
            chunk
        };
        let excess = (self.bytes.len() + chunk.len()).saturating_sub(KEPT);
        if excess > 0 {
            self.bytes.drain(..excess);
            self.has_dropped = true;
        }
        self.bytes.extend(chunk);
    }

    /// What is kept. After a loss the first line is left out, as the cut may have gone through a
    /// secret, which would then not be recognised.
    fn kept(&self, longest_secret: usize) -> Vec<u8> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        if !self.has_dropped {
            return bytes;
        }
        let line_end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        // A secret may itself hold line ends, so the cut is never shorter than one secret.
        bytes[line_end.max(longest_secret).min(bytes.len())..].to_vec()
    }
}

impl StderrTail {
    /// Starts to drain `descriptor`, the reading end of a pipe.
    pub(crate) fn start(descriptor: OwnedFd) -> io::Result<Self> {
        let mut pipe = Receiver::from_owned_fd(descriptor)?;
        let ring = Arc::new(Mutex::new(Ring::default()));
        let kept = Arc::clone(&ring);
        let drain = tokio::spawn(async move {
            let mut chunk = vec![0_u8; 16 * 1024];
            while let Ok(count) = pipe.read(&mut chunk).await {
                if count == 0 {
                    break;
                }
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(&chunk[..count]);
            }
        });
        Ok(Self {
            ring,
            drain: Some(drain),
        })
    }

    /// Waits for the end of the stream, at most `limit`.
    pub(crate) async fn settle(&mut self, limit: Duration) {
        let Some(mut drain) = self.drain.take() else {
            return;
        };
        if tokio::time::timeout(limit, &mut drain).await.is_err() {
            drain.abort();
        }
    }

    /// The end of what was said, raw; the bytes are for recognising a failure, never for showing.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
            .iter()
            .copied()
            .collect()
    }

    /// The end of what was said, fit to be shown.
    pub(crate) fn shown(&self, redactor: &Redactor) -> String {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        without_statement(&redactor.clean(&ring.kept(redactor.longest())))
    }
}

/// Leaves out the statement that failed, which MariaDB's client repeats between two such lines: it
/// may be a megabyte of rows, which belong in no log.
fn without_statement(words: &str) -> String {
    const LINE: &str = "--------------\n";
    let said = words
        .rfind(LINE)
        .map_or(words, |at| &words[at + LINE.len()..]);
    said.trim().to_owned()
}

impl Drop for StderrTail {
    fn drop(&mut self) {
        if let Some(drain) = &self.drain {
            drain.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use dilux_core::secret::SecretValue;

    use super::*;

    #[test]
    fn only_the_end_is_kept_and_no_half_secret_with_it() {
        let secret = SecretValue::new("canary-password");
        let mut ring = Ring::default();
        ring.push(b"canary-password\n");
        ring.push(&vec![b'x'; KEPT - 10]);
        ring.push(b"\nend");
        let shown = String::from_utf8(ring.kept(Redactor::new(&secret).longest())).unwrap();
        assert!(!shown.contains("password"));
        assert!(shown.ends_with("\nend"));
        assert!(shown.len() <= KEPT);
    }

    #[test]
    fn a_failing_statement_is_not_repeated() {
        let words = "--------------\nINSERT INTO people VALUES ('Ann')\n--------------\n\nERROR 1062 (23000)\n";
        assert_eq!(without_statement(words), "ERROR 1062 (23000)");
        let cut = "'Ann'), ('Bob')\n--------------\n\nERROR 1062 (23000)\n";
        assert_eq!(without_statement(cut), "ERROR 1062 (23000)");
        assert_eq!(without_statement("plain words\n"), "plain words");
    }

    #[test]
    fn a_chunk_larger_than_the_ring_is_cut() {
        let mut ring = Ring::default();
        ring.push(&vec![b'a'; 3 * KEPT]);
        assert_eq!(ring.bytes.len(), KEPT);
    }
}
